//! WebSockets on raw hyper: the layer around any tower service, here a function.
//!
//! `cargo run --example hyper` listens on `127.0.0.1:3000`, or on `ADDR`.

use std::convert::Infallible;
use std::env;
use std::error::Error as StdError;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tower::ServiceBuilder;
use tower_websocket::{Error, Manager, WebSocketLayer};

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

    let service = ServiceBuilder::new().layer(WebSocketLayer::new(echo).path("/ws")).service_fn(page);

    let mut server = auto::Builder::new(TokioExecutor::new());
    // WebSockets over HTTP/2 (RFC 8441). Over TLS, browsers use it as soon as it is offered.
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
