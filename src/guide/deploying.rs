//! Deploying, draining and restarting.
//!
//! # A server that stops
//!
//! [`Shutdown`](crate::Shutdown) closes the WebSockets of one or more endpoints, over HTTP/1.1 and HTTP/2. A server's own
//! graceful shutdown does not: hyper's abandons WebSockets over HTTP/1.1, and waits for those over HTTP/2.
//!
//! ```
//! use std::time::Duration;
//! use tower_websocket::testing::TestClient;
//! use tower_websocket::{CloseCode, Error, Manager, Shutdown, WebSocketLayer};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Error> {
//! let shutdown = Shutdown::new();
//! let layer = WebSocketLayer::new(|ws: Manager| async move { ws.recv().await.map(drop) }).shutdown(&shutdown);
//! let client = TestClient::new(layer.into_service());
//! let ws = client.connect("/").await.expect("the handshake is accepted");
//!
//! let dropped = shutdown.close_all(CloseCode::SERVICE_RESTART, "restarting", Duration::from_secs(10)).await;
//! assert_eq!(dropped, 0);
//! assert_eq!(ws.done().await?.code(), CloseCode::SERVICE_RESTART);
//! assert_eq!(client.connect("/").await.unwrap_err().status(), 503);
//! # Ok(())
//! # }
//! ```
//!
//! From the call on, new handshakes get 503 with `Retry-After`. Each client gets the close frame after the messages that
//! were sent before. In handlers `recv` returns `None`, other methods [`ErrorKind::Closed`](crate::ErrorKind::Closed).
//! Connections and handlers that have not ended at the deadline are dropped, with
//! [`ErrorKind::Aborted`](crate::ErrorKind::Aborted).
//!
//! # With axum
//!
//! Await `close_all` in the future of `with_graceful_shutdown`, and limit the time of the server too: over HTTP/2 it waits
//! without a limit for peers that read nothing.
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use axum::Router;
//! use axum::serve::ListenerExt;
//! use tower_websocket::{CloseCode, Manager, Shutdown, WebSocketLayer, prepare_socket};
//!
//! #[tokio::main]
//! async fn main() -> std::io::Result<()> {
//!     let shutdown = Shutdown::new().jitter(Duration::from_secs(5));
//!     let layer = WebSocketLayer::new(|ws: Manager| async move { ws.recv().await.map(drop) }).shutdown(&shutdown);
//!     let app: Router = Router::new().route_service("/ws", layer.into_service());
//!
//!     let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
//!     let listener = listener.tap_io(|stream| drop(prepare_socket(stream)));
//!     let (stopping, stopped) = tokio::sync::oneshot::channel::<()>();
//!     let server = axum::serve(listener, app).with_graceful_shutdown(async move {
//!         drop(tokio::signal::ctrl_c().await); // service managers send SIGTERM: wait for that too
//!         shutdown.close_all(CloseCode::SERVICE_RESTART, "restarting", Duration::from_secs(20)).await;
//!         drop(stopping);
//!     });
//!     tokio::select! {
//!         served = server => served,
//!         _ = async { drop(stopped.await); tokio::time::sleep(Duration::from_secs(5)).await } => Ok(()),
//!     }
//! }
//! ```
//!
//! # Clients that reconnect
//!
//! All clients of a server that stops reconnect to the other servers. To spread the load:
//!
//! | setting | what it does |
//! | --- | --- |
//! | [`Shutdown::jitter`](crate::Shutdown::jitter) | sends the close frames at random moments within this time |
//! | [`Shutdown::batch`](crate::Shutdown::batch) | closes this many connections at a time |
//! | [`CloseCode::SERVICE_RESTART`](crate::CloseCode::SERVICE_RESTART) (1012) | this crate's clients wait 5 to 30 s before they reconnect |
//! | [`CloseCode::GOING_AWAY`](crate::CloseCode::GOING_AWAY) (1001) | the first attempt of this crate's clients is made within 1 s |
//! | [`Limits::max_lifetime`](crate::Limits::max_lifetime) | closes connections after a time, so that they also reach servers that were added later |
//!
//! Jitter and batches take at most half of the deadline. If clients must miss nothing, use a [`History`](crate::History).
//! It is lost when its process ends, unless the hub has a broker: see [`rooms`](super::rooms) and
//! [`brokers`](super::brokers).
//!
//! # Steps of a deployment
//!
//! 1. Start the new version, and let the load balancer send new connections to it.
//! 2. Send SIGTERM to the old one, which then calls `close_all`. If the load balancer needs time to notice, let the health
//!    check fail first, and wait.
//! 3. Give the service manager more time than the deadline before it kills the process (`TimeoutStopSec` in systemd,
//!    `terminationGracePeriodSeconds` in Kubernetes, 30 s by default there).
//!
//! `examples/dashboard.rs` is a complete program that stops in this way, on SIGTERM and on Ctrl-C.
//! [`Shutdown::connections`](crate::Shutdown::connections) is the number of connections that are left.
//!
//! # Before you go live
//!
//! | check | why |
//! | --- | --- |
//! | the limit of file descriptors (`ulimit -n`, `LimitNOFILE`) is higher than the number of connections | otherwise accepting fails |
//! | [`Upgrader::max_connections`](crate::Upgrader::max_connections) is set | connections need memory |
//! | the time to the first request is limited | see [`server`](super::server) |
//! | the page's origin is accepted, behind the proxy too | see [`proxies`](super::proxies) |
//! | clients reconnect with a random delay | see [`reconnecting`](super::reconnecting) |
//! | the log lines `handler failed` and `handshake refused` are monitored | see [`incident`](super::incident) |
