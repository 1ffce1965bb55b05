//! The plainest echo server on raw hyper: it is what conformance and load tools drive.
//!
//! | variable | default | meaning |
//! | --- | --- | --- |
//! | `ADDR` | `127.0.0.1:9001` | where to listen |
//! | `COMPRESSION` | `1` | `0`: without permessage-deflate |
//! | `TAKEOVER` | `0` | `1`: with context takeover, where the client agrees |
//! | `WINDOW_BITS` | `15` | the largest window of either side, from 9 on |
//! | `HTTP2` | `1` | `0`: HTTP/1.1 only, without the look at the first bytes that tells the versions apart |
//! | `KEEPALIVE` | `1` | `0`: without pings and timeouts |
//! | `MAX_MESSAGE` | 64 MiB | the largest message in bytes |
//!
//! HTTP/1.1 and cleartext HTTP/2 (prior knowledge) are served on the same port, at `/ws`.

use std::env;
use std::error::Error as StdError;
use std::fmt::Display;

use hyper::server::conn::http1;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tower_websocket::{Compression, Error, Keepalive, Limits, Manager, OriginPolicy, Upgrader, WebSocketLayer};

async fn echo(ws: Manager) -> Result<(), Error> {
    // Not needed here, and 10 000 idle connections are 20 MB lighter without their requests.
    ws.drop_request();
    while let Some(message) = ws.recv().await? {
        ws.send(message).await?;
    }
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn StdError + Send + Sync>> {
    let listener = TcpListener::bind(env::var("ADDR").as_deref().unwrap_or("127.0.0.1:9001")).await?;
    println!("listening on ws://{}/ws", listener.local_addr()?);

    let service = WebSocketLayer::new(echo).path("/ws").upgrader(settings()?).into_service();
    let mut server = auto::Builder::new(TokioExecutor::new());
    // The README says why these are better than hyper's defaults.
    server
        .http2()
        .enable_connect_protocol()
        .initial_stream_window_size(64 * 1024)
        .initial_connection_window_size(64 * 1024 * 1024)
        .max_send_buf_size(64 * 1024);
    let http2 = !is("HTTP2", "0");
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let stream = TokioIo::new(stream);
        let service = TowerToHyperService::new(service.clone());
        if http2 {
            tokio::spawn(serve(server.serve_connection_with_upgrades(stream, service).into_owned()));
        } else {
            tokio::spawn(serve(http1::Builder::new().serve_connection(stream, service).with_upgrades()));
        }
    }
}

async fn serve<E: Display>(connection: impl Future<Output = Result<(), E>>) {
    if let Err(error) = connection.await {
        eprintln!("connection failed: {error}");
    }
}

fn settings() -> Result<Upgrader, Box<dyn StdError + Send + Sync>> {
    let max_message = env::var("MAX_MESSAGE").map_or(Ok(64 * 1024 * 1024), |bytes| bytes.parse())?;
    let takeover = is("TAKEOVER", "1");
    let window_bits = env::var("WINDOW_BITS").map_or(Ok(15), |bits| bits.parse())?;
    let compression = Compression::default()
        .server_context_takeover(takeover)
        .client_context_takeover(takeover)
        .server_max_window_bits(window_bits)?
        .client_max_window_bits(window_bits)?;
    // Load tools send whatever `Origin` they like. A server with pages keeps the default.
    let mut upgrader = Upgrader::new()
        .origin(OriginPolicy::insecure_any())
        .limits(Limits::default().max_message_size(max_message))
        .compression(compression);
    if is("COMPRESSION", "0") {
        upgrader = upgrader.without_compression();
    }
    if is("KEEPALIVE", "0") {
        upgrader = upgrader.keepalive(Keepalive::disabled());
    }
    Ok(upgrader)
}

fn is(name: &str, expected: &str) -> bool {
    env::var(name).is_ok_and(|value| value == expected)
}
