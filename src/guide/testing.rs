//! Testing handlers and routers without a socket.
//!
//! # A handler
//!
//! [`testing::pair`](crate::testing::pair) connects a client and a server in memory. The client is like a browser: it offers
//! compression, answers pings, and has no keepalive of its own.
//!
//! ```
//! use tower_websocket::{Error, Manager, Message, Upgrader, testing};
//!
//! async fn shout(ws: Manager) -> Result<(), Error> {
//!     while let Some(message) = ws.recv().await? {
//!         ws.send(message.as_text().unwrap_or_default().to_uppercase()).await?;
//!     }
//!     Ok(())
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Error> {
//! let (client, server) = testing::pair(Upgrader::new());
//! let handler = tokio::spawn(shout(server));
//! client.send("hello").await?;
//! assert_eq!(client.recv().await?, Some(Message::text("HELLO")));
//! client.close().await?;
//! handler.await.expect("it does not panic")?;
//! # Ok(())
//! # }
//! ```
//!
//! The handler of this test is a task of its own, and its result does not close the connection: that closes with 1000 when
//! the last handle is dropped. To test the close code of a handler's result, let a layer run it:
//!
//! ```
//! use tower_websocket::testing::TestClient;
//! use tower_websocket::{CloseCode, CloseFrame, Error, Manager, WebSocketLayer};
//!
//! const NO_NAME: CloseCode = CloseCode::new(4001).unwrap();
//!
//! async fn greet(ws: Manager) -> Result<(), Error> {
//!     let Some(name) = ws.request().uri.query().map(str::to_owned) else {
//!         return Err(CloseFrame::new(NO_NAME, "say who you are").into());
//!     };
//!     ws.send(format!("hello, {name}")).await
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Error> {
//! let client = TestClient::new(WebSocketLayer::new(greet).into_service());
//! let ws = client.connect("/").await.expect("the handshake is accepted");
//! assert_eq!(ws.done().await?, CloseFrame::new(NO_NAME, "say who you are"));
//! # Ok(())
//! # }
//! ```
//!
//! # A router with its layers
//!
//! [`TestClient`](crate::testing::TestClient) opens WebSockets through any tower service, over HTTP/1.1 and, with
//! [`http2`](crate::testing::TestClient::http2), as HTTP/2 does. What refuses a handshake is returned as a response.
//!
//! ```
//! use axum::body::Body;
//! use axum::http::Request;
//! use axum::{Router, routing::get};
//! use tower_websocket::testing::TestClient;
//! use tower_websocket::{Error, Manager, Message, WebSocketLayer};
//!
//! fn app() -> Router {
//!     let hello = WebSocketLayer::new(|ws: Manager| async move { ws.send("hello").await });
//!     Router::new().route("/ws", get(|| async { "a page" }).layer(hello))
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Error> {
//! for client in [TestClient::new(app()), TestClient::new(app()).http2()] {
//!     let ws = client.connect("/ws").await.expect("the handshake is accepted");
//!     assert_eq!(ws.recv().await?, Some(Message::text("hello")));
//!     assert_eq!(ws.done().await?.code().get(), 1000);
//!
//!     let request = Request::get("/ws").header("origin", "https://evil.example").body(Body::empty());
//!     assert_eq!(client.open(request.expect("it is valid")).await.unwrap_err().status(), 403);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! [`TestClient::call`](crate::testing::TestClient::call) makes other requests. In the repository, `tests/axum/token.rs` tests
//! the router of `examples/token.rs` in this way.
//!
//! # Time
//!
//! Under tokio's paused clock (`#[tokio::test(start_paused = true)]`, with tokio's feature `test-util`) timeouts, keepalives and
//! deadlines pass at once:
//!
//! ```
//! use std::time::Duration;
//! use tower_websocket::{CloseCode, CloseFrame, Error, Upgrader, testing};
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), Error> {
//! let (client, server) = testing::pair(Upgrader::new());
//! let start = tokio::time::Instant::now();
//! server.set_deadline(start.into_std() + Duration::from_secs(3600), CloseFrame::from(CloseCode::POLICY_VIOLATION));
//! assert_eq!(client.done().await?.code(), CloseCode::POLICY_VIOLATION);
//! assert_eq!(start.elapsed().as_secs(), 3600);
//! # Ok(())
//! # }
//! ```
//!
//! # Slow clients
//!
//! A client whose messages are not received is a slow client. It buffers unread messages
//! ([`Limits::incoming`](crate::Limits::incoming), 64 KiB), and the server has an outgoing buffer, so send more than the size
//! of both, and turn compression off: a large message of zeros is compressed to a few bytes. The client receives the close
//! frame after the messages that were sent before it:
//!
//! ```
//! use tower_websocket::{CloseCode, Error, Hub, Overflow, Upgrader, testing};
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), Error> {
//! let (client, server) = testing::pair(Upgrader::new().without_compression());
//! let topic = Hub::new().topic("news").capacity(10);
//! let _seat = topic.join(&server, Overflow::Close)?;
//! while !server.is_closed() {
//!     topic.publish(vec![0; 16 * 1024])?;
//!     tokio::task::yield_now().await;
//! }
//! while client.recv().await?.is_some() {}
//! assert_eq!(client.done().await?.code(), CloseCode::TRY_AGAIN_LATER);
//! # Ok(())
//! # }
//! ```
//!
//! # Lost clients
//!
//! A client that vanishes is a transport that ends without a close frame, or one that stays silent.
//! [`Manager::from_upgraded`](crate::Manager::from_upgraded) takes any transport, such as [`tokio::io::duplex`]:
//!
//! ```
//! use tower_websocket::{ErrorKind, Manager, Role, WebSocketConfig};
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() {
//! let (client, transport) = tokio::io::duplex(1024);
//! let server = Manager::from_upgraded(transport, Role::Server, &WebSocketConfig::new());
//! drop(client);
//! assert_eq!(server.recv().await.unwrap_err().kind(), ErrorKind::Disconnected);
//!
//! let (_silent, transport) = tokio::io::duplex(1024);
//! let server = Manager::from_upgraded(transport, Role::Server, &WebSocketConfig::new());
//! assert_eq!(server.recv().await.unwrap_err().kind(), ErrorKind::KeepaliveTimeout); // after 5 s of the paused clock
//! # }
//! ```
