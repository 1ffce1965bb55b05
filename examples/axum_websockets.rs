//! axum's example `websockets` with the extractor of this crate. It stays as close to the original as it can: the socket is
//! split, and both halves are used at the same time, in one task.
//!
//! `cargo run --example axum_websockets --features axum` listens on `127.0.0.1:3000`, or on `ADDR`.

use std::env;
use std::error::Error as StdError;
use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::connect_info::ConnectInfo;
use axum::extract::{OriginalUri, Request};
use axum::http::HeaderMap;
use axum::middleware::map_request;
use axum::response::IntoResponse;
use axum::routing::any;
use axum::{Extension, Router};
use futures_util::sink::SinkExt;
use futures_util::stream::StreamExt;
use tokio::net::TcpListener;
use tower_websocket::axum::WebSocketUpgrade;
use tower_websocket::{CloseCode, Manager, Message, OriginPolicy, Upgrader};

#[allow(dead_code, reason = "an example uses a part of it")]
#[path = "server/mod.rs"]
mod server;

/// The routes of the example.
pub(crate) fn app() -> Router {
    Router::new().route("/ws", any(ws_handler))
}

/// The handler for the handshake: the last point where a status can be answered.
async fn ws_handler(
    ws: WebSocketUpgrade,
    headers: HeaderMap,
    ConnectInfo(addr): ConnectInfo<SocketAddr>,
) -> impl IntoResponse {
    let user_agent = headers.get("user-agent").and_then(|agent| agent.to_str().ok()).unwrap_or("Unknown browser");
    println!("`{user_agent}` at {addr} connected.");
    ws.on_upgrade(move |socket| handle_socket(socket, addr))
}

/// One connection.
async fn handle_socket(socket: Manager, who: SocketAddr) {
    // The original sends a ping to kick things off; here it is measured too.
    match socket.ping().await {
        Ok(time) => println!("Pinged {who} in {time:?}..."),
        Err(error) => return println!("Could not ping {who}: {error}"),
    }

    // A single message from the client.
    match socket.recv().await {
        Ok(Some(message)) => process_message(&message, who),
        Ok(None) => return,
        Err(_) => return println!("client {who} abruptly disconnected"),
    }

    for i in 1..5 {
        if socket.send(Message::Text(format!("Hi {i} times!").into())).await.is_err() {
            return println!("client {who} abruptly disconnected");
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }

    // Split, it sends and receives at the same time; so would two clones of it.
    let (mut sender, mut receiver) = socket.clone().split();
    let send = async {
        for i in 0..20 {
            if sender.send(Message::Text(format!("Server message {i} ...").into())).await.is_err() {
                return i;
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        println!("Sending close to {who}...");
        if let Err(error) = socket.close_with(CloseCode::NORMAL, "Goodbye").await {
            println!("Could not close due to {error}, probably it is ok?");
        }
        20
    };
    let receive = async {
        let mut received = 0;
        while let Some(Ok(message)) = receiver.next().await {
            received += 1;
            process_message(&message, who);
        }
        received
    };
    tokio::select! {
        sent = send => println!("{sent} messages sent to {who}"),
        received = receive => println!("Received {received} messages"),
    }

    // Where the peer has closed, this tells how; where nobody has yet, returning does.
    if let Some(Ok(frame)) = socket.end() {
        println!(">>> {who} closed with {frame}");
    }
    println!("Websocket context {who} destroyed");
}

fn process_message(message: &Message, who: SocketAddr) {
    match message {
        Message::Text(text) => println!(">>> {who} sent str: {text:?}"),
        Message::Binary(bytes) => println!(">>> {who} sent {} bytes: {bytes:?}", bytes.len()),
    }
}

/// The server names the peer by its plain address.
async fn connect_info(Extension(peer): Extension<SocketAddr>, mut request: Request) -> Request {
    request.extensions_mut().insert(ConnectInfo(peer));
    request
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn StdError>> {
    let listener = TcpListener::bind(env::var("ADDR").as_deref().unwrap_or("127.0.0.1:3000")).await?;
    println!("listening on http://{}", listener.local_addr()?);
    // A page of another name that resolves to this machine (DNS rebinding) has no business here.
    let origin = OriginPolicy::same_host().allowed_hosts(["localhost", "127.0.0.1", "[::1]"])?;
    // axum's types, from which the log takes the peer and the path.
    let upgrader = Upgrader::new().origin(origin).span_from::<ConnectInfo<SocketAddr>, OriginalUri>();
    let app = app().layer(Extension(upgrader)).layer(map_request(connect_info));
    server::serve(listener, server::http(), app).await;
    Ok(())
}
