//! The server around it: upgrades, TCP, limits before the handshake, HTTP/2.
//!
//! # A whole server
//!
//! The layer goes around any tower service, here a function. This serves HTTP/1.1 and HTTP/2 on one port; the sections below
//! say why it has these settings.
//!
//! ```no_run
//! use std::convert::Infallible;
//! use std::time::Duration;
//!
//! use axum::serve::Listener;
//! use http::{Request, Response};
//! use hyper::body::Incoming;
//! use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
//! use hyper_util::server::conn::auto;
//! use hyper_util::service::TowerToHyperService;
//! use tokio::time::timeout;
//! use tokio_util::sync::CancellationToken;
//! use tower::ServiceBuilder;
//! use tower_websocket::{Manager, WebSocketLayer};
//!
//! const REQUEST_TIME: Duration = Duration::from_secs(10);
//!
//! async fn page(_: Request<Incoming>) -> Result<Response<String>, Infallible> {
//!     Ok(Response::new("a page\n".into()))
//! }
//!
//! #[tokio::main]
//! async fn main() -> std::io::Result<()> {
//!     let hello = WebSocketLayer::new(|ws: Manager| async move { ws.send("hello").await }).path("/ws");
//!     let service = ServiceBuilder::new().layer(hello).service_fn(page);
//!     let mut listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
//!     let mut server = auto::Builder::new(TokioExecutor::new());
//!     server.http1().timer(TokioTimer::new()).header_read_timeout(REQUEST_TIME);
//!     server
//!         .http2()
//!         .timer(TokioTimer::new())
//!         .keep_alive_interval(Duration::from_secs(20))
//!         .enable_connect_protocol() // WebSockets over HTTP/2
//!         .max_concurrent_streams(300)
//!         .initial_stream_window_size(64 * 1024)
//!         .initial_connection_window_size(64 * 1024 * 1024)
//!         .max_send_buf_size(64 * 1024);
//!     loop {
//!         // axum's way to accept waits and goes on while the process has no file descriptor left.
//!         let (stream, peer) = Listener::accept(&mut listener).await;
//!         let (server, service, asked) = (server.clone(), service.clone(), CancellationToken::new());
//!         tokio::spawn(async move {
//!             let _ = stream.set_nodelay(true);
//!             let first = asked.clone();
//!             let service = ServiceBuilder::new()
//!                 .map_request(move |mut request: Request<Incoming>| {
//!                     first.cancel();
//!                     request.extensions_mut().insert(peer);
//!                     request
//!                 })
//!                 .service(service);
//!             // With TLS, it is accepted in here too.
//!             let serving = async {
//!                 let service = TowerToHyperService::new(service);
//!                 server.serve_connection_with_upgrades(TokioIo::new(stream), service).await
//!             };
//!             tokio::select! {
//!                 _ = serving => {}
//!                 Err(_) = timeout(REQUEST_TIME, asked.cancelled()) => {} // no request came in time
//!             }
//!         });
//!     }
//! }
//! ```
//!
//! `axum::serve` is shorter. It has no time limit for clients that send no request, so use it behind a proxy that has one:
//!
//! ```no_run
//! use axum::Router;
//! use axum::serve::ListenerExt;
//!
//! async fn serve(app: Router) -> std::io::Result<()> {
//!     let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
//!     let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
//!     axum::serve(listener, app).await
//! }
//! ```
//!
//! Both listen on an address of this machine only. A server that relies on that also names its hosts, against DNS rebinding:
//!
//! ```
//! use tower_websocket::{Error, OriginPolicy, Upgrader};
//!
//! fn local() -> Result<Upgrader, Error> {
//!     Ok(Upgrader::new().origin(OriginPolicy::same_host().allowed_hosts(["localhost", "127.0.0.1", "[::1]"])?))
//! }
//! # assert!(local().is_ok());
//! ```
//!
//! # Upgrades
//!
//! hyper must be asked for them: `serve_connection_with_upgrades` (hyper-util), `with_upgrades()` (hyper); `axum::serve` does
//! it by itself. Where they are missing, an error is logged that says so. tonic's own `Server` performs no upgrades, and no
//! layer can make it: serve tonic's `Routes` as above, or give `Routes::into_axum_router()` a route for the WebSocket.
//!
//! # `TCP_NODELAY`
//!
//! The crate sets it on each TCP stream that it gets: over HTTP/1.1 on hyper's and axum's servers, and in the client. Under TLS
//! and over HTTP/2 the stream is the server's, which must set it, or a message can wait 40 ms for Nagle's algorithm.
//!
//! # Before the handshake
//!
//! The crate's limits begin with a request. Until then a connection costs a task and a file descriptor, and `max_connections`
//! does not count it. hyper has no limit either unless it is given a timer:
//!
//! | a client that | is ended by |
//! | --- | --- |
//! | sends half a request head over HTTP/1.1, or is silent between two requests | `http1().timer(..).header_read_timeout(..)` |
//! | does not finish its TLS handshake, or is silent while hyper-util tells the versions apart, or sends no more than the start of HTTP/2 | a limit on the time to the first request, as above |
//! | sends half of a request's body | hyper over HTTP/1.1, once the request is answered; a handler that reads the body must limit the time, for instance by [`tokio::time::timeout`] |
//! | has vanished, over HTTP/2 | `http2().timer(..).keep_alive_interval(..)` |
//! | has asked for something over HTTP/2, and answers pings | nothing: limit the TCP connections of an address in front of the server |
//!
//! # Accepting
//!
//! `TcpListener::accept` fails while the process has no file descriptor left. A server that returns on that error ends for all
//! clients. `axum::serve` waits a second and goes on, and so does its `Listener::accept`, which works without the rest of
//! axum.
//!
//! # HTTP/2
//!
//! WebSockets over HTTP/2 (RFC 8441) need `.http2().enable_connect_protocol()`. `axum::serve` turns it on; axum needs its
//! feature `http2`.
//!
//! **Streams.** A browser opens all WebSockets to one host and port on one HTTP/2 connection, together with its requests. When
//! the streams that the server allows are in use (hyper: 200, ten tabs of twenty sockets), `fetch` and new tabs wait, and no
//! error is reported. `max_concurrent_streams` allows more, but Chromium opens at most 256. A page that needs many sockets can
//! use one WebSocket for several topics, a host name for WebSockets alone, or HTTP/1.1 (a port without `h2` in ALPN). With 100
//! on one connection a warning is logged, where the peer's address is known.
//!
//! **Windows.** All WebSockets on one HTTP/2 connection share the window of the connection: those of a browser to one host, and
//! those of several users behind a proxy that pools connections, such as HAProxy with `http-reuse always`. hyper's defaults
//! are as large for one stream as for the connection, so that handlers that do not read can stop all others. Choose a small
//! window for streams and a large one for connections, such as 64 KiB and 64 MiB above. `axum::serve` has no such setting.
//! Small frames that are not read cost more than their bytes: beyond half the connection's window, at up to 256 bytes for
//! each, h2 ends the whole connection with `ENHANCE_YOUR_CALM`. With the windows above that takes more than 12 sockets full of
//! unread messages without content; under `axum::serve` one is enough.
//!
//! **Sending.** hyper keeps up to 400 KiB for each stream that its peer has not taken. Pings and pongs wait behind that, so a
//! slow link needs less (`max_send_buf_size`, 64 KiB above). Over HTTP/2 a peer is seen to take something when its window opens
//! again, which most do when half of it is free: [`Limits::write_timeout`](crate::Limits::write_timeout) must be long enough
//! for that.
//!
//! **A peer that reads nothing** over HTTP/2 times out as any other does, but hyper cannot reset its stream: up to 128 KiB with
//! the settings above stay with the TCP connection, for each of its streams (300 at most above), until it reads, resets them
//! or leaves. `max_connections` and [`Shutdown`](crate::Shutdown) do not count them any more, and hyper's own keepalive waits
//! for the same peer. A write timeout around the TCP stream, such as that of `tokio-io-timeout`, ends the whole connection.
//!
//! # The peer's address
//!
//! It is known to the server alone. Handlers find what outer layers put into the request's extensions in
//! `ws.request().extensions`. A plain `SocketAddr` there, as above, is also the `peer` in the log, and tells which WebSockets
//! share an HTTP/2 connection. For axum's `ConnectInfo` see [`with_axum`](super::with_axum).
//!
//! # TLS
//!
//! `examples/tls.rs` serves both versions of HTTP over rustls, with the limits above. `examples/server/mod.rs` has the code
//! that all examples share.
