//! A client that stays connected: it follows a room of the example `rooms`, and misses nothing while it was away. The guide
//! `reconnecting` explains it.
//!
//! `cargo run --example rooms`, then `cargo run --features client --example follow -- "ws://127.0.0.1:3000/ws?room=lobby&name=me"`

use std::env;
use std::error::Error as StdError;
use std::time::Duration;

use serde::Deserialize;
use tower_websocket::{Backoff, Connector, Error, Manager, Target};

type BoxError = Box<dyn StdError + Send + Sync>;

/// What it looks at of a message. A position comes with everything that was published.
#[derive(Deserialize)]
struct Message {
    position: Option<String>,
    event: Option<Event>,
}

#[derive(Deserialize)]
struct Event {
    name: String,
    text: Option<String>,
}

/// Prints what is said until the connection ends, and keeps the position of the last message.
async fn print(ws: Manager, position: &mut Option<String>) -> Result<(), Error> {
    while let Some(Message { position: new, event }) = ws.recv_json().await? {
        if new.is_some() {
            *position = new;
        }
        if let Some(Event { name, text: Some(text) }) = event {
            println!("{name}: {text}");
        }
    }
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let url = env::args().nth(1).unwrap_or_else(|| "ws://127.0.0.1:3000/ws?room=lobby&name=follower".to_owned());
    let backoff = Backoff::default().initial(Duration::from_millis(200)).max(Duration::from_secs(10));
    let mut sessions = Connector::new().sessions(&url, backoff);
    let mut position = None;
    while let Some(ws) = sessions.next().await? {
        eprintln!("connected");
        // After an error in a session, the next call decides whether to reconnect.
        if let Err(error) = print(ws, &mut position).await {
            eprintln!("{error:#}");
        }
        if let Some(position) = &position {
            sessions.set_target(Target::try_from(format!("{url}&after={position}"))?);
        }
    }
    Ok(())
}
