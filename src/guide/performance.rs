//! Performance: memory, CPU time, measurements.
//!
//! # Memory of a connection
//!
//! | what | bytes | when |
//! | --- | --- | --- |
//! | an idle connection | about 2.6 KiB, with the request dropped ([`Manager::drop_request`](crate::Manager::drop_request)) | always |
//! | the request | 1 KiB and more: its headers | until `drop_request` |
//! | the handler's future | the variables that your function keeps across `.await` | until it returns |
//! | incoming message | what has arrived of it, up to [`Limits::max_message_size`](crate::Limits::max_message_size) | while it arrives |
//! | unread messages | up to [`Limits::incoming`](crate::Limits::incoming) and one message | until they are received |
//! | outgoing buffer | up to [`Limits::max_write_buffer_size`](crate::Limits::max_write_buffer_size) and one message, and the same for what topics send | until they are written |
//! | publications of a [`Hub`](crate::Hub) | once for all members | while a slow member or the history needs them |
//! | compression without context takeover (the default) | none: compressors belong to threads | |
//! | compression with context takeover | see below | from the first message on |
//!
//! # Compression
//!
//! Without context takeover each message is compressed on its own, and compressors belong to threads, not to connections:
//! each thread keeps at most two compressors, one decompressor and 32 KiB. Context takeover compresses small, similar
//! messages much better. It needs a state for each connection and direction, from the first message on:
//!
//! | state | window bits | memory level | bytes |
//! | --- | --- | --- | --- |
//! | compressor (`server_context_takeover`) | 15 | 8 (default) | 380,160 |
//! | compressor | 15 | 1 | 266,368 |
//! | compressor | 12 | 5 | 165,120 |
//! | compressor | 9 | 1 | 137,344 |
//! | decompressor (`client_context_takeover`) | any | any | 47,680 |
//!
//! A message that would not shrink is sent uncompressed. Use `send_uncompressed` for secrets and for data that is
//! compressed already. `Manager::is_compressed` says whether compression was agreed upon.
//!
//! # What to do
//!
//! | to save | do |
//! | --- | --- |
//! | memory of idle connections | call [`drop_request`](crate::Manager::drop_request) once the handler has read the request; keep large values out of the handler's future |
//! | wake-ups of idle connections | set a longer [`Keepalive::interval`](crate::Keepalive::interval): by default each connection gets a ping after 3 s of silence |
//! | CPU time for one value to many clients | use a [`Hub`](crate::Hub): values are serialised, framed and compressed once |
//! | system calls | nothing: all messages that are sent before the task sleeps leave in one write |
//! | CPU time of compression | [`Compression::threshold`](crate::Compression::threshold) (512 bytes by default), `send_uncompressed` for data that is compressed already, [`without_compression`](crate::Upgrader::without_compression) |
//! | bandwidth of small, similar messages | use context takeover |
//! | copies of JSON | use [`Message::parse`](crate::Message::parse) with types that borrow |
//!
//! # Measured
//!
//! Measured by [`benches/compare`](https://github.com/tower-websocket/tower-websocket/blob/main/benches/compare/README.md), which says how. What thousands of idle connections
//! cost, and how that grows, is in [docs/idle-connections.md](https://github.com/tower-websocket/tower-websocket/blob/main/docs/idle-connections.md).
//!
//! Server CPU in µs per message or handshake, memory in resident KiB per connection: medians of 5 interleaved rounds on
//! 2026-11-24, server and client pinned to a core each of a 2-core Intel Xeon under Linux 6.18, rustc 1.95. Every Rust server
//! echoes on one thread; ours has its keepalive, limits and statistics on. Rounds of one figure lie 6 to 10 % apart in the
//! median. The connection was rebuilt after that: counted in instructions, client included (callgrind), a message of 64 B takes
//! 4 % more since then, one of 16 in flight 15 %, and one of 1 KiB 7 %.
//!
//! | echo server | 64 B, 1 in flight | 64 B, 16 in flight | 1 KiB | 16 KiB UTF-8 | 64 KiB | 1 MiB | handshake | idle |
//! | --- | --- | --- | --- | --- | --- | --- | --- | --- |
//! | bare TCP echo on tokio 1.54.1 | 3.66 | 0.24 | 3.72 | 5.37 | 15.9 | 533 | 20.0 | 4.93 |
//! | tokio-tungstenite 0.30.0 as it comes | 8.17 | 3.70 | 8.45 | 31.2 | 28.1 | 453 | 70.4 | 134 |
//! | axum 0.8.9 `ws` | 8.20 | 3.81 | 8.51 | 31.0 | 27.7 | 404 | 44.0 | 134 |
//! | fastwebsockets 0.10.0 | 3.75 | 3.13 | 3.83 | 7.90 | 17.0 | 300 | 19.9 | 5.91 |
//! | tokio-websockets 0.13.3 | 3.94 | 3.35 | 4.01 | 7.64 | 16.3 | 332 | 18.9 | 6.26 |
//! | yawc 0.5.0, one flush per burst | 4.02 | 0.43 | 4.12 | 8.80 | 58.5 | 406 | 21.2 | 10.2 |
//! | Bun 1.4.5 (uWebSockets, C++) | 4.03 | 0.46 | 4.30 | 43.1 | 35.6 | 576 | 21.4 | 2.98 |
//! | gorilla/websocket (go1.19.8) | 5.12 | 4.07 | 6.20 | 39.5 | 74.2 | 1046 | 33.0 | 17.5 |
//! | **tower-websocket** | 3.98 | 0.37 | 4.04 | 7.47 | 15.6 | 274 | 21.0 | 2.61 |
//!
//! | permessage-deflate, level 1, no context takeover | 1 KiB JSON | 16 KiB JSON | idle after 1 KiB |
//! | --- | --- | --- | --- |
//! | yawc 0.5.0, pooled | 15.4 | 74.0 | 10.8 |
//! | Bun 1.4.5 (uWebSockets, C++) | 23.0 | 160 | 4.39 |
//! | gorilla/websocket (go1.19.8) | 46.9 | 210 | 26.7 |
//! | Node v20.20.2 `ws` 8.23.0 | 71.5 | 179 | 253 |
//! | **tower-websocket** | 14.1 | 71.6 | 2.60 |
//!
//! | over HTTP/2, 16 WebSockets to a connection | 64 B, 1 in flight | 64 B, 16 in flight | 64 KiB |
//! | --- | --- | --- | --- |
//! | axum 0.8.9 `ws` | 6.01 | 3.66 | 62.6 |
//! | **tower-websocket** | 2.12 | 0.42 | 67.9 |
//!
//! Idle is an echo that calls `drop_request`, with a load tool's short request. An echo that does not keeps the request too:
//! 3.8 KiB in place of 2.7 on the day that this was measured, and with a browser's headers about 2 KiB more.
//!
//! What these figures say: bursts, large messages, compression and idle connections that drop their request cost as little as
//! in the best peer or less. A single message of 64 B or 1 KiB takes about 6 % more CPU time than fastwebsockets', and a handshake 11 % more than
//! tokio-websockets' (a server that takes HTTP/2 on the same port pays about 0.7 µs for telling the versions apart). Over HTTP/2
//! small messages cost a third of axum's, bursts an eighth, and 64 KiB 8 % more.
//! `cargo run --release --manifest-path benches/compare/Cargo.toml` measures it on your machine, with more peers.
