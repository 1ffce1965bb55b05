//! `graphql-transport-ws`: GraphQL over a WebSocket, a protocol with concurrent operations.
//!
//! This is the protocol of the npm package `graphql-ws`. A GraphQL library executes the operations. Here it is replaced by
//! the function `execute`, which returns a stream of results.
//!
//! ```
//! use std::collections::HashMap;
//! use std::time::Duration;
//!
//! use futures_util::{Stream, StreamExt};
//! use http::Request;
//! use serde::{Deserialize, Serialize};
//! use serde_json::{Value, json};
//! use tokio::task::{AbortHandle, JoinSet};
//! use tower_websocket::testing::TestClient;
//! use tower_websocket::{CloseCode, CloseFrame, Error, ErrorKind, Manager, Upgrader, WebSocketLayer};
//!
//! #[derive(Deserialize)]
//! #[serde(tag = "type", rename_all = "snake_case")]
//! enum ClientMessage {
//!     Complete { id: String },
//!     ConnectionInit {},
//!     Ping {},
//!     Pong {},
//!     Subscribe { id: String, payload: Value },
//! }
//!
//! #[derive(Serialize)]
//! #[serde(tag = "type", rename_all = "snake_case")]
//! enum ServerMessage<'a> {
//!     Complete { id: &'a str },
//!     ConnectionAck,
//!     Next { id: &'a str, payload: Value },
//!     Pong,
//! }
//!
//! /// The GraphQL library's part.
//! fn execute(_operation: Value) -> impl Stream<Item = Value> + Send + 'static {
//!     futures_util::stream::iter([json!({"data": {"count": 1}}), json!({"data": {"count": 2}})])
//! }
//!
//! /// Codes of the protocol, from 4400 on.
//! fn close(code: u16, reason: &str) -> Error {
//!     CloseCode::try_from(code).map_or_else(Error::from, |code| CloseFrame::new(code, reason.to_owned()).into())
//! }
//!
//! async fn graphql(ws: Manager) -> Result<(), Error> {
//!     if ws.subprotocol().is_none() {
//!         return Err(close(4406, "Subprotocol not acceptable"));
//!     }
//!     match ws.read_json(Duration::from_secs(3)).await {
//!         Ok(ClientMessage::ConnectionInit {}) => ws.send_json(&ServerMessage::ConnectionAck).await?,
//!         Ok(_) => return Err(close(4401, "Unauthorized")),
//!         Err(error) if error.kind() == ErrorKind::ReadTimeout => {
//!             return Err(close(4408, "Connection initialisation timeout"));
//!         }
//!         Err(error) if error.kind() == ErrorKind::Decode => return Err(close(4400, "Invalid message")),
//!         Err(error) => return Err(error),
//!     }
//!     let mut tasks = JoinSet::new(); // aborts the operations when the handler returns
//!     let mut operations: HashMap<String, AbortHandle> = HashMap::new();
//!     loop {
//!         let message = match ws.recv_json().await {
//!             Ok(Some(message)) => message,
//!             Ok(None) => return Ok(()),
//!             Err(error) if error.kind() == ErrorKind::Decode => return Err(close(4400, "Invalid message")),
//!             Err(error) => return Err(error),
//!         };
//!         while tasks.try_join_next().is_some() {}
//!         operations.retain(|_, operation| !operation.is_finished());
//!         match message {
//!             ClientMessage::Complete { id } => {
//!                 if let Some(operation) = operations.remove(&id) {
//!                     operation.abort();
//!                 }
//!             }
//!             ClientMessage::ConnectionInit {} => return Err(close(4429, "Too many initialisation requests")),
//!             ClientMessage::Ping {} => ws.send_json(&ServerMessage::Pong).await?,
//!             ClientMessage::Pong {} => {}
//!             ClientMessage::Subscribe { id, .. } if operations.contains_key(&id) => {
//!                 return Err(close(4409, &format!("Subscriber for {id} already exists")));
//!             }
//!             ClientMessage::Subscribe { id, payload } => {
//!                 let task = tasks.spawn(run(ws.clone(), id.clone(), payload));
//!                 operations.insert(id, task);
//!             }
//!         }
//!     }
//! }
//!
//! /// One operation. `send_json` waits while the client is slow, so that results are produced no faster than they are read.
//! async fn run(ws: Manager, id: String, operation: Value) -> Result<(), Error> {
//!     let mut results = std::pin::pin!(execute(operation));
//!     while let Some(payload) = results.next().await {
//!         ws.send_json(&ServerMessage::Next { id: &id, payload }).await?;
//!     }
//!     ws.send_json(&ServerMessage::Complete { id: &id }).await
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Error> {
//! let upgrader = Upgrader::new().subprotocols(["graphql-transport-ws"]);
//! let client = TestClient::new(WebSocketLayer::new(graphql).upgrader(upgrader).into_service());
//! let request = Request::get("/").header("sec-websocket-protocol", "graphql-transport-ws").body(()).expect("it is valid");
//! let ws = client.open(request).await.expect("the handshake is accepted");
//!
//! ws.send(r#"{"type":"connection_init","payload":{"token":"s3cret"}}"#).await?;
//! assert_eq!(ws.recv_json().await?, Some(json!({"type": "connection_ack"})));
//! ws.send(r#"{"type":"subscribe","id":"a","payload":{"query":"subscription { count }"}}"#).await?;
//! for count in [1, 2] {
//!     let next = json!({"type": "next", "id": "a", "payload": {"data": {"count": count}}});
//!     assert_eq!(ws.recv_json().await?, Some(next));
//! }
//! assert_eq!(ws.recv_json().await?, Some(json!({"type": "complete", "id": "a"})));
//! ws.send("no JSON").await?;
//! assert_eq!(ws.done().await?.code().get(), 4400);
//! # Ok(())
//! # }
//! ```
//!
//! `examples/graphql_transport_ws.rs` is a complete program, with errors of operations and a page.
//!
//! A task may still run for a moment after it has sent `complete`. A client that uses the same id again at that moment is
//! closed with 4409; `graphql-ws` uses a new id for each operation. To authenticate with the `payload` of
//! `connection_init`, check it before the acknowledgement is sent, and return `close(4403, "Forbidden")` to refuse. Pages
//! of other origins are refused before that, by [`OriginPolicy`](crate::OriginPolicy).
