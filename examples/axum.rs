//! WebSockets as routes of axum, and how a handler gets at the application's state and at the peer's address.
//!
//! `axum::serve` has no limit for clients that ask for nothing, and no settings for HTTP/2, so the router is served by
//! hyper-util: see `server/mod.rs`. `cargo run --example axum` listens on `127.0.0.1:3000`, or on `ADDR`.

#[path = "server/mod.rs"]
mod server;

use std::env;
use std::error::Error as StdError;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::routing::get;
use tokio::net::TcpListener;
use tower_websocket::{Error, Manager, OriginPolicy, Upgrader, WebSocketLayer};

#[derive(Default)]
struct App {
    visitors: AtomicU64,
}

/// Greets the visitor, then echoes.
async fn echo(ws: Manager, app: Arc<App>) -> Result<(), Error> {
    let number = app.visitors.fetch_add(1, Ordering::Relaxed) + 1;
    // The handshake's request is kept with what outer layers put into its extensions.
    let request = ws.request();
    let address = request.extensions.get::<SocketAddr>();
    let address = address.map_or_else(|| "an unknown address".to_owned(), ToString::to_string);
    ws.send(format!("Hello, visitor {number} from {address}!")).await?;

    while let Some(message) = ws.recv().await? {
        ws.send(message).await?;
    }
    Ok(())
}

async fn page() -> &'static str {
    "A page of axum's. The WebSocket is at /ws.\n"
}

/// What answers at the WebSocket's path when the request is no handshake.
async fn about() -> &'static str {
    "This is a WebSocket: open it as one.\n"
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn StdError>> {
    let listener = TcpListener::bind(env::var("ADDR").as_deref().unwrap_or("127.0.0.1:3000")).await?;
    println!("listening on http://{}", listener.local_addr()?);

    let app = Arc::new(App::default());
    // A page of another name that resolves to this machine (DNS rebinding) has no business here.
    let origin = OriginPolicy::same_host().allowed_hosts(["localhost", "127.0.0.1", "[::1]"])?;
    let echo = WebSocketLayer::new(move |ws| echo(ws, app.clone())).upgrader(Upgrader::new().origin(origin));
    // Over HTTP/2 a handshake is a CONNECT, which the layer sees though the route has no such method.
    let router = Router::new().route("/", get(page)).route("/ws", get(about).layer(echo));
    server::serve(listener, server::http(), router).await;
    Ok(())
}
