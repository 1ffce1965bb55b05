//! Deploying, draining and restarting.
//!
//! # A server that stops
//!
//! [`Shutdown`](crate::Shutdown) closes the WebSockets of one or more endpoints, over both versions of HTTP. A server's own
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
//! From the call on, new handshakes get 503 with `Retry-After`. Each client gets the close frame after what was sent before.
//! Handlers see `None` from `recv`, or [`ErrorKind::Closed`](crate::ErrorKind::Closed), and are awaited. What is left at the
//! deadline is dropped, and its end is [`ErrorKind::Aborted`](crate::ErrorKind::Aborted).
//!
//! # With axum
//!
//! Await it in the future of `with_graceful_shutdown`, and give the server a limit too: over HTTP/2 it waits for peers that
//! read nothing for as long as they like.
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use axum::Router;
//! use axum::serve::ListenerExt;
//! use tower_websocket::{CloseCode, Manager, Shutdown, WebSocketLayer};
//!
//! #[tokio::main]
//! async fn main() -> std::io::Result<()> {
//!     let shutdown = Shutdown::new().jitter(Duration::from_secs(5));
//!     let layer = WebSocketLayer::new(|ws: Manager| async move { ws.recv().await.map(drop) }).shutdown(&shutdown);
//!     let app: Router = Router::new().route_service("/ws", layer.into_service());
//!
//!     let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
//!     let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
//!     let (stopping, stopped) = tokio::sync::oneshot::channel::<()>();
//!     let server = axum::serve(listener, app).with_graceful_shutdown(async move {
//!         drop(tokio::signal::ctrl_c().await); // and SIGTERM, which service managers send
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
//! # Clients that come back
//!
//! All clients of a server that stops connect again to the other servers. Spread that:
//!
//! | setting | what it does |
//! | --- | --- |
//! | [`Shutdown::jitter`](crate::Shutdown::jitter) | sends the close frames at random times within this time |
//! | [`Shutdown::batch`](crate::Shutdown::batch) | closes so many connections at a time |
//! | [`CloseCode::SERVICE_RESTART`](crate::CloseCode::SERVICE_RESTART) (1012) | this crate's clients wait 5 to 30 s before they connect again |
//! | [`CloseCode::GOING_AWAY`](crate::CloseCode::GOING_AWAY) (1001) | they connect again after up to 1 s, at first |
//! | [`Limits::max_lifetime`](crate::Limits::max_lifetime) | ends connections after a time, so that they spread over servers that were added |
//!
//! Jitter and batches take at most half of the deadline. Clients that must miss nothing use a
//! [`History`](crate::History), which is lost with its process: see [`rooms`](super::rooms).
//!
//! # Steps of a deployment
//!
//! 1. Start the new version, and let the load balancer send new connections to it.
//! 2. Send SIGTERM to the old one, which calls `close_all`. With a load balancer that needs time to notice, let the health check
//!    fail first and wait.
//! 3. Give the service manager more time than the deadline before it kills the process (`TimeoutStopSec` in systemd,
//!    `terminationGracePeriodSeconds` in Kubernetes, 30 s by default there).
//!
//! [`Shutdown::connections`](crate::Shutdown::connections) tells how many connections are left.
//!
//! # Before you go live
//!
//! | check | why |
//! | --- | --- |
//! | the limit of file descriptors (`ulimit -n`, `LimitNOFILE`) is above the number of connections | accepting fails otherwise |
//! | [`Upgrader::max_connections`](crate::Upgrader::max_connections) is set | memory is limited too |
//! | the time to the first request is limited | see [`server`](super::server) |
//! | the page's origin is accepted, behind the proxy too | see [`proxies`](super::proxies) |
//! | clients reconnect with a random delay | see [`reconnecting`](super::reconnecting) |
//! | `handler failed` and refusals are seen by someone | see [`incident`](super::incident) |
