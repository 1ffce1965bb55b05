//! Protocols of JSON messages: a serde enum, request ids and errors.
//!
//! # One enum for each direction
//!
//! ```
//! use std::time::Duration;
//!
//! use serde::{Deserialize, Serialize};
//! use tower_websocket::testing::TestClient;
//! use tower_websocket::{Error, ErrorKind, Manager, Message, WebSocketLayer};
//!
//! /// `{"id": 1, "method": "divide", "params": {"dividend": 6, "divisor": 3}}`
//! #[derive(Deserialize)]
//! struct Request {
//!     id: u64,
//!     #[serde(flatten)]
//!     call: Call,
//! }
//!
//! #[derive(Deserialize)]
//! #[serde(tag = "method", content = "params", rename_all = "camelCase")]
//! enum Call {
//!     Divide { dividend: i64, divisor: i64 },
//!     Echo(String),
//! }
//!
//! /// `{"type": "result", "id": 1, "value": 2}`, or an error, without an id if the request could not be parsed.
//! #[derive(Serialize)]
//! #[serde(tag = "type", rename_all = "camelCase")]
//! enum Answer {
//!     Result { id: u64, value: serde_json::Value },
//!     Error { id: Option<u64>, message: String },
//! }
//!
//! fn answer(call: Call) -> Result<serde_json::Value, &'static str> {
//!     match call {
//!         Call::Divide { dividend, divisor } => {
//!             dividend.checked_div(divisor).map(Into::into).ok_or("this cannot be divided")
//!         }
//!         Call::Echo(text) => Ok(text.into()),
//!     }
//! }
//!
//! async fn rpc(ws: Manager) -> Result<(), Error> {
//!     loop {
//!         let answer = match ws.recv_json::<Request>().await {
//!             Ok(Some(Request { id, call })) => match answer(call) {
//!                 Ok(value) => Answer::Result { id, value },
//!                 Err(message) => Answer::Error { id: Some(id), message: message.into() },
//!             },
//!             Ok(None) => return Ok(()), // closed
//!             // The message was not of this form. The connection stays usable.
//!             Err(error) if error.kind() == ErrorKind::Decode => {
//!                 Answer::Error { id: None, message: "this is no request".into() }
//!             }
//!             Err(error) => return Err(error),
//!         };
//!         ws.send_json(&answer).await?;
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Error> {
//! let ws = TestClient::new(WebSocketLayer::new(rpc).into_service()).connect("/").await.expect("it is accepted");
//! for (request, answer) in [
//!     (
//!         r#"{"id": 1, "method": "divide", "params": {"dividend": 6, "divisor": 3}}"#,
//!         r#"{"type":"result","id":1,"value":2}"#,
//!     ),
//!     (
//!         r#"{"id": 2, "method": "divide", "params": {"dividend": 6, "divisor": 0}}"#,
//!         r#"{"type":"error","id":2,"message":"this cannot be divided"}"#,
//!     ),
//!     (r#"{"id": 3, "method": "echo", "params": "hello"}"#, r#"{"type":"result","id":3,"value":"hello"}"#),
//!     (r#"{"id": 4}"#, r#"{"type":"error","id":null,"message":"this is no request"}"#),
//! ] {
//!     ws.send(request).await?;
//!     assert_eq!(ws.recv().await?, Some(Message::text(answer)));
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Answer an error of your protocol with a message; return an error of the connection from the handler. An `Err` from a
//! handler is logged, and the peer gets 1011 without the error's text.
//!
//! # Slow requests
//!
//! The loop above answers one request after the other. To work on several at a time, spawn a task for each, with a clone of
//! the `Manager`; the client matches the answers by their ids. Limit the number of tasks: here a permit is taken before the
//! next message is received, so that TCP slows down a client that sends too much.
//!
//! ```
//! use std::sync::Arc;
//! use serde::{Deserialize, Serialize};
//! use tokio::sync::Semaphore;
//! use tokio::task::JoinSet;
//! use tower_websocket::{Error, Manager};
//!
//! # #[derive(Deserialize)]
//! # struct Request { id: u64 }
//! # #[derive(Serialize)]
//! # struct Answer { id: u64 }
//! # async fn answer(request: Request) -> Answer { Answer { id: request.id } }
//! async fn concurrent(ws: Manager) -> Result<(), Error> {
//!     let permits = Arc::new(Semaphore::new(16));
//!     let mut requests = JoinSet::new(); // aborts what still runs when the handler returns
//!     loop {
//!         let permit = permits.clone().acquire_owned().await.expect("it is never closed");
//!         let Some(request) = ws.recv_json::<Request>().await? else { return Ok(()) };
//!         while requests.try_join_next().is_some() {}
//!         let ws = ws.clone();
//!         requests.spawn(async move {
//!             // An error means that the connection is closed: the loop above sees it too.
//!             let _ = ws.send_json(&answer(request).await).await;
//!             drop(permit);
//!         });
//!     }
//! }
//! ```
//!
//! # Time limits
//!
//! [`read_json`](crate::Manager::read_json) and [`write_json`](crate::Manager::write_json) have a time limit. After a
//! timeout of `read_json` nothing is lost and the connection is usable. A timeout of `write_json` ends the connection, as a
//! part of the message may have been sent.
//!
//! ```
//! use std::time::Duration;
//! use tower_websocket::{Error, ErrorKind, Manager};
//!
//! async fn doubles(ws: Manager) -> Result<(), Error> {
//!     loop {
//!         match ws.read_json::<i64>(Duration::from_secs(10)).await {
//!             Ok(number) => ws.write_json(&(number * 2), Duration::from_secs(2)).await?,
//!             Err(error) if error.kind() == ErrorKind::ReadTimeout => ws.send("still there?").await?,
//!             Err(error) if error.kind() == ErrorKind::Decode => ws.send("a number, please").await?,
//!             Err(error) => return Err(error), // the connection has ended; an ordinary end is not logged as a failure
//!         }
//!     }
//! }
//! ```
//!
//! # Without copies
//!
//! [`Message::parse`](crate::Message::parse) borrows from the message. [`Message::json`](crate::Message::json) makes a
//! message that can be sent several times.
//!
//! ```
//! use serde::Deserialize;
//! use tower_websocket::{Error, Manager};
//!
//! #[derive(Deserialize)]
//! struct Line<'a> {
//!     #[serde(borrow)]
//!     text: std::borrow::Cow<'a, str>, // `&str` fails for strings with escapes
//! }
//!
//! async fn lengths(ws: Manager) -> Result<(), Error> {
//!     while let Some(message) = ws.recv().await? {
//!         let line: Line<'_> = message.parse()?;
//!         ws.send(line.text.len().to_string()).await?;
//!     }
//!     Ok(())
//! }
//! ```
//!
//! # The page
//!
//! ```html
//! <script>
//!     const ws = new WebSocket(`${location.protocol.replace('http', 'ws')}//${location.host}/ws`);
//!     const waiting = new Map();
//!     let last = 0;
//!
//!     function call(method, params) {
//!         return new Promise((resolve, reject) => {
//!             waiting.set(++last, { resolve, reject });
//!             ws.send(JSON.stringify({ id: last, method, params }));
//!         });
//!     }
//!
//!     ws.onmessage = ({ data }) => {
//!         const { type, id, value, message } = JSON.parse(data);
//!         const { resolve, reject } = waiting.get(id) ?? {};
//!         waiting.delete(id);
//!         if (type === 'result') resolve?.(value);
//!         else reject ? reject(new Error(message)) : console.error(message);
//!     };
//!     ws.onclose = () => {
//!         for (const { reject } of waiting.values()) reject(new Error('the connection is closed'));
//!         waiting.clear();
//!     };
//!     ws.onopen = async () => console.log(await call('divide', { dividend: 6, divisor: 3 }));
//! </script>
//! ```
//!
//! `examples/rpc.rs` is a complete program: this protocol, concurrent requests, and the page.
//!
//! # Versions
//!
//! Name the protocol's versions as subprotocols, such as `Upgrader::new().subprotocols(["app.v2", "app.v1"])`, and match on
//! [`Manager::subprotocol`](crate::Manager::subprotocol). If none of the offered subprotocols is accepted, a browser fails
//! the connection. Other clients get a connection without a subprotocol, which your handler should close.
