//! WebSockets as a [tower](https://docs.rs/tower) layer, for every stack that is built on hyper: raw hyper, axum, warp,
//! tonic.
//!
//! [`WebSocketLayer`] checks the opening handshake (RFC 6455; over HTTP/2, RFC 8441), answers it, and gives your function
//! a [`Manager`], the handle to one connection. Every other request goes to the inner service untouched.
//!
//! ```no_run
//! use axum::Router;
//! use axum::routing::get;
//! use tower_websocket::{Error, Manager, WebSocketLayer};
//!
//! async fn echo(ws: Manager) -> Result<(), Error> {
//!     while let Some(message) = ws.recv().await? {
//!         ws.send(message).await?;
//!     }
//!     Ok(())
//! }
//!
//! #[tokio::main]
//! async fn main() -> std::io::Result<()> {
//!     let app = Router::new()
//!         .route("/", get(|| async { "The WebSocket is at /ws.\n" }))
//!         .route_service("/ws", WebSocketLayer::new(echo).into_service());
//!     let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
//!     axum::serve(listener, app).await
//! }
//! ```
//!
//! # Where things are
//!
//! - An endpoint: [`WebSocketLayer`], and its settings, [`Upgrader`], with [`OriginPolicy`], [`Compression`],
//!   [`Keepalive`] and [`Limits`]. All of them have defaults that suit a server with browsers in front of it.
//! - A refused handshake: [`Rejection`].
//! - A connection: [`Manager`], which sends and receives [`Message`]s, JSON
//!   ([`read_json`](Manager::read_json), [`write_json`](Manager::write_json)), values that change
//!   ([`periodic_write`](Manager::periodic_write)) and bytes ([`reader`](Manager::reader), [`writer`](Manager::writer),
//!   [`copy_text_lines`](Manager::copy_text_lines), [`copy_json_stream`](Manager::copy_json_stream)).
//! - What went wrong: [`Error`] and its [`ErrorKind`]. How it ended: [`CloseFrame`].
//! - The end of all connections: [`Shutdown`].
//! - The other side: [`Manager::connect`](Manager#method.connect) and `Connector`, with the feature `client`.
//! - Tests without a socket: [`testing`].
//! - Without the layer: [`Upgrader::upgrade`], and [`Manager::from_upgraded`] for other transports.
//!
//! # Cancel safety
//!
//! Every `async fn` says what happens when its future is dropped. Receiving loses nothing; [`Manager::send`] has sent the
//! message or has not, and never a part of it.
//!
//! # Features
//!
//! | feature | default | what it adds |
//! | --- | --- | --- |
//! | `client` | yes | `Manager::connect` and `Connector` for `ws://` URLs, over HTTP/1.1 and HTTP/2 |
//! | `rustls` | no | `wss://` URLs, by rustls with Mozilla's root certificates |
//!
//! Everything else, compression and HTTP/2 included, is always there.

#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]

#[cfg(feature = "axum")]
#[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
pub mod axum;
mod budget;
mod client;
mod close;
mod connection;
mod debug;
mod deflate;
mod error;
mod handler;
mod handshake;
mod layer;
mod limits;
mod manager;
mod message;
mod role;
mod shutdown;
mod stats;
pub mod testing;
mod upgrade;

pub use crate::budget::Budget;
#[cfg(feature = "client")]
#[cfg_attr(docsrs, doc(cfg(feature = "client")))]
pub use crate::client::{Connector, Target};
pub use crate::close::{CloseCode, CloseFrame};
pub use crate::connection::Keepalive;
pub use crate::deflate::Compression;
pub use crate::error::{BoxError, Error, ErrorKind};
pub use crate::handler::HandlerOutput;
pub use crate::handshake::{OriginPolicy, OriginRequest, Rejection, RejectionKind, is_websocket_request};
pub use crate::layer::{EmptyBody, NotWebSocket, ResponseBody, ResponseFuture, WebSocketLayer, WebSocketService};
pub use crate::limits::Limits;
pub use crate::manager::{Manager, Reader, Writer};
#[cfg(feature = "json")]
#[cfg_attr(docsrs, doc(cfg(feature = "json")))]
pub use crate::manager::{PeriodicFuture, PeriodicWrite, dedup};
pub use crate::message::{Message, MessageKind, Text};
pub use crate::role::Role;
pub use crate::shutdown::Shutdown;
pub use crate::stats::Stats;
pub use crate::upgrade::{Upgrade, Upgrader, WebSocketConfig};

/// The token of [`Manager::context`] and [`Upgrader::context`], which is tokio's.
pub use tokio_util::sync::CancellationToken;

/// rustls, for the configuration that [`Connector::tls_config`] takes.
#[cfg(feature = "rustls")]
#[cfg_attr(docsrs, doc(cfg(feature = "rustls")))]
pub use tokio_rustls::rustls;

/// The examples of the README are tests too.
#[cfg(all(doctest, feature = "client"))]
#[doc = include_str!("../README.md")]
struct Readme;
