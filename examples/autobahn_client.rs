//! Drives a fuzzing server of the Autobahn suite with the crate's client: one connection a case, everything is echoed.
//!
//! | variable | default | meaning |
//! | --- | --- | --- |
//! | `SERVER` | `ws://127.0.0.1:9001` | where the fuzzing server listens |
//! | `AGENT` | `tower-websocket` | the name in the report |
//! | `TAKEOVER` | `0` | `1`: context takeover is offered for both directions |
//! | `WINDOW_BITS` | `15` | the largest window of either side, from 9 on |

use std::env;
use std::error::Error as StdError;
use std::time::Duration;

use tower_websocket::{Compression, Connector, Error, Limits, Manager};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn StdError + Send + Sync>> {
    let server = env::var("SERVER").unwrap_or_else(|_| "ws://127.0.0.1:9001".to_owned());
    let agent = env::var("AGENT").unwrap_or_else(|_| "tower-websocket".to_owned());
    let connector =
        Connector::new().compression(compression()?).limits(Limits::default().max_message_size(64 * 1024 * 1024));

    let count = connector.connect(format!("{server}/getCaseCount").as_str()).await?;
    let cases: u32 = count.read_json(Duration::from_secs(60)).await?;
    for case in 1..=cases {
        let ws = connector.connect(format!("{server}/runCase?case={case}&agent={agent}").as_str()).await?;
        match echo(&ws).await {
            Ok(()) => {}
            // Many cases break a rule on purpose: whether this was the right end is for the server to judge.
            Err(error) => println!("case {case} of {cases}: {error}"),
        }
    }
    let report = connector.connect(format!("{server}/updateReports?agent={agent}").as_str()).await?;
    // It closes when the report is written.
    report.done().await?;
    println!("{cases} cases run");
    Ok(())
}

async fn echo(ws: &Manager) -> Result<(), Error> {
    while let Some(message) = ws.recv().await? {
        ws.send(message).await?;
    }
    Ok(())
}

fn compression() -> Result<Compression, Box<dyn StdError + Send + Sync>> {
    let takeover = env::var("TAKEOVER").is_ok_and(|value| value == "1");
    let window_bits = env::var("WINDOW_BITS").map_or(Ok(15), |bits| bits.parse())?;
    Ok(Compression::default()
        .server_context_takeover(takeover)
        .client_context_takeover(takeover)
        .server_max_window_bits(window_bits)?
        .client_max_window_bits(window_bits)?)
}
