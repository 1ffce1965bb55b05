//! WebSockets as a [tower](https://docs.rs/tower) layer, for every server that is built on hyper: raw hyper, axum, warp,
//! tonic.
//!
//! [`WebSocketLayer`] checks the opening handshake (RFC 6455; over HTTP/2, RFC 8441), answers it, and calls your function
//! with a [`Manager`], the handle to one connection. Every other request goes to the inner service unchanged.
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
//!     server.timer(TokioTimer::new()).header_read_timeout(Duration::from_secs(10)); // for clients that send no request
//!     loop {
//!         let (stream, _) = Listener::accept(&mut listener).await; // retries if accepting fails
//!         let connection = server.serve_connection(TokioIo::new(stream), TowerToHyperService::new(app.clone()));
//!         tokio::spawn(connection.with_upgrades());
//!     }
//! }
//! ```
//!
//! The required dependencies:
//!
//! ```sh
//! cargo add tower-websocket axum
//! cargo add tokio --features full
//! cargo add hyper --features http1,server
//! cargo add hyper-util --features service,tokio
//! ```
//!
//! When the handler returns, the connection closes: see [`HandlerOutput`].
//!
//! # The four stacks
//!
//! **Raw hyper**: the layer wraps any tower service. [`guide::server`] has a complete server, for HTTP/1.1 and HTTP/2, and
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
//! **axum**: its own route, as above, or a layer around a route that answers other requests. Use `layer`, not
//! `route_layer`, which does not see the `CONNECT` of a handshake over HTTP/2.
//!
//! ```
//! use axum::{Router, routing::get};
//! use tower_websocket::{Manager, WebSocketLayer};
//!
//! let hello = WebSocketLayer::new(|ws: Manager| async move { ws.send("hello").await });
//! let app: Router = Router::new().route("/ws", get(|| async { "open this as a WebSocket" }).layer(hello));
//! ```
//!
//! Or the extractor, with the feature `axum`, together with any other extractors: see [`guide::with_axum`].
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
//! **warp**: `warp::serve` takes only filters, so the layer goes around `warp::service`. Serve it as with raw hyper.
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
//! **tonic**: gRPC and WebSockets on one port. tonic's own `Server` does not support upgrades. Serve its `Routes` as with
//! raw hyper, or add a route for the WebSocket to `Routes::into_axum_router()`.
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
//! # The client
//!
//! ```no_run
//! # #[cfg(feature = "client")]
//! # mod client {
//! use tower_websocket::{Error, Manager};
//!
//! async fn greet() -> Result<(), Error> {
//!     let ws = Manager::connect("ws://localhost:3000/ws").await?;
//!     ws.send("hello").await?;
//!     println!("{:?}", ws.recv().await?);
//!     ws.close().await
//! }
//! # }
//! ```
//!
//! `wss://` needs the feature `rustls`. `Connector` has settings, such as headers; `Sessions` reconnects: see
//! [`guide::reconnecting`].
//!
//! # Security
//!
//! By default pages of other sites get 403, messages are limited to 1 MiB, and silent peers and peers that accept no data
//! time out. Authentication, limits on connections and on messages per second, and allowed hosts (against DNS rebinding)
//! have to be set: [`guide::security`] lists the defaults and what you have to do.
//!
//! # TCP settings
//!
//! The crate sets `TCP_NODELAY` on the TCP streams that it can access: over HTTP/1.1 without TLS, and in the client. Under TLS
//! and over HTTP/2 the server must set it, as [`prepare_socket`] does. Only the server can limit connections that send no
//! request, for instance with `header_read_timeout` above: see [`guide::server`].
//!
//! # Guides
//!
//! | you want to | read |
//! | --- | --- |
//! | find out why a connection was refused, closed or lost | [`guide::incident`] |
//! | move from axum's `ws`, tokio-tungstenite, socketioxide or Go | [`guide::migration`] |
//! | use axum's state, extractors and authentication | [`guide::with_axum`] |
//! | send one message to many connections | [`guide::rooms`] |
//! | use the same topics on several servers | [`guide::brokers`] |
//! | design a protocol of JSON messages | [`guide::json`], [`guide::graphql`] |
//! | send bytes, files, lines or changing values | [`guide::streams`] |
//! | write a client that reconnects | [`guide::reconnecting`] |
//! | set up the server, a proxy, a deployment | [`guide::server`], [`guide::proxies`], [`guide::deploying`] |
//! | look up the defaults, what they defend against, and what they cost | [`guide::security`], [`guide::performance`] |
//! | test without a socket | [`guide::testing`] |
//!
//! # Where things are
//!
//! - An endpoint: [`WebSocketLayer`], and its settings, [`Upgrader`], with [`OriginPolicy`], `Compression`, [`Keepalive`]
//!   and [`Limits`]. The defaults are for servers whose clients are browsers. [`WebSocketConfig`] has the settings that
//!   clients have too.
//! - A refused handshake: [`Rejection`].
//! - A connection: [`Manager`], which sends and receives [`Message`]s, JSON (`recv_json`, `send_json`, and with timeouts
//!   `read_json`, `write_json`), periodic updates (`periodic_write`) and bytes ([`reader`](Manager::reader),
//!   [`writer`](Manager::writer), [`copy_text_lines`](Manager::copy_text_lines), `copy_json_stream`);
//!   [`join`](Manager::join) connects two, for a proxy.
//! - Many connections: [`Hub`] and its [`Topic`]s.
//! - Errors: [`Error`] and its [`ErrorKind`]. Close codes: [`CloseFrame`].
//! - Graceful shutdown: [`Shutdown`].
//! - The client: [`Manager::connect`](Manager#method.connect), `Connector`, and `Sessions`, which reconnects; with the
//!   feature `client`.
//! - Tests without a socket: [`testing`].
//! - Without the layer: the extractor of the feature `axum`, [`Upgrader::upgrade`], and [`Manager::from_upgraded`] for other
//!   transports.
//! - A socket that a server wraps in TLS or HTTP/2: [`prepare_socket`].
//!
//! # Wrong settings
//!
//! Settings that often come from a configuration file, such as origins, hosts, URLs and compression parameters, are parsed
//! when they are set: a wrong value is an [`Error`] of the kind [`ErrorKind::InvalidSetting`]. Settings that are usually
//! constants, such as an interval or the name of a subprotocol, panic if they are wrong; each such method says so.
//!
//! What was set can be read with a method of the same name with `get_` before it, as in [`std::process::Command`]:
//! [`Limits::max_message_size`] sets, [`Limits::get_max_message_size`] reads.
//!
//! # Debugging
//!
//! Events are emitted with `tracing`, with the target `tower_websocket`. If the program has no subscriber,
//! `WEBSOCKET_DEBUG=1` prints them on standard error. If `WEBSOCKET_DEBUG` is not set, `DEBUG` does the same with a value
//! such as `1` or `true`, or with `tower_websocket`, `tower-websocket` or `*` in its list. Values for other programs, such
//! as `express:*`, are ignored.
//!
//! # Cancel safety
//!
//! Every `async fn` says what happens when its future is dropped. All methods that receive are cancel-safe. If the future
//! of [`Manager::send`] is dropped before it is ready, the message was not sent.
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
//! | `debug` | yes | `WEBSOCKET_DEBUG`: connection events on standard error if the program has no subscriber |
//! | `deflate` | yes | permessage-deflate (RFC 7692) and its settings, `Compression` |
//! | `json` | yes | JSON messages, `copy_json_stream`, and periodic updates |
//! | `metrics` | no | metrics of connections, messages, bytes and durations with the `metrics` facade; the module `metrics` lists them |
//! | `nats` | no | `Nats`: hubs on several servers, with NATS JetStream |
//! | `proxy` | no | `Proxy`: client connections through HTTP and SOCKS5 proxies |
//! | `redis` | no | `Redis`: hubs on several servers, with Redis |
//! | `rustls` | no | `wss://` URLs, with rustls and Mozilla's root certificates; exports `rustls` for `Connector::tls_config`. A server's slow peers under `tokio_rustls` stay connected as without TLS |
//! | `rustls-platform-verifier` | no | `Connector::tls_platform_verifier`: the operating system's certificates |
//! | `tungstenite` | no | conversions of messages and close frames to and from tungstenite 0.30 |
//!
//! Everything else, also HTTP/2, needs no feature. Rust 1.88 or newer.

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
#[allow(missing_docs, clippy::must_use_candidate, reason = "only for the targets in `fuzz/`")]
pub mod fuzz_doors;
// Guides have no items, so they are compiled only for documentation. Their examples and links need features.
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
mod spare;
mod stats;
pub mod testing;
mod text;
#[cfg(feature = "tungstenite")]
mod tungstenite;
mod upgrade;

// Declared after `manager` and `error`, so that their methods come first in the documentation of `Manager` and `Error`.
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
pub use crate::upgrade::{Upgrade, Upgrader, WebSocketConfig, prepare_socket};

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
