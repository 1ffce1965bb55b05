//! The server: upgrades, TCP, limits before the handshake, HTTP/2.
//!
//! # A complete server
//!
//! The layer wraps any tower service, here a function. This program serves HTTP/1.1 and HTTP/2 on one port. The sections
//! below explain its settings.
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
//! use tower_websocket::{Manager, WebSocketLayer, prepare_socket};
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
//!         // axum's `accept` waits and retries while the process has no file descriptor left.
//!         let (stream, peer) = Listener::accept(&mut listener).await;
//!         let (server, service, asked) = (server.clone(), service.clone(), CancellationToken::new());
//!         tokio::spawn(async move {
//!             let _ = prepare_socket(&stream);
//!             let first = asked.clone();
//!             let service = ServiceBuilder::new()
//!                 .map_request(move |mut request: Request<Incoming>| {
//!                     first.cancel();
//!                     request.extensions_mut().insert(peer);
//!                     request
//!                 })
//!                 .service(service);
//!             // With TLS, accept it here too, so that its time is limited.
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
//! use tower_websocket::prepare_socket;
//!
//! async fn serve(app: Router) -> std::io::Result<()> {
//!     let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
//!     let listener = listener.tap_io(|stream| drop(prepare_socket(stream)));
//!     axum::serve(listener, app).await
//! }
//! ```
//!
//! Both servers listen on a loopback address. If a server relies on that for its security, set the allowed hosts too,
//! against DNS rebinding:
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
//! Turn them on in hyper: `serve_connection_with_upgrades` (hyper-util) or `with_upgrades()` (hyper). `axum::serve`
//! supports them. Without them, an error is logged that says so. tonic's own `Server` does not support upgrades, and a
//! layer cannot change that: serve tonic's `Routes` as above, or add a route for the WebSocket to
//! `Routes::into_axum_router()`.
//!
//! # `TCP_NODELAY` and slow peers
//!
//! The crate sets `TCP_NODELAY` on each TCP stream that it can access: over HTTP/1.1 with hyper's and axum's servers, in the
//! client, and with the feature `rustls` also under a `tokio_rustls` stream over HTTP/1.1. Under TLS otherwise, and over HTTP/2,
//! the server must set it, or a message can wait 40 ms for Nagle's algorithm.
//!
//! For these sockets the crate cannot see, either, how much data the peer has acknowledged. The kernel buffers megabytes, and
//! accepts no more until a third of the buffer is free: a peer that reads 200 KiB/s can seem to accept nothing for
//! [`Limits::write_timeout`](crate::Limits::write_timeout). [`prepare_socket`](crate::prepare_socket) makes this buffer smaller
//! on Linux, and sets `TCP_NODELAY`. Peers that read 40 KiB/s then stay connected.
//!
//! # Before the handshake
//!
//! The crate's limits apply from the request on. Before it, a connection costs a task and a file descriptor, and is not
//! counted by `max_connections`. hyper has no limits either, unless it has a timer:
//!
//! | a client that | is disconnected by |
//! | --- | --- |
//! | sends half a request head over HTTP/1.1, or is silent between two requests | `http1().timer(..).header_read_timeout(..)` |
//! | does not finish its TLS handshake, sends nothing, or sends only the start of an HTTP/2 connection | a limit on the time to the first request, as above |
//! | sends half of a request's body | hyper, over HTTP/1.1, once the request is answered; a handler that reads the body must limit the time, for instance with [`tokio::time::timeout`] |
//! | has vanished, over HTTP/2 | `http2().timer(..).keep_alive_interval(..)` |
//! | has sent a request over HTTP/2, and answers pings | nothing: limit the TCP connections of each address in front of the server |
//!
//! # Accepting
//!
//! `TcpListener::accept` fails while the process has no file descriptor left. A server that returns this error stops for
//! all clients. `axum::serve` waits a second and retries, and so does axum's `Listener::accept`, which can be used without
//! the rest of axum.
//!
//! # HTTP/2
//!
//! WebSockets over HTTP/2 (RFC 8441) need `.http2().enable_connect_protocol()`. `axum::serve` sets it if axum's feature
//! `http2` is on.
//!
//! **Other paths.** A handshake over HTTP/2 is a `CONNECT`, and any answer with a 2xx status accepts it (RFC 8441 §5). One for a path
//! without a WebSocket reaches the inner service as every other request does. If this answers 200 to every method, as a
//! fallback that serves `index.html` often does, the client has an open WebSocket that ends at once, instead of a refusal.
//! Let the inner service answer `GET` only. In axum: `.fallback_service(get(index))` instead of `.fallback(index)`.
//!
//! **Streams.** A browser opens all WebSockets to one host and port on one HTTP/2 connection, together with its requests.
//! When all streams that the server allows are in use (hyper: 200, for instance ten tabs with twenty WebSockets each),
//! `fetch` and new tabs wait, without an error. `max_concurrent_streams` allows more, but Chromium opens at most 256
//! (`kMaxConcurrentStreamLimit` in its source). A page that needs many sockets can use one WebSocket for several topics, a
//! separate host name for WebSockets, or HTTP/1.1 (a port without `h2` in ALPN). From 100 WebSockets on one connection on, a
//! warning is logged, if the peer's address is known.
//!
//! **Windows.** All WebSockets on one HTTP/2 connection share the flow-control window of the connection: those of a browser
//! to one host, and those of several users behind a proxy that pools connections, such as HAProxy with `http-reuse always`.
//! By default hyper's window for one stream is as large as that for the connection, so that handlers that do not read can
//! block all others. Choose a small window for streams and a large one for connections, such as 64 KiB and 64 MiB above.
//! `axum::serve` has no such setting. h2 counts a small unread frame as up to 256 bytes. When the unread frames of a
//! connection count more than half of its window, h2 ends the whole connection with `ENHANCE_YOUR_CALM`. With the windows
//! above this needs more than 12 WebSockets full of unread empty messages; with `axum::serve` one is enough.
//!
//! **Sending.** hyper buffers up to 400 KiB for each stream. Pings and pongs are sent after that, so set a smaller buffer for
//! slow links (`max_send_buf_size`, 64 KiB above). Over HTTP/2 a peer counts as accepting data when it opens its window
//! again, which most do when half of it is free: [`Limits::write_timeout`](crate::Limits::write_timeout) must be longer
//! than the time for that.
//!
//! **A peer that reads nothing** over HTTP/2 times out like any other, but hyper cannot reset its stream. With the settings
//! above, up to 128 KiB for each of its streams stay in memory until the peer reads, resets the stream or disconnects.
//! `max_connections` and [`Shutdown`](crate::Shutdown) no longer count them, but `max_concurrent_streams` does: at most 300
//! streams of one HTTP/2 connection, which then takes no further request. hyper's keepalive does not end a connection whose
//! peer answers its pings, or reads nothing at all from TCP; a write timeout around the TCP stream, such as that of
//! `tokio-io-timeout`, ends the latter.
//!
//! # The peer's address
//!
//! Only the server knows it. Handlers find what outer layers put into the request's extensions in
//! `ws.request().extensions`. A plain `SocketAddr` there, as above, is also the `peer` in the log, and identifies the
//! WebSockets that share an HTTP/2 connection. For axum's `ConnectInfo` see [`with_axum`](super::with_axum).
//!
//! # TLS
//!
//! `examples/tls.rs` serves HTTP/1.1 and HTTP/2 over rustls, with the limits above. `examples/server/mod.rs` has the code
//! that all examples share.
