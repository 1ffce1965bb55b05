//! A client for the command line: sends each line of standard input and prints the answer to it.
//!
//!     echo hello | cargo run --features client --example client -- ws://127.0.0.1:9001/ws
//!
//! | variable | default | meaning |
//! | --- | --- | --- |
//! | `COMPRESSION` | `1` | `0`: permessage-deflate is not offered |
//! | `TAKEOVER` | `0` | `1`: context takeover is offered for both directions |
//! | `WINDOW_BITS` | `15` | the largest window of either side, from 9 on |
//! | `HTTP2` | `0` | `1`: over HTTP/2, which a `ws://` server must be known to speak |
//! | `THRESHOLD` | `512` | how many bytes a message must have to be compressed |

use std::env;
use std::error::Error as StdError;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader, stdin};
use tower_websocket::{Compression, Connector, Message};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn StdError + Send + Sync>> {
    let url = env::args().nth(1).unwrap_or_else(|| "ws://127.0.0.1:9001/ws".to_owned());
    let ws = connector()?.connect(url.as_str()).await?;
    eprintln!("connected to {url}{}", if ws.is_compressed() { ", with permessage-deflate" } else { "" });

    let mut lines = BufReader::new(stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        ws.send(line).await?;
        match ws.recv_timeout(Duration::from_secs(60)).await? {
            Message::Text(text) => println!("{text}"),
            Message::Binary(bytes) => println!("{} bytes", bytes.len()),
        }
    }
    ws.close().await?;
    let stats = ws.stats();
    eprintln!(
        "sent {} bytes as {}, received {} as {}",
        stats.payload_sent, stats.wire_sent, stats.payload_received, stats.wire_received
    );
    Ok(())
}

fn connector() -> Result<Connector, Box<dyn StdError + Send + Sync>> {
    let is = |name, expected| env::var(name).is_ok_and(|value| value == expected);
    let connector = if is("HTTP2", "1") { Connector::new().http2() } else { Connector::new() };
    if is("COMPRESSION", "0") {
        return Ok(connector.without_compression());
    }
    let takeover = is("TAKEOVER", "1");
    let window_bits = env::var("WINDOW_BITS").map_or(Ok(15), |bits| bits.parse())?;
    let threshold = env::var("THRESHOLD").map_or(Ok(512), |bytes| bytes.parse())?;
    let compression = Compression::default()
        .threshold(threshold)
        .server_context_takeover(takeover)
        .client_context_takeover(takeover)
        .server_max_window_bits(window_bits)?
        .client_max_window_bits(window_bits)?;
    Ok(connector.compression(compression))
}
