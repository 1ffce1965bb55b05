//! Migration from axum's `ws`, tokio-tungstenite, socketioxide and the Go package `goutils/http/websocket`.
//!
//! # What is different everywhere
//!
//! - A connection is a [`Manager`](crate::Manager): a handle that is cheap to clone and whose methods take `&self`. You
//!   need no `split`, no `Arc<Mutex<..>>` and no channel to send from several tasks: each task sends with its own clone.
//! - Pings, pongs and close frames are handled by the connection. [`recv`](crate::Manager::recv) returns data messages,
//!   then `Ok(None)` after a close frame from either side, or an error after any other end.
//! - A close frame is answered even while the handler is busy. Messages that arrive together with it are received first, and
//!   can be answered at once; what is sent later fails with [`ErrorKind::Closed`](crate::ErrorKind::Closed).
//! - Every limit has a default. Check these before you go live: messages up to 1 MiB
//!   ([`Limits::max_message_size`](crate::Limits::max_message_size)), a ping after 3 s of silence and the end after 5 s
//!   ([`Keepalive`](crate::Keepalive)), pages of other hosts get 403 ([`OriginPolicy`](crate::OriginPolicy)).
//! - [`send`](crate::Manager::send) waits while 64 KiB are in the outgoing buffer, and needs no flush.
//! - permessage-deflate is used if both sides support it.
//!
//! # From `axum::extract::ws`
//!
//! Add the feature `axum`, replace the `use`, and go through this table. Everything else about the extractor is as in axum:
//!
//! | axum | here |
//! | --- | --- |
//! | `use axum::extract::ws::WebSocketUpgrade` | `use tower_websocket::axum::WebSocketUpgrade` |
//! | `get(handler)` | `any(handler)`, for HTTP/2 (axum's own extractor needs that too) |
//! | `mut socket: WebSocket` | `ws: Manager` |
//! | `while let Some(Ok(message)) = socket.recv().await` | `while let Some(message) = ws.recv().await?`, or `while let Ok(Some(message))` where errors do not matter |
//! | `socket.send(message).await.is_err()` | the same; or `ws.send(message).await?` |
//! | `socket.split()` | `ws.clone()` for each task; `StreamExt::split` works too |
//! | `Message::Text(text)`, `Message::Binary(bytes)` | the same; `ws.send(text)` takes any text or bytes as it is |
//! | `Utf8Bytes`, `axum::Error` | [`Text`](crate::Text), [`Error`](crate::Error) |
//! | `CloseFrame { code, reason }`, `close_code::NORMAL` | [`CloseFrame::new(code, reason)`](crate::CloseFrame::new), [`CloseCode::NORMAL`](crate::CloseCode::NORMAL); the application's own codes are constants: `const EXPIRED: CloseCode = CloseCode::new(4001).unwrap()` |
//! | `Message::Ping`, `Message::Pong` | answered and sent by the connection; [`Manager::ping`](crate::Manager::ping) measures |
//! | a task that sends pings | delete it; [`Keepalive`](crate::Keepalive) |
//! | `Message::Close(frame)` sent | [`Manager::close_with`](crate::Manager::close_with), or what the handler returns |
//! | `Message::Close(frame)` received | `None` from `recv`; [`Manager::done`](crate::Manager::done) has the frame |
//! | `message.into_text()`, `message.to_text()` | [`as_text()`](crate::Message::as_text), which is `None` for a binary message; or a `match`, which has the [`Text`](crate::Text) itself |
//! | `message.into_data()` | [`into_bytes()`](crate::Message::into_bytes), or [`as_bytes()`](crate::Message::as_bytes) |
//! | `socket.protocol()` | [`Manager::subprotocol`](crate::Manager::subprotocol) |
//! | `.protocols(["chat"])` | `.subprotocols(["chat"])`, or [`Upgrader::subprotocols`](crate::Upgrader::subprotocols) for the endpoint |
//! | `.requested_protocols()`, then `.set_selected_protocol(name)` | [`Upgrader::select_subprotocol`](crate::Upgrader::select_subprotocol), a function of what is offered |
//! | `.selected_protocol()` | [`.subprotocol()`](crate::axum::WebSocketUpgrade::subprotocol) |
//! | `.max_message_size(n)` (64 MiB), `.max_write_buffer_size(n)` (no limit) | [`.limits(Limits::default().max_message_size(n))`](crate::axum::WebSocketUpgrade::limits), [`Limits::max_message_size`](crate::Limits::max_message_size) (1 MiB), [`Limits::max_write_buffer_size`](crate::Limits::max_write_buffer_size) (64 KiB); for the endpoint [`Upgrader::limits`](crate::Upgrader::limits) |
//! | `.max_frame_size(n)` | none: the limit of a message holds for its frames |
//! | `.read_buffer_size(n)`, `.write_buffer_size(n)` | none: buffers grow with what arrives, and everything is written before the task sleeps |
//! | `.accept_unmasked_frames(true)` | none: such frames end the connection with 1002 (RFC 6455 §5.1) |
//! | `.on_failed_upgrade(f)` | logged; [`Upgrader::on_end`](crate::Upgrader::on_end) is called |
//! | `ConnectInfo`, `OriginalUri` for the log | [`Upgrader::span_from`](crate::Upgrader::span_from) |
//! | `tokio::sync::broadcast` for rooms | it still works; a [`Hub`](crate::Hub) does it without a task for each member: see [`rooms`](super::rooms) |
//!
//! Before:
//!
//! ```
//! use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
//! use axum::response::Response;
//!
//! async fn handler(ws: WebSocketUpgrade) -> Response {
//!     ws.on_upgrade(echo)
//! }
//!
//! async fn echo(mut socket: WebSocket) {
//!     while let Some(Ok(message)) = socket.recv().await {
//!         if let Message::Text(text) = message {
//!             if socket.send(Message::Text(text)).await.is_err() {
//!                 return;
//!             }
//!         }
//!     }
//! }
//! # let _: axum::Router = axum::Router::new().route("/ws", axum::routing::any(handler));
//! ```
//!
//! After:
//!
//! ```
//! use axum::response::Response;
//! use tower_websocket::axum::WebSocketUpgrade;
//! use tower_websocket::{Error, Manager, Message};
//!
//! async fn handler(ws: WebSocketUpgrade) -> Response {
//!     ws.on_upgrade(echo)
//! }
//!
//! async fn echo(ws: Manager) -> Result<(), Error> {
//!     while let Some(message) = ws.recv().await? {
//!         if let Message::Text(text) = message {
//!             ws.send(text).await?;
//!         }
//!     }
//!     Ok(())
//! }
//! # let _: axum::Router = axum::Router::new().route("/ws", axum::routing::any(handler));
//! ```
//!
//! axum's own examples are ported in the repository: `examples/axum_websockets.rs` and `examples/axum_chat.rs`.
//!
//! # From tokio-tungstenite
//!
//! Servers:
//!
//! | tokio-tungstenite | here |
//! | --- | --- |
//! | `accept_async(stream)` | hyper serves the connection, and a [`WebSocketLayer`](crate::WebSocketLayer) answers the handshake, so that pages and WebSockets share a port: see [`server`](super::server) |
//! | `accept_hdr_async(stream, callback)`, whose callback reads what is requested and sets a header | a tower layer before it, [`Upgrader::select_subprotocol`](crate::Upgrader::select_subprotocol), [`OriginPolicy`](crate::OriginPolicy); [`Manager::request`](crate::Manager::request) has the request |
//! | `WebSocketStream::from_raw_socket(stream, role, config)` | [`Manager::from_upgraded(stream, role, &config)`](crate::Manager::from_upgraded) |
//! | hyper's `OnUpgrade` by hand, with `derive_accept_key` | [`Upgrader::upgrade(&mut request)`](crate::Upgrader::upgrade) |
//!
//! Clients:
//!
//! | tokio-tungstenite | here |
//! | --- | --- |
//! | `let (ws, response) = connect_async(url).await?` | `let ws = Manager::connect(url).await?`; [`subprotocol`](crate::Manager::subprotocol) and [`is_compressed`](crate::Manager::is_compressed) say what was agreed on; after a refusal [`Error::response`](crate::Error#method.response) |
//! | `connect_async_with_config(request, config, disable_nagle)` | [`Connector`](crate::Connector) with [`config`](crate::Connector::config); `TCP_NODELAY` is always set |
//! | `ClientRequestBuilder`, or a `Request` with headers | [`Connector::header`](crate::Connector::header), or a `http::Request` with your headers only: the handshake's are added |
//! | `Connector::Rustls(config)` | [`Connector::tls_config`](crate::Connector::tls_config) |
//! | `client_async(request, stream)` | [`Connector::connect_over(stream, request)`](crate::Connector::connect_over) |
//! | a loop that connects again | [`Connector::sessions`](crate::Connector::sessions): see [`reconnecting`](super::reconnecting) |
//!
//! Connections:
//!
//! | tokio-tungstenite | here |
//! | --- | --- |
//! | `WebSocketStream<MaybeTlsStream<TcpStream>>` | `Manager`, over every transport |
//! | `ws.next().await` | `ws.recv().await`; a `Manager` is a `Stream` too |
//! | `ws.send(message).await`, which flushes | `ws.send(message).await`; everything is written before the task sleeps. [`flush`](crate::Manager::flush) waits until the operating system has taken it |
//! | `ws.feed(message)`, then `ws.flush()` | `ws.send(message)` for each: they leave together |
//! | `ws.split()` | `ws.clone()` |
//! | `Message::Ping`, `Message::Pong`, `Message::Frame` | none: answered and sent by the connection |
//! | `Message::Close` received, then `None` | `None`; [`Manager::done`](crate::Manager::done) has the frame |
//! | `ws.close(Some(frame))` | [`close_frame(frame)`](crate::Manager::close_frame), which waits for the end |
//! | `Error::ConnectionClosed`, `Error::AlreadyClosed` | `Ok(None)` from `recv`, [`ErrorKind::Closed`](crate::ErrorKind::Closed) from `send` |
//! | `Error::Protocol(_)`, `Error::Utf8(_)` | [`ErrorKind::Protocol`](crate::ErrorKind::Protocol) |
//! | `Error::Capacity(_)` | [`ErrorKind::MessageTooBig`](crate::ErrorKind::MessageTooBig) |
//! | `Error::WriteBufferFull(_)` | `send` waits; [`try_send`](crate::Manager::try_send) gives the message back |
//! | `Error::Io(_)` | [`ErrorKind::Disconnected`](crate::ErrorKind::Disconnected), [`ErrorKind::Connect`](crate::ErrorKind::Connect) |
//! | `WebSocketConfig::max_message_size` (64 MiB) | [`Limits::max_message_size`](crate::Limits::max_message_size) (1 MiB) |
//! | `message.into_text()`, `to_text()`, `into_data()` | [`as_text()`](crate::Message::as_text), [`into_bytes()`](crate::Message::into_bytes) |
//! | `WebSocketConfig::max_frame_size` | none: the limit of a message holds for its frames |
//! | `WebSocketConfig::read_buffer_size`, `write_buffer_size` | none: buffers grow with what arrives, and everything is written before the task sleeps |
//! | `WebSocketConfig::max_write_buffer_size` | [`Limits::max_write_buffer_size`](crate::Limits::max_write_buffer_size) |
//! | `WebSocketConfig::accept_unmasked_frames` | none: a server closes with 1002 (RFC 6455 §5.1) |
//!
//! The feature `tungstenite` converts messages and close frames to and from those of tungstenite 0.30, for programs that have
//! both.
//!
//! # From socketioxide
//!
//! Socket.IO is a protocol on top of WebSockets, with named events, acknowledgements, namespaces, rooms, and long polling
//! as a fallback. A Socket.IO client cannot connect to a plain WebSocket server, so you have to change clients and server
//! together: the page uses the browser's `WebSocket` instead of `socket.io-client`. Stay with socketioxide if you cannot
//! change the clients, or need long polling.
//!
//! | socketioxide | here |
//! | --- | --- |
//! | `SocketIo::new_layer()`, `io.ns("/chat", handler)` | [`WebSocketLayer::new(handler).path("/chat")`](crate::WebSocketLayer), one for each namespace |
//! | `SocketRef` | [`Manager`](crate::Manager), with [`id`](crate::Manager::id) |
//! | `socket.on("event", \|Data(data)\| ..)` | a `match` on a serde enum in the handler's loop: see [`json`](super::json) |
//! | `Data(data)`, `TryData(data)` | [`recv_json`](crate::Manager::recv_json); what cannot be read is [`ErrorKind::Decode`](crate::ErrorKind::Decode) |
//! | `socket.emit("event", &data)` | [`send_json(&event)`](crate::Manager::send_json) |
//! | `AckSender`, `emit_with_ack` | a request id in the messages: see [`json`](super::json) |
//! | `socket.join("room")` | [`hub.topic("room").join(&ws, Overflow::Close)`](crate::Topic::join), for as long as the [`Seat`](crate::Seat) is kept |
//! | `socket.leave("room")` | drop the `Seat`, or [`Topic::leave`](crate::Topic::leave) |
//! | `socket.to("room").emit(..)` | [`Topic::publish_except(&seat, message)`](crate::Topic::publish_except) |
//! | `io.to("room").emit(..)`, `socket.within("room")` | [`Topic::publish_json`](crate::Topic::publish_json) |
//! | `socket.on_disconnect(handler)` | the end of the handler's loop, [`Manager::context`](crate::Manager::context), or [`Upgrader::on_end`](crate::Upgrader::on_end) |
//! | `socket.disconnect()` | [`close`](crate::Manager::close), or return from the handler |
//! | `State(state)`, `Extension(value)` | values that the handler's closure captures; axum's extractors beside [`WebSocketUpgrade`](crate::axum::WebSocketUpgrade) |
//! | middleware of a namespace | tower layers around the `WebSocketLayer`: see [`with_axum`](super::with_axum) |
//! | `ping_interval`, `ping_timeout` | [`Keepalive`](crate::Keepalive) |
//! | `max_payload`, `max_buffer_size` | [`Limits`](crate::Limits), [`Topic::capacity`](crate::Topic::capacity) |
//! | no counterpart (Socket.IO's connection state recovery) | [`History`](crate::History) and [`Topic::join_after`](crate::Topic::join_after) |
//! | adapters for several servers: Redis, PostgreSQL, MongoDB | [`Hub::with`](crate::Hub::with), for Redis and NATS: see [`brokers`](super::brokers) |
//! | the client connects again by itself | Rust: [`Connector::sessions`](crate::Connector::sessions). A page does it itself: see [`reconnecting`](super::reconnecting) |
//!
//! # From `goutils/http/websocket`
//!
//! | Go | here |
//! | --- | --- |
//! | `NewManagerWithUpgrade(c)` | `WebSocketLayer::new(handler)`, or `Upgrader::upgrade(&mut request)` |
//! | `c.Set("upgrader", u)` | `request.extensions_mut().insert(upgrader)` |
//! | `CheckOrigin`, `EnableCompression` | `OriginPolicy`, `Compression` |
//! | `Context()`, `Done()`, `Close()` | `context()`, `done()`, `close()` |
//! | `WriteData(typ, data, timeout)` | `write_data(message, timeout)` |
//! | `WriteJSON`, `ReadJSON`, `ReadBinary` | `write_json`, `read_json`, `read_binary` |
//! | `ReadCh()` | `recv()`, and `Manager` is a `Stream` |
//! | `NewReader()`, `NewWriter(typ)` | `reader()`, `writer(kind)` |
//! | `CopyJSONStream`, `CopyTextLines` | `copy_json_stream`, `copy_text_lines`, with the same 64 MiB for all lines; lines are sent without their ending, which the Go package sends too |
//! | `PeriodicWrite(interval, get, dedup...)` | `periodic_write(interval, get)`, and `.dedup_by(..)` |
//! | `PeriodicWrite(c, interval, get)` | `WebSocketLayer::periodic(interval, get)` |
//! | `DeepEqual` | `PartialEq` |
//! | `ErrReadTimeout`, `ErrWriteTimeout` | `ErrorKind::ReadTimeout`, `ErrorKind::WriteTimeout` |
//! | the text `ping`, answered with `pong` | `Keepalive::text_heartbeat()` |
//! | `csrf.` subprotocol echo | `Upgrader::select_subprotocol(..)` |
//! | `?no-ping=true` in debug mode | an `Upgrader` with `Keepalive::disabled()` in the request's extensions |
//! | `WEBSOCKET_DEBUG`, `DEBUG` | the same: connection events on standard error, if the program has no subscriber. `DEBUG`, which other programs use too, only with the value `1`, `t`, `true`, `y`, `yes` or `on`, or with `tower_websocket`, `tower-websocket` or `*` in its list |
//! | `httpheaders.IsWebsocket` | `is_websocket_request(&request)` |
