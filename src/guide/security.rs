//! Security: the defaults, what they defend against, and what you have to do yourself.
//!
//! # Defaults
//!
//! | what | default | cost | change it with |
//! | --- | --- | --- | --- |
//! | origin | accepted: no `Origin` (not a browser), the request's own host on any port, loopback pages on a loopback server; all others get 403 | pages on other hosts must be listed | `Upgrader::origin` |
//! | compression | accepted if offered; level 1, for messages from 512 bytes on, no context takeover | nothing for an idle connection; see [`performance`](super::performance#compression) | `Upgrader::compression`, `without_compression` |
//! | keepalive | a ping after 3 s of silence, the end after 5 s; up to 29 s if data was just sent | a small frame each way every 3 s of silence | `Upgrader::keepalive` |
//! | incoming message | 1 MiB, after inflating; then 1009 | memory grows with what has arrived | `Limits::max_message_size` |
//! | unread messages | 64 KiB, and always one; then reading stops, and TCP or HTTP/2 pushes back | while reading is stopped, a peer that leaves is noticed by the next ping | `Limits::incoming` |
//! | outgoing buffer | 64 KiB; then `send` waits | at most this and one message | `Limits::max_write_buffer_size` |
//! | incomplete message | 30 s; then 1008 | | `Limits::message_timeout` |
//! | a peer that accepts no data | 10 s, and up to 29 s if it accepted data slowly before; then the end | | `Limits::write_timeout` |
//! | closing handshake | 5 s, and up to 29 s if data was just sent | | `Limits::close_timeout`, `min_data_rate` |
//! | messages and bytes per second | no limit | none | `Limits::rate_limit` |
//! | messages of all connections of the process, received, unread and unwritten | 1 GiB, without what is small; then incoming messages get 1013 | | `Limits::budget` |
//! | connections, lifetime | no limit | only WebSockets are counted, not other connections | `Upgrader::max_connections`, `max_connections_per_key`, `Limits::max_lifetime` |
//!
//! Put all settings into one `Upgrader`, for [`WebSocketLayer::upgrader`](crate::WebSocketLayer::upgrader). An `Upgrader`
//! in a request's extensions replaces the layer's for that request.
//!
//! ```rust
//! use std::time::Duration;
//! use tower_websocket::{Compression, Error, Keepalive, Limits, OriginPolicy, Upgrader};
//!
//! fn settings() -> Result<Upgrader, Error> {
//!     let compression = Compression::default().server_context_takeover(true).threshold(64);
//!     Ok(Upgrader::new()
//!         .origin(OriginPolicy::list(["https://app.example.com", "https://*.partner.example"])?)
//!         .subprotocols(["chat.v2", "chat.v1"])
//!         .compression(compression.server_max_window_bits(12)?.memory_level(5)?)
//!         .keepalive(Keepalive::default().interval(Duration::from_secs(20)).timeout(Duration::from_secs(45)))
//!         .limits(Limits::default().max_message_size(64 * 1024)))
//! }
//! ```
//!
//! # What each default defends against
//!
//! | an attacker | default | change it with |
//! | --- | --- | --- |
//! | opens a WebSocket from a page of another site, as its visitor (cross-site WebSocket hijacking) | 403: the origin must be the request's own host | [`Upgrader::origin`](crate::Upgrader::origin) |
//! | opens a WebSocket to localhost from a page on the internet | the same rule | [`Upgrader::origin`](crate::Upgrader::origin) |
//! | sends `X-Forwarded-Host` or `Forwarded` | they are not read | [`OriginPolicy::trusted_proxies`](crate::OriginPolicy::trusted_proxies) |
//! | sends a large message, or one that inflates to a large size | 1009 beyond 1 MiB, counted while inflating; memory grows with what arrives, not with what is announced | [`Limits::max_message_size`](crate::Limits::max_message_size) |
//! | sends many large messages over many connections | 1013 beyond 1 GiB for the process | [`Limits::budget`](crate::Limits::budget) |
//! | sends incomplete messages | 1008 after 30 s | [`Limits::message_timeout`](crate::Limits::message_timeout) |
//! | sends faster than the handler reads | reading stops at 64 KiB | [`Limits::incoming`](crate::Limits::incoming) |
//! | reads nothing | `send` waits beyond 64 KiB; the connection ends after 10 s | [`Limits::write_timeout`](crate::Limits::write_timeout) |
//! | is silent, or gone | the connection ends after 5 s | [`Keepalive`](crate::Keepalive) |
//! | breaks a rule of the protocol | 1002 or 1007 | |
//! | makes a handler panic | 1011 for this connection; others are not affected | |
//! | puts line breaks into a header or a close reason | they are escaped in the log | |
//! | has its data compressed together with a secret (CRIME, BREACH) | each message is compressed on its own; a message that contains both is at risk | [`Manager::send_uncompressed`](crate::Manager::send_uncompressed) |
//!
//! [SECURITY.md](https://github.com/tower-websocket/tower-websocket/blob/main/SECURITY.md) has more cases, and says how to
//! report a vulnerability.
//!
//! # What you have to do
//!
//! | topic | what to do |
//! | --- | --- |
//! | authentication | Programs other than browsers can send any `Origin`. Authenticate before the handshake: see [`with_axum`](super::with_axum). |
//! | length of a session | [`Manager::set_deadline`](crate::Manager::set_deadline), [`Limits::max_lifetime`](crate::Limits::max_lifetime) |
//! | number of connections | [`Upgrader::max_connections`](crate::Upgrader::max_connections) and [`max_connections_per_key`](crate::Upgrader::max_connections_per_key) are not limited by default |
//! | messages per second | not limited by default: [`Limits::rate_limit`](crate::Limits::rate_limit) |
//! | clients that send no request | Set hyper's time limits: see [`server`](super::server) |
//! | DNS rebinding | If a server relies on not being reachable from the internet, set [`OriginPolicy::allowed_hosts`](crate::OriginPolicy::allowed_hosts) |
//! | content of messages | `recv_json` limits the size of the message, not the memory of your types |
//!
//! ```
//! use std::time::Duration;
//! use tower_websocket::{Error, Excess, Limits, OriginPolicy, RateLimit, Upgrader};
//!
//! fn strict() -> Result<Upgrader, Error> {
//!     let rate_limit = RateLimit::new().messages(50).bytes(64 * 1024).burst(Duration::from_secs(5)).on_excess(Excess::Close);
//!     Ok(Upgrader::new()
//!         .origin(OriginPolicy::list(["https://app.example.com"])?.require_origin().allowed_hosts(["api.example.com"])?)
//!         .limits(Limits::default().max_message_size(16 * 1024).max_lifetime(Duration::from_secs(3600)).rate_limit(rate_limit))
//!         .max_connections(10_000))
//! }
//! # assert!(strict().is_ok());
//! ```
