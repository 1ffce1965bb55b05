//! WebSockets as a [tower](https://docs.rs/tower) layer, for every stack that is built on hyper: raw hyper, axum, warp,
//! tonic.
//!
//! [`WebSocketLayer`] checks the opening handshake (RFC 6455; over HTTP/2, RFC 8441), answers it, and gives your function
//! a [`Manager`], the handle to one connection. Every other request goes to the inner service untouched.
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use axum::Router;
//! use axum::routing::get;
//! use axum::serve::Listener;
//! use hyper::server::conn::http1;
//! use hyper_util::rt::{TokioIo, TokioTimer};
//! use hyper_util::service::TowerToHyperService;
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
//!     let mut listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
//!     let mut server = http1::Builder::new();
//!     server.timer(TokioTimer::new()).header_read_timeout(Duration::from_secs(10)); // or silent clients stay for ever
//!     loop {
//!         let (stream, _) = Listener::accept(&mut listener).await; // goes on where accepting fails
//!         let connection = server.serve_connection(TokioIo::new(stream), TowerToHyperService::new(app.clone()));
//!         tokio::spawn(connection.with_upgrades());
//!     }
//! }
//! ```
//!
//! [`HandlerOutput`] says how a connection closes when its handler returns. The README's "The server around it" says what a
//! server sets, and why: `TCP_NODELAY` (`axum::serve` with `ListenerExt::tap_io`), limits before the handshake, HTTP/2.
//!
//! # Where things are
//!
//! - An endpoint: [`WebSocketLayer`], and its settings, [`Upgrader`], with [`OriginPolicy`], `Compression`,
//!   [`Keepalive`] and [`Limits`]. All of them have defaults that suit a server with browsers in front of it.
//!   [`WebSocketConfig`] is the part that clients have too.
//! - A refused handshake: [`Rejection`].
//! - A connection: [`Manager`], which sends and receives [`Message`]s, JSON (`recv_json`, `send_json`, and with timeouts
//!   `read_json`, `write_json`), values that change (`periodic_write`) and bytes ([`reader`](Manager::reader),
//!   [`writer`](Manager::writer), [`copy_text_lines`](Manager::copy_text_lines), `copy_json_stream`);
//!   [`join`](Manager::join) makes a proxy of two.
//! - Many connections: [`Hub`], whose [`Topic`]s they join.
//! - What went wrong: [`Error`] and its [`ErrorKind`]. How it ended: [`CloseFrame`].
//! - The end of all connections: [`Shutdown`].
//! - The other side: [`Manager::connect`](Manager#method.connect) and `Connector`, which also stays connected (`Sessions`),
//!   with the feature `client`.
//! - Tests without a socket: [`testing`].
//! - Without the layer: the extractor of the feature `axum`, [`Upgrader::upgrade`], and [`Manager::from_upgraded`] for other transports.
//!
//! # Settings that are wrong
//!
//! What often comes from a configuration, such as origins, hosts, URLs and parameters of compression, is parsed where it
//! is set, and a bad value is an [`Error`] of the kind [`ErrorKind::InvalidSetting`]. What only a program says, such as the
//! name of a subprotocol or an interval of zero, panics with a sentence; each method that does says so.
//!
//! # Cancel safety
//!
//! Every `async fn` says what happens when its future is dropped. Receiving loses nothing; [`Manager::send`] has sent the
//! message or has not, and never a part of it.
//!
//! # tungstenite
//!
//! tungstenite is the wire format, by way of tokio-tungstenite: its opcodes, its code for the headers of control frames, and its
//! list of violations. Its `WebSocketStream` is not the engine, as it knows no permessage-deflate, and copies and zero-fills
//! each payload.
//!
//! # Features
//!
//! | feature | default | what it adds |
//! | --- | --- | --- |
//! | `axum` | no | the extractor `axum::WebSocketUpgrade`, for axum 0.8 |
//! | `client` | yes | `Manager::connect` and `Connector` for `ws://` URLs, over HTTP/1.1 and HTTP/2 |
//! | `debug` | yes | `WEBSOCKET_DEBUG`: connection events on standard error where the program has no subscriber |
//! | `deflate` | yes | permessage-deflate (RFC 7692) and its settings, `Compression` |
//! | `json` | yes | JSON messages, `copy_json_stream`, and periodic updates |
//! | `metrics` | no | counters of connections, messages, bytes and durations by the `metrics` facade; the module of that name lists them |
//! | `proxy` | no | `Proxy`: the client's way through HTTP and SOCKS5 proxies |
//! | `rustls` | no | `wss://` URLs, by rustls with Mozilla's root certificates |
//! | `rustls-platform-verifier` | no | the operating system's certificates for the client, as a choice |
//! | `tungstenite` | no | conversions of messages and close frames to and from tungstenite 0.30 |
//!
//! Everything else, HTTP/2 included, is always there.

#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]

#[cfg(feature = "axum")]
#[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
pub mod axum;
mod budget;
mod close;
mod connection;
#[cfg_attr(not(feature = "debug"), path = "no_debug.rs")]
mod debug;
mod deflate;
mod error;
mod error_chain;
#[cfg(fuzzing)]
#[doc(hidden)]
#[allow(missing_docs, clippy::must_use_candidate, reason = "for the targets in `fuzz/` alone")]
pub mod fuzz_doors;
// Guides have no items, and are for readers alone. Their examples and links need features.
#[cfg(all(doc, any(not(doctest), all(feature = "axum", feature = "client", feature = "deflate", feature = "json"))))]
#[cfg_attr(
    not(all(feature = "axum", feature = "deflate", feature = "metrics", feature = "proxy")),
    allow(rustdoc::broken_intra_doc_links, rustdoc::private_intra_doc_links)
)]
pub mod guide;
mod handler;
mod handshake;
mod hub;
mod layer;
mod limits;
mod log_text;
mod manager;
mod message;
#[cfg(feature = "metrics")]
#[cfg_attr(docsrs, doc(cfg(feature = "metrics")))]
pub mod metrics;
#[cfg(not(feature = "metrics"))]
#[path = "no_metrics.rs"]
mod metrics;
mod protocol;
mod rate_limit;
mod role;
mod shutdown;
mod stats;
pub mod testing;
mod text;
#[cfg(feature = "tungstenite")]
mod tungstenite;
mod upgrade;

// Behind `manager`, whose methods come first in the documentation of `Manager`.
mod client;

pub use crate::budget::Budget;
#[cfg(feature = "proxy")]
#[cfg_attr(docsrs, doc(cfg(feature = "proxy")))]
pub use crate::client::Proxy;
#[cfg(feature = "client")]
#[cfg_attr(docsrs, doc(cfg(feature = "client")))]
pub use crate::client::{Backoff, Connector, Sessions, Target};
pub use crate::close::{CloseCode, CloseFrame};
#[cfg(feature = "deflate")]
#[cfg_attr(docsrs, doc(cfg(feature = "deflate")))]
pub use crate::deflate::Compression;
pub use crate::error::{BoxError, Error, ErrorKind};
pub use crate::handler::HandlerOutput;
pub use crate::handshake::{
    ForwardedHeader, OriginPolicy, OriginRequest, Rejection, RejectionKind, is_websocket_request,
};
pub use crate::hub::{History, Hub, Position, Presence, PresenceChange, Recovered, Seat, Topic, TopicStats};
pub use crate::layer::{EmptyBody, NotWebSocket, ResponseBody, ResponseFuture, WebSocketLayer, WebSocketService};
pub use crate::limits::Limits;
pub use crate::manager::{ConnectionId, Manager, Reader, TrySendError, Writer};
#[cfg(feature = "json")]
#[cfg_attr(docsrs, doc(cfg(feature = "json")))]
pub use crate::manager::{PeriodicFuture, PeriodicWrite, dedup};
pub use crate::message::{Message, MessageKind};
pub use crate::protocol::{Keepalive, Overflow};
pub use crate::rate_limit::{Excess, RateLimit};
pub use crate::role::Role;
pub use crate::shutdown::Shutdown;
pub use crate::stats::Stats;
pub use crate::text::Text;
pub use crate::upgrade::{Upgrade, Upgrader, WebSocketConfig};

/// The token of [`Manager::context`] and [`Upgrader::context`], which is tokio's.
pub use tokio_util::sync::CancellationToken;

/// The TLS that the feature `rustls` uses, for [`Connector::tls_config`].
#[cfg(feature = "rustls")]
#[cfg_attr(docsrs, doc(cfg(feature = "rustls")))]
pub use tokio_rustls::rustls;

/// The examples of the README are tests too.
#[cfg(all(doctest, feature = "axum", feature = "client", feature = "deflate", feature = "json"))]
#[doc = include_str!("../README.md")]
struct Readme;
