//! A bearer token in the subprotocol. Browsers cannot add headers to a handshake, but they can name subprotocols:
//! `new WebSocket(url, ["chat.v1", "bearer." + token])`. The token is checked before the handshake is answered, so that a
//! client without one gets 401 and no connection, and it is neither echoed nor logged.
//!
//! `cargo run --example token` listens on `127.0.0.1:3000`, or on `ADDR`.

use std::env;
use std::error::Error as StdError;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::Request;
use axum::http::header::{SEC_WEBSOCKET_PROTOCOL, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tower_websocket::{CloseCode, CloseFrame, Error, Manager, OriginPolicy, Upgrader, WebSocketLayer};

#[allow(dead_code, reason = "an example uses a part of it")]
#[path = "server/mod.rs"]
mod server;

/// Who a token belongs to.
#[derive(Clone, Debug)]
struct User(&'static str);

/// The application's own check: a signature, a session in a store.
fn verify(token: &str) -> Option<User> {
    match token {
        "YW5uYQ" => Some(User("anna")),
        "YmVydA" => Some(User("bert")),
        _ => None,
    }
}

/// The token among the subprotocols that a client offers.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let lines = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).find_map(|offer| offer.trim().strip_prefix("bearer."))
}

/// Lets nobody through to the WebSocket without a token, and tells its handler whose it is.
async fn authenticate(mut request: Request, next: Next) -> Response {
    match bearer(request.headers()).and_then(verify) {
        Some(user) => {
            request.extensions_mut().insert(user);
            next.run(request).await
        }
        None => (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, "Bearer")], "a token is required\n").into_response(),
    }
}

async fn chat(ws: Manager) -> Result<(), Error> {
    let user = ws.request().extensions.get::<User>().map_or("nobody", |user| user.0);
    // A client that has a new token opens a new connection, or the handler renews the deadline.
    ws.set_deadline(Instant::now() + TOKEN_LIFETIME, CloseFrame::new(CloseCode::POLICY_VIOLATION, "token expired"));
    ws.send(format!("hello, {user}")).await?;
    while let Some(message) = ws.recv().await? {
        ws.send(message).await?;
    }
    Ok(())
}

/// How long a session may last before it has to show a token again.
const TOKEN_LIFETIME: Duration = Duration::from_secs(3600);

/// The page, and the WebSocket at `/ws`.
pub(crate) fn app() -> Result<Router, Error> {
    // A page of another name that resolves to this machine (DNS rebinding) has no business here.
    let origin = OriginPolicy::same_host().allowed_hosts(["localhost", "127.0.0.1", "[::1]"])?;
    // The one subprotocol that is answered; a browser fails a connection whose answer names none of those it offered.
    let upgrader = Upgrader::new().origin(origin).subprotocols(["chat.v1"]).on_end(|request, end, stats| {
        let user = request.extensions.get::<User>().map(|user| user.0);
        println!("{user:?} left after {} messages: {end:?}", stats.messages_received);
    });
    let chat = WebSocketLayer::new(chat).upgrader(upgrader).into_service();
    let chat = Router::new().route_service("/ws", chat).layer(from_fn(authenticate));
    Ok(Router::new().route("/", get(|| async { Html(PAGE) })).merge(chat))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn StdError>> {
    let listener = TcpListener::bind(env::var("ADDR").as_deref().unwrap_or("127.0.0.1:3000")).await?;
    println!("listening on http://{}", listener.local_addr()?);
    server::serve(listener, server::http(), app()?).await;
    Ok(())
}

const PAGE: &str = r#"<!doctype html>
<title>Token</title>
<button onclick="open_as('YW5uYQ')">as anna</button> <button onclick="open_as('wrong')">with a wrong token</button>
<pre id="log"></pre>
<script>
    function open_as(token) {
        const url = `${location.protocol.replace('http', 'ws')}//${location.host}/ws`;
        const ws = new WebSocket(url, ['chat.v1', 'bearer.' + token]);
        ws.onmessage = (message) => log.append(message.data, '\n');
        ws.onclose = (event) => log.append(`closed: ${event.code}\n`);
    }
</script>
"#;
