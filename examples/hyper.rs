//! WebSockets on raw hyper: the layer around any tower service, here a function.
//!
//! How it serves is in `server/mod.rs`. `cargo run --example hyper` listens on `127.0.0.1:3000`, or on `ADDR`.

#[path = "server/mod.rs"]
mod server;

use std::convert::Infallible;
use std::env;
use std::error::Error as StdError;

use http::{Request, Response};
use hyper::body::Incoming;
use tokio::net::TcpListener;
use tower::ServiceBuilder;
use tower_websocket::{Error, Manager, OriginPolicy, Upgrader, WebSocketLayer};

async fn echo(ws: Manager) -> Result<(), Error> {
    while let Some(message) = ws.recv().await? {
        ws.send(message).await?;
    }
    Ok(())
}

async fn page(_: Request<Incoming>) -> Result<Response<String>, Infallible> {
    Ok(Response::new("A plain page. The WebSocket is at /ws.\n".to_owned()))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn StdError>> {
    let listener = TcpListener::bind(env::var("ADDR").as_deref().unwrap_or("127.0.0.1:3000")).await?;
    println!("listening on http://{}", listener.local_addr()?);

    // A page of another name that resolves to this machine (DNS rebinding) has no business here.
    let origin = OriginPolicy::same_host().allowed_hosts(["localhost", "127.0.0.1", "[::1]"])?;
    let echo = WebSocketLayer::new(echo).path("/ws").upgrader(Upgrader::new().origin(origin));
    let service = ServiceBuilder::new().layer(echo).service_fn(page);

    server::serve(listener, server::http(), service).await;
    Ok(())
}
