//! The plainest echo server on raw hyper: it is what conformance and load tools drive.
//!
//! | variable | default | meaning |
//! | --- | --- | --- |
//! | `ADDR` | `127.0.0.1:9001` | where to listen |
//! | `HOSTS` | `localhost,127.0.0.1,[::1]` | the hosts that a request may name, or `*` for all; other names may be those of pages (DNS rebinding) |
//! | `COMPRESSION` | `1` | `0`: without permessage-deflate |
//! | `TAKEOVER` | `0` | `1`: with context takeover, where the client agrees |
//! | `WINDOW_BITS` | `15` | the largest window of either side, from 9 on |
//! | `HTTP2` | `1` | `0`: HTTP/1.1 alone, without the look at the first bytes that tells the versions apart |
//! | `KEEPALIVE` | `1` | `0`: without pings and timeouts |
//! | `KEEP_REQUEST` | `0` | `1`: connections keep their requests, about 1 KiB each |
//! | `MAX_MESSAGE` | 64 MiB | the largest message in bytes |
//!
//! HTTP/1.1 and cleartext HTTP/2 (prior knowledge) are served on the same port, at `/ws`; `server/mod.rs` says how.

#[path = "server/mod.rs"]
mod server;

use std::env;
use std::error::Error as StdError;

use tokio::net::TcpListener;
use tower_websocket::{Compression, Error, Keepalive, Limits, Manager, OriginPolicy, Upgrader, WebSocketLayer};

async fn echo(ws: Manager, keep_request: bool) -> Result<(), Error> {
    if !keep_request {
        // Not needed here, and 10,000 idle connections are 10 MB lighter without their requests.
        ws.drop_request();
    }
    while let Some(message) = ws.recv().await? {
        ws.send(message).await?;
    }
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn StdError + Send + Sync>> {
    let listener = TcpListener::bind(env::var("ADDR").as_deref().unwrap_or("127.0.0.1:9001")).await?;
    println!("listening on ws://{}/ws", listener.local_addr()?);

    let keep_request = is("KEEP_REQUEST", "1");
    let service =
        WebSocketLayer::new(move |ws| echo(ws, keep_request)).path("/ws").upgrader(settings()?).into_service();
    if is("HTTP2", "0") {
        server::serve_http1(listener, service).await;
    } else {
        server::serve(listener, server::http(), service).await;
    }
    Ok(())
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
    let mut origin = OriginPolicy::insecure_any();
    let hosts = env::var("HOSTS").unwrap_or_else(|_| "localhost,127.0.0.1,[::1]".to_owned());
    if hosts != "*" {
        origin = origin.allowed_hosts(hosts.split(','))?;
    }
    let mut upgrader =
        Upgrader::new().origin(origin).limits(Limits::default().max_message_size(max_message)).compression(compression);
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
