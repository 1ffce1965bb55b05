//! Clients that reconnect.
//!
//! # A client that stays connected
//!
//! ```no_run
//! use tower_websocket::{Backoff, Connector, Error, Manager};
//!
//! async fn follow() -> Result<(), Error> {
//!     let mut sessions = Connector::new().sessions("ws://localhost:3000/feed", Backoff::default());
//!     while let Some(ws) = sessions.next().await? {
//!         // After an error in a session, the next call decides whether to reconnect.
//!         if let Err(error) = session(ws).await {
//!             eprintln!("{error:#}");
//!         }
//!     }
//!     Ok(()) // one side has closed with 1000
//! }
//!
//! async fn session(ws: Manager) -> Result<(), Error> {
//!     ws.send("subscribe").await?; // in each session
//!     while let Some(message) = ws.recv().await? {
//!         println!("{message:?}");
//!     }
//!     Ok(())
//! }
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Error> { follow().await }
//! ```
//!
//! `examples/follow.rs` is a complete program: it follows a room of `examples/rooms.rs`, and after a lost connection it
//! asks for everything after the last message that it has seen.
//!
//! | what has happened | what [`Sessions::next`](crate::Sessions::next) does |
//! | --- | --- |
//! | the first call | connects at once |
//! | no server, a lost connection, a timeout | reconnects after a random delay between zero and a limit, which is 1 s at first and doubles with each failure, up to 60 s ([`Backoff`](crate::Backoff)) |
//! | a session has lasted 30 s | forgets earlier failures ([`Backoff::healthy_after`](crate::Backoff::healthy_after)) |
//! | close codes 1012 and 1013 | waits 5 to 30 s ([`Backoff::after_restart`](crate::Backoff::after_restart)) |
//! | 408, 425, 429, 500, 502, 503, 504 | reconnects, after `Retry-After` if the response has it, at most an hour |
//! | any other refusal, such as 401, 403, 404 | returns the error, and `None` from then on |
//! | close codes 1002, 1003, 1007 to 1010, 3000, 3003 | returns the error, and `None` from then on |
//! | close code 1000, from either side | returns `None` |
//! | the session is still open | closes it with 1000, waits for its end, and reconnects |
//! | [`Backoff::max_failures`](crate::Backoff::max_failures) failures in a row (no limit by default) | returns the last error |
//!
//! [`Error::is_retryable`](crate::Error#method.is_retryable) has the same rules, for your own loop.
//!
//! # Tokens that expire
//!
//! [`Sessions::set_target`](crate::Sessions::set_target) changes the URL or the headers of the next attempt. After 401,
//! `next` returns an error: start new sessions with a new token, unless the refused token was new already:
//!
//! ```no_run
//! use http::Request;
//! use tower_websocket::{Backoff, BoxError, Connector, Error, Manager, Target};
//!
//! fn target(token: &str) -> Result<Target, BoxError> {
//!     let request = Request::get("wss://example.com/feed").header("authorization", format!("Bearer {token}"));
//!     Ok(Target::try_from(request.body(())?)?)
//! }
//!
//! fn is_unauthorized(error: &Error) -> bool {
//!     error.response().is_some_and(|response| response.status() == 401)
//! }
//!
//! # async fn new_token() -> Result<String, BoxError> { Ok(String::new()) }
//! # async fn session(_: Manager) {}
//! async fn follow() -> Result<(), BoxError> {
//!     loop {
//!         let token = new_token().await?; // an error here ends the loop
//!         let mut sessions = Connector::new().sessions(target(&token)?, Backoff::default());
//!         let mut was_accepted = false;
//!         loop {
//!             match sessions.next().await {
//!                 Ok(Some(ws)) => {
//!                     was_accepted = true;
//!                     session(ws).await;
//!                 }
//!                 Ok(None) => return Ok(()),
//!                 Err(error) if was_accepted && is_unauthorized(&error) => break, // the token has expired
//!                 Err(error) => return Err(error.into()),
//!             }
//!         }
//!     }
//! }
//! ```
//!
//! # Missing nothing
//!
//! When a connection is lost, the sender does not know which messages have arrived: neither TCP nor WebSockets confirm
//! them. Number your messages, and let the receiver confirm what it has processed. For publications of a server,
//! [`History`](crate::History) and positions do this: see [`rooms`](super::rooms).
//!
//! # Pages
//!
//! A browser's `WebSocket` does not reconnect by itself. Reconnect after a random delay, which is longer after 1012 and
//! 1013, and do not reconnect after codes for a fault of one side:
//!
//! ```html
//! <script>
//!     const final = new Set([1000, 1002, 1003, 1007, 1008, 1009, 1010, 3000, 3003]);
//!     let failures = 0;
//!
//!     function connect() {
//!         const ws = new WebSocket(`${location.protocol.replace('http', 'ws')}//${location.host}/ws`);
//!         let healthy;
//!         ws.onopen = () => { healthy = setTimeout(() => { failures = 0; }, 30_000); };
//!         ws.onmessage = ({ data }) => console.log(data);
//!         ws.onclose = ({ code }) => {
//!             clearTimeout(healthy);
//!             if (final.has(code)) return;
//!             const restart = code === 1012 || code === 1013;
//!             const [least, most] = restart ? [5_000, 30_000] : [0, Math.min(60_000, 1_000 * 2 ** failures++)];
//!             setTimeout(connect, least + Math.random() * (most - least));
//!         };
//!     }
//!     connect();
//! </script>
//! ```
//!
//! A page cannot distinguish a refused handshake from a server that cannot be reached: both are 1006.
//!
//! # Transports
//!
//! | you need | use |
//! | --- | --- |
//! | `wss://` | the feature `rustls`, with Mozilla's root certificates |
//! | your own certificates | [`Connector::tls_config`](crate::Connector::tls_config) |
//! | the operating system's certificates | the feature `rustls-platform-verifier` |
//! | HTTP and SOCKS5 proxies | the feature `proxy`, [`Connector::proxy`](crate::Connector::proxy) |
//! | HTTP/2 | [`Connector::http2`](crate::Connector::http2) |
//! | a Unix socket, another TLS | [`Connector::connect_over`](crate::Connector::connect_over) |
