//! `graphql-transport-ws`, the protocol of GraphQL over WebSockets. The guide `graphql` explains it.
//!
//! A GraphQL library executes the operations; here a function stands for it, which knows `{ hello }` and
//! `subscription { ticks }`. `cargo run --example graphql_transport_ws` listens on `127.0.0.1:3000`, or on `ADDR`.

use std::collections::HashMap;
use std::env;
use std::error::Error as StdError;
use std::time::Duration;

use axum::Router;
use axum::response::Html;
use axum::routing::get;
use futures_util::stream::{BoxStream, StreamExt, iter, once};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::{AbortHandle, JoinSet};
use tower_websocket::{CloseCode, CloseFrame, Error, ErrorKind, Manager, OriginPolicy, Upgrader, WebSocketLayer};

#[allow(dead_code, reason = "an example uses a part of it")]
#[path = "server/mod.rs"]
mod server;

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum ClientMessage {
    Complete { id: String },
    ConnectionInit {},
    Ping {},
    Pong {},
    Subscribe { id: String, payload: Operation },
}

#[derive(Deserialize)]
struct Operation {
    query: String,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum ServerMessage<'a> {
    Complete { id: &'a str },
    ConnectionAck,
    Error { id: &'a str, payload: [Value; 1] },
    Next { id: &'a str, payload: Value },
    Pong,
}

/// The GraphQL library's part: results, or why there are none.
fn execute(operation: &Operation) -> Result<BoxStream<'static, Value>, Value> {
    match operation.query.as_str() {
        "{ hello }" => Ok(once(async { json!({ "data": { "hello": "world" } }) }).boxed()),
        "subscription { ticks }" => Ok(iter(0..)
            .then(async |tick| {
                tokio::time::sleep(Duration::from_millis(if tick == 0 { 0 } else { 1000 })).await;
                json!({ "data": { "ticks": tick } })
            })
            .boxed()),
        _ => Err(json!({ "message": "there is no such operation" })),
    }
}

async fn graphql(ws: Manager) -> Result<(), Error> {
    if ws.subprotocol().is_none() {
        return Err(close(4406, "Subprotocol not acceptable"));
    }
    match ws.read_json(Duration::from_secs(3)).await {
        // A token in its payload would be checked here.
        Ok(ClientMessage::ConnectionInit {}) => ws.send_json(&ServerMessage::ConnectionAck).await?,
        Err(error) if error.kind() == ErrorKind::ReadTimeout => {
            return Err(close(4408, "Connection initialisation timeout"));
        }
        Ok(_) => return Err(close(4401, "Unauthorized")),
        Err(error) => return Err(invalid(error)),
    }
    let mut tasks = JoinSet::new(); // aborts the operations when the handler returns
    let mut operations: HashMap<String, AbortHandle> = HashMap::new();
    while let Some(message) = ws.recv_json().await.map_err(invalid)? {
        while tasks.try_join_next().is_some() {}
        operations.retain(|_, operation| !operation.is_finished());
        match message {
            ClientMessage::Complete { id } => drop(operations.remove(&id).inspect(AbortHandle::abort)),
            ClientMessage::ConnectionInit {} => return Err(close(4429, "Too many initialisation requests")),
            ClientMessage::Ping {} => ws.send_json(&ServerMessage::Pong).await?,
            ClientMessage::Pong {} => {}
            ClientMessage::Subscribe { id, .. } if operations.contains_key(&id) => {
                return Err(close(4409, &format!("Subscriber for {id} already exists")));
            }
            ClientMessage::Subscribe { id, payload } => {
                let task = tasks.spawn(run(ws.clone(), id.clone(), payload));
                operations.insert(id, task);
            }
        }
    }
    Ok(())
}

/// One operation. `send_json` waits while the client is slow, so that results are produced no faster than they are read.
async fn run(ws: Manager, id: String, operation: Operation) -> Result<(), Error> {
    let mut results = match execute(&operation) {
        Ok(results) => results,
        Err(error) => return ws.send_json(&ServerMessage::Error { id: &id, payload: [error] }).await,
    };
    while let Some(payload) = results.next().await {
        ws.send_json(&ServerMessage::Next { id: &id, payload }).await?;
    }
    ws.send_json(&ServerMessage::Complete { id: &id }).await
}

/// What is no message of the protocol closes the connection; any other error has.
fn invalid(error: Error) -> Error {
    if error.kind() == ErrorKind::Decode { close(4400, "Invalid message") } else { error }
}

/// Codes of the protocol, from 4400 on.
fn close(code: u16, reason: &str) -> Error {
    CloseCode::try_from(code).map_or_else(Error::from, |code| CloseFrame::new(code, reason.to_owned()).into())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn StdError>> {
    // A page of another name that resolves to this machine (DNS rebinding) has no business here.
    let origin = OriginPolicy::same_host().allowed_hosts(["localhost", "127.0.0.1", "[::1]"])?;
    let upgrader = Upgrader::new().origin(origin).subprotocols(["graphql-transport-ws"]);
    let graphql = WebSocketLayer::new(graphql).upgrader(upgrader);
    let app = Router::new().route("/", get(|| async { Html(PAGE) })).route_service("/ws", graphql.into_service());
    let listener = TcpListener::bind(env::var("ADDR").as_deref().unwrap_or("127.0.0.1:3000")).await?;
    println!("listening on http://{}", listener.local_addr()?);
    server::serve(listener, server::http(), app).await;
    Ok(())
}

const PAGE: &str = r#"<!doctype html>
<title>graphql-transport-ws</title>
<pre></pre>
<script>
    const url = `${location.protocol.replace('http', 'ws')}//${location.host}/ws`;
    const ws = new WebSocket(url, 'graphql-transport-ws');
    const send = (message) => ws.send(JSON.stringify(message));
    ws.onopen = () => send({ type: 'connection_init' });
    ws.onmessage = ({ data }) => {
        document.querySelector('pre').append(data, '\n');
        if (JSON.parse(data).type !== 'connection_ack') return;
        send({ type: 'subscribe', id: '1', payload: { query: '{ hello }' } });
        send({ type: 'subscribe', id: '2', payload: { query: 'subscription { ticks }' } });
    };
</script>
"#;
