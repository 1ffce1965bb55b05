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
//! It needs these dependencies:
//!
//! ```sh
//! cargo add tower-websocket axum
//! cargo add tokio --features full
//! cargo add hyper --features http1,server
//! cargo add hyper-util --features service,tokio
//! ```
//!
//! [`HandlerOutput`] says how a connection closes when its handler returns.
//!
//! # The four stacks
//!
//! **Raw hyper**: the layer goes around any tower service. [`guide::server`] has a whole server, for both versions of HTTP, and
//! says what a server must set: upgrades, `TCP_NODELAY`, time limits before the handshake.
//!
//! ```
//! use std::convert::Infallible;
//!
//! use http::{Request, Response};
//! use hyper::body::Incoming;
//! use tower::ServiceBuilder;
//! use tower_websocket::{Manager, WebSocketLayer};
//!
//! async fn page(_: Request<Incoming>) -> Result<Response<String>, Infallible> {
//!     Ok(Response::new("a page".into()))
//! }
//!
//! let hello = WebSocketLayer::new(|ws: Manager| async move { ws.send("hello").await });
//! let service = ServiceBuilder::new().layer(hello.path("/ws")).service_fn(page);
//! # fn check<S: tower::Service<Request<Incoming>>>(_: S) {}
//! # check(service);
//! ```
//!
//! **axum**: a route of its own, as above, or around a route that answers other requests. Use `layer`: a handshake over HTTP/2
//! is a `CONNECT`, which `route_layer` does not see.
//!
//! ```
//! use axum::{Router, routing::get};
//! use tower_websocket::{Manager, WebSocketLayer};
//!
//! let hello = WebSocketLayer::new(|ws: Manager| async move { ws.send("hello").await });
//! let app: Router = Router::new().route("/ws", get(|| async { "open this as a WebSocket" }).layer(hello));
//! ```
//!
//! Or the extractor, with the feature `axum`, beside any other extractors: see [`guide::with_axum`].
//!
//! ```
//! # #[cfg(feature = "axum")]
//! # mod extractor {
//! use axum::extract::{Path, State};
//! use axum::response::Response;
//! use axum::{Router, routing::any};
//! use tower_websocket::axum::WebSocketUpgrade;
//!
//! async fn room(ws: WebSocketUpgrade, Path(id): Path<u64>, State(greeting): State<&'static str>) -> Response {
//!     ws.on_upgrade(move |ws| async move { ws.send(format!("{greeting} to room {id}")).await })
//! }
//!
//! # fn app() -> Router {
//! let app: Router = Router::new().route("/rooms/{id}", any(room)).with_state("welcome");
//! # app
//! # }
//! # }
//! ```
//!
//! **warp**: `warp::serve` takes filters only, so the layer goes around `warp::service`. Serve it as under raw hyper.
//!
//! ```
//! use tower::Layer;
//! use tower_websocket::{Manager, WebSocketLayer};
//! use warp::Filter;
//!
//! let hello = WebSocketLayer::new(|ws: Manager| async move { ws.send("hello").await });
//! let service = hello.path("/ws").layer(warp::service(warp::path::end().map(|| "a page")));
//! ```
//!
//! **tonic**: gRPC and WebSockets on one port. tonic's own `Server` performs no upgrades. Serve its `Routes` as under raw hyper,
//! or give `Routes::into_axum_router()` a route for the WebSocket.
//!
//! ```
//! use tonic::service::Routes;
//! use tower::Layer;
//! use tower_websocket::{Manager, WebSocketLayer};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let (_reporter, greeter) = tonic_health::server::health_reporter();
//! let hello = WebSocketLayer::new(|ws: Manager| async move { ws.send("hello").await });
//! let service = hello.path("/ws").layer(Routes::new(greeter).prepare());
//! # }
//! ```
//!
//! # Guides
//!
//! | you want to | read |
//! | --- | --- |
//! | find out why a connection was refused, closed or lost | [`guide::incident`] |
//! | move a program here from axum's `ws`, tokio-tungstenite, socketioxide or Go | [`guide::migration`] |
//! | use axum's state, extractors and authentication | [`guide::with_axum`] |
//! | send to many connections, some of which are slow | [`guide::rooms`] |
//! | have several servers with the same topics | [`guide::brokers`] |
//! | design a protocol of JSON messages | [`guide::json`], [`guide::graphql`] |
//! | transfer bytes, files, lines or changing values | [`guide::streams`] |
//! | write a client that reconnects | [`guide::reconnecting`] |
//! | set up the server, a proxy, a deployment | [`guide::server`], [`guide::proxies`], [`guide::deploying`] |
//! | know the defaults, which attacks they defend against, and what they cost | [`guide::security`], [`guide::performance`] |
//! | test without a socket | [`guide::testing`] |
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
//! # Debugging
//!
//! Events go to `tracing`, with the target `tower_websocket`. `WEBSOCKET_DEBUG=1` prints them on standard error where the program
//! has no subscriber. So does `DEBUG`, where `WEBSOCKET_DEBUG` is not set and `DEBUG` says no more than yes (such as `1` or
//! `true`) or lists `tower_websocket`, `tower-websocket` or `*`; values for other programs, such as `express:*`, do not count.
//!
//! # Cancel safety
//!
//! Every `async fn` says what happens when its future is dropped. Receiving loses nothing; [`Manager::send`] has sent the
//! message or has not, and never a part of it.
//!
//! # tungstenite
//!
//! The crate uses tungstenite's opcodes, its code for the headers of control frames and its list of protocol errors, by way of
//! tokio-tungstenite. It does not use `WebSocketStream`, which has no permessage-deflate, copies each payload that it sends, and
//! fills its buffer with zeros before each read.
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
//! | `nats` | no | `Nats`: hubs on several servers, by NATS JetStream |
//! | `proxy` | no | `Proxy`: the client's way through HTTP and SOCKS5 proxies |
//! | `redis` | no | `Redis`: hubs on several servers, by Redis |
//! | `rustls` | no | `wss://` URLs, by rustls with Mozilla's root certificates |
//! | `rustls-platform-verifier` | no | the operating system's certificates for the client, as a choice |
//! | `tungstenite` | no | conversions of messages and close frames to and from tungstenite 0.30 |
//!
//! Everything else, HTTP/2 included, is always there. Rust 1.88 or newer.

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
    not(all(feature = "axum", feature = "deflate", feature = "json", feature = "metrics", feature = "proxy")),
    allow(rustdoc::broken_intra_doc_links, rustdoc::private_intra_doc_links)
)]
pub mod guide;
mod handler;
mod handshake;
mod hub;
mod layer;
mod limits;
mod log_text;
mod longest;
mod manager;
mod message;
#[cfg(feature = "metrics")]
#[cfg_attr(docsrs, doc(cfg(feature = "metrics")))]
pub mod metrics;
#[cfg(not(feature = "metrics"))]
#[path = "no_metrics.rs"]
mod metrics;
mod panic_payload;
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

// Behind `manager` and `error`, whose methods come first in the documentation of `Manager` and `Error`.
mod client;
mod close_error;

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
#[cfg(any(feature = "nats", feature = "redis"))]
pub use crate::hub::Broker;
#[cfg(feature = "nats")]
#[cfg_attr(docsrs, doc(cfg(feature = "nats")))]
pub use crate::hub::Nats;
#[cfg(feature = "redis")]
#[cfg_attr(docsrs, doc(cfg(feature = "redis")))]
pub use crate::hub::Redis;
pub use crate::hub::{Gap, History, Hub, Position, Presence, PresenceChange, Recovered, Seat, Topic, TopicStats};
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
