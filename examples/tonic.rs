//! gRPC and WebSockets on one port.
//!
//! tonic's own `Server` performs no upgrades, so its `Routes` are served by hyper-util. The gRPC service here is the
//! standard health check; any other goes into `Routes` the same way.
//!
//! How it serves is in `server/mod.rs`. `cargo run --example tonic` listens on `127.0.0.1:3000`, or on `ADDR`.

#[path = "server/mod.rs"]
mod server;

use std::env;
use std::error::Error as StdError;

use tokio::net::TcpListener;
use tonic::service::Routes;
use tonic_health::ServingStatus;
use tonic_health::server::health_reporter;
use tower::Layer;
use tower_websocket::{Error, Manager, OriginPolicy, Upgrader, WebSocketLayer};

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

    let (reporter, health) = health_reporter();
    reporter.set_service_status("echo", ServingStatus::Serving).await;
    // A page of another name that resolves to this machine (DNS rebinding) has no business here.
    let origin = OriginPolicy::same_host().allowed_hosts(["localhost", "127.0.0.1", "[::1]"])?;
    let echo = WebSocketLayer::new(echo).path("/ws").upgrader(Upgrader::new().origin(origin));
    let service = echo.layer(Routes::new(health).prepare());

    server::serve(listener, server::http(), service).await;
    Ok(())
}
