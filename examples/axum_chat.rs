//! axum's example `chat` with the extractor of this crate. What changed is the imports, the loops, and how it is served.
//!
//! `cargo run --example axum_chat --features axum` listens on `127.0.0.1:3000`, or on `ADDR`.

use std::collections::HashSet;
use std::env;
use std::error::Error as StdError;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::extract::{ConnectInfo, OriginalUri, State};
use axum::response::{Html, IntoResponse};
use axum::routing::{any, get};
use axum::{Extension, Router};
use tokio::net::TcpListener;
use tokio::sync::broadcast;
use tower_websocket::axum::WebSocketUpgrade;
use tower_websocket::{Error, Manager, Message, OriginPolicy, Upgrader};

#[allow(dead_code, reason = "an example uses a part of it")]
#[path = "server/mod.rs"]
mod server;

/// What all connections share.
struct AppState {
    /// The user names that are taken.
    user_set: Mutex<HashSet<String>>,
    /// Sends messages to all connected clients.
    tx: broadcast::Sender<String>,
}

/// The routes of the chat.
pub(crate) fn app() -> Router {
    let (tx, _) = broadcast::channel(100);
    let app_state = Arc::new(AppState { user_set: Mutex::default(), tx });
    Router::new().route("/", get(index)).route("/websocket", any(websocket_handler)).with_state(app_state)
}

async fn websocket_handler(ws: WebSocketUpgrade, State(state): State<Arc<AppState>>) -> impl IntoResponse {
    ws.on_upgrade(|socket| websocket(socket, state))
}

/// One connected client.
async fn websocket(socket: Manager, state: Arc<AppState>) -> Result<(), Error> {
    // The first text message is the user's name.
    let username = loop {
        match socket.recv().await? {
            Some(Message::Text(name)) => break name,
            Some(Message::Binary(_)) => {}
            None => return Ok(()),
        }
    };
    if !state.user_set.lock().is_ok_and(|mut users| users.insert(username.to_string())) {
        return socket.send("Username already taken.").await;
    }

    // Subscribed *before* the "joined" message is sent, so that our client sees it too.
    let mut rx = state.tx.subscribe();
    let _ = state.tx.send(format!("{username} joined."));

    let send = async {
        while let Ok(message) = rx.recv().await {
            socket.send(message).await?;
        }
        Ok(())
    };
    let receive = async {
        while let Some(message) = socket.recv().await? {
            if let Message::Text(text) = message {
                let _ = state.tx.send(format!("{username}: {text}"));
            }
        }
        Ok(())
    };
    // The first to end ends the other. No task is needed for either.
    let end = tokio::select! {
        end = send => end,
        end = receive => end,
    };

    let _ = state.tx.send(format!("{username} left."));
    if let Ok(mut users) = state.user_set.lock() {
        users.remove(username.as_str());
    }
    end
}

async fn index() -> Html<&'static str> {
    Html(PAGE)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn StdError>> {
    let listener = TcpListener::bind(env::var("ADDR").as_deref().unwrap_or("127.0.0.1:3000")).await?;
    println!("listening on http://{}", listener.local_addr()?);
    // A page of another name that resolves to this machine (DNS rebinding) has no business here.
    let origin = OriginPolicy::same_host().allowed_hosts(["localhost", "127.0.0.1", "[::1]"])?;
    // axum's types, from which the log takes the peer and the path; `server` names the peer by its plain address.
    let upgrader = Upgrader::new().origin(origin).span_from::<ConnectInfo<SocketAddr>, OriginalUri>();
    let app = app().layer(Extension(upgrader));
    server::serve(listener, server::http(), app).await;
    Ok(())
}

const PAGE: &str = r#"<!doctype html>
<title>Chat</title>
<input id="line" placeholder="your name, then messages" autofocus>
<pre id="chat"></pre>
<script>
    const ws = new WebSocket(`${location.protocol.replace('http', 'ws')}//${location.host}/websocket`);
    ws.onmessage = (message) => chat.append(message.data, '\n');
    line.onchange = () => { ws.send(line.value); line.value = ''; };
</script>
"#;
