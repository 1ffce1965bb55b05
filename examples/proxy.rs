//! A reverse proxy: each WebSocket is joined to one of its own at another server. The guide `streams` explains it.
//!
//! `cargo run --example proxy --features axum,client` listens on `127.0.0.1:3000`, or on `ADDR`, and connects to
//! `ws://127.0.0.1:9001/ws`, where the example `echo` is, or to `UPSTREAM`.

use std::env;
use std::error::Error as StdError;
use std::time::Duration;

use axum::extract::State;
use axum::http::header::SEC_WEBSOCKET_PROTOCOL;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use axum::{Extension, Router};
use tokio::net::TcpListener;
use tower_websocket::axum::WebSocketUpgrade;
use tower_websocket::{Connector, Error, Limits, Manager, OriginPolicy, Target, Upgrader};

#[allow(dead_code, reason = "an example uses a part of it")]
#[path = "server/mod.rs"]
mod server;

#[derive(Clone)]
struct Upstream {
    connector: Connector,
    target: Target,
}

/// Connects before it answers, so that a client learns as a status what is wrong, and which subprotocol was chosen.
async fn proxy(ws: WebSocketUpgrade, State(upstream): State<Upstream>, headers: HeaderMap) -> Response {
    match upstream.connect(&headers).await {
        Ok(upstream) => {
            let ws = ws.subprotocols(upstream.subprotocol());
            ws.on_upgrade(async move |ws| {
                let end = ws.join(&upstream).await;
                match &end {
                    Ok(frame) => println!("closed: {frame}"),
                    Err(error) => println!("ended: {error}"),
                }
                end
            })
        }
        Err(error) => refused(&error),
    }
}

impl Upstream {
    async fn connect(&self, headers: &HeaderMap) -> Result<Manager, Error> {
        let mut connector = self.connector.clone();
        // Of the client's headers no other is passed on. One that says who it is would be set here.
        if let Some(offered) = headers.get(SEC_WEBSOCKET_PROTOCOL) {
            connector = connector.header(SEC_WEBSOCKET_PROTOCOL, offered.clone());
        }
        connector.connect(self.target.clone()).await
    }
}

/// The upstream's own refusal, such as 401 or 404, or 502 where there is no upstream.
fn refused(error: &Error) -> Response {
    println!("no upstream: {error:#}");
    let refusal = error.response().map(|response| response.status()).filter(|status| status.is_client_error());
    match refusal {
        Some(status) => (status, "the upstream has refused the handshake\n").into_response(),
        None => (StatusCode::BAD_GATEWAY, "the upstream cannot be reached\n").into_response(),
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn StdError>> {
    let target = env::var("UPSTREAM").unwrap_or_else(|_| "ws://127.0.0.1:9001/ws".to_owned()).try_into()?;
    let limits = Limits::default().handshake_timeout(Duration::from_secs(5));
    let upstream = Upstream { connector: Connector::new().limits(limits), target };
    // A page of another name that resolves to this machine (DNS rebinding) has no business here. The upstream sees no
    // `Origin`: it is here that foreign pages are refused.
    let origin = OriginPolicy::same_host().allowed_hosts(["localhost", "127.0.0.1", "[::1]"])?;
    let app = Router::new().route("/ws", any(proxy)).with_state(upstream);
    let app = app.layer(Extension(Upgrader::new().origin(origin)));
    let listener = TcpListener::bind(env::var("ADDR").as_deref().unwrap_or("127.0.0.1:3000")).await?;
    println!("listening on http://{}", listener.local_addr()?);
    server::serve(listener, server::http(), app).await;
    Ok(())
}
