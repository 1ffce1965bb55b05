//! gRPC and WebSockets on one port.
//!
//! tonic's own `Server` performs no upgrades, so its `Routes` are served by hyper-util. The gRPC service here is the
//! standard health check; any other goes into `Routes` the same way.
//!
//! `cargo run --example tonic` listens on `127.0.0.1:3000`, or on `ADDR`.

use std::env;
use std::error::Error as StdError;

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tonic::service::Routes;
use tonic_health::ServingStatus;
use tonic_health::server::health_reporter;
use tower::Layer;
use tower_websocket::{Error, Manager, WebSocketLayer};

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
    let service = WebSocketLayer::new(echo).path("/ws").layer(Routes::new(health).prepare());

    let mut server = auto::Builder::new(TokioExecutor::new());
    // WebSockets over HTTP/2 (RFC 8441), on the same connections as gRPC.
    // The README says why these are better than hyper's defaults.
    server
        .http2()
        .enable_connect_protocol()
        .initial_stream_window_size(64 * 1024)
        .initial_connection_window_size(64 * 1024 * 1024)
        .max_send_buf_size(64 * 1024);
    loop {
        let (stream, _) = listener.accept().await?;
        let server = server.clone();
        let service = TowerToHyperService::new(service.clone());
        tokio::spawn(async move {
            // `with_upgrades`, or else the socket never becomes a WebSocket.
            if let Err(error) = server.serve_connection_with_upgrades(TokioIo::new(stream), service).await {
                eprintln!("connection failed: {error}");
            }
        });
    }
}
