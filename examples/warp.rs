//! WebSockets beside warp's filters.
//!
//! `warp::serve` takes filters only, so the layer goes around `warp::service`, which hyper-util serves.
//!
//! How it serves is in `server/mod.rs`. `cargo run --example warp` listens on `127.0.0.1:3000`, or on `ADDR`.

#[path = "server/mod.rs"]
mod server;

use std::env;
use std::error::Error as StdError;

use tokio::net::TcpListener;
use tower::Layer;
use tower_websocket::{Error, Manager, OriginPolicy, Upgrader, WebSocketLayer};
use warp::Filter;

async fn echo(ws: Manager) -> Result<(), Error> {
    while let Some(message) = ws.recv().await? {
        ws.send(message).await?;
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn StdError>> {
    let listener = TcpListener::bind(env::var("ADDR").as_deref().unwrap_or("127.0.0.1:3000")).await?;
    println!("listening on http://{}", listener.local_addr()?);

    let page = warp::path::end().map(|| String::from("A page of warp's. The WebSocket is at /ws.\n"));
    let hello = warp::path!("hello" / String).map(|name| format!("Hello, {name}!\n"));
    // A page of another name that resolves to this machine (DNS rebinding) has no business here.
    let origin = OriginPolicy::same_host().allowed_hosts(["localhost", "127.0.0.1", "[::1]"])?;
    let echo = WebSocketLayer::new(echo).path("/ws").upgrader(Upgrader::new().origin(origin));
    let service = echo.layer(warp::service(page.or(hello)));

    server::serve(listener, server::http(), service).await;
    Ok(())
}
