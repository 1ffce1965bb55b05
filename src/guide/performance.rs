//! Performance: memory, CPU time, measurements.
//!
//! # Memory of a connection
//!
//! | what | bytes | when |
//! | --- | --- | --- |
//! | an idle connection | about 2.6 KiB of heap, with the request dropped ([`Manager::drop_request`](crate::Manager::drop_request)) | always |
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
//! | wake-ups of idle connections | set a longer [`Keepalive::interval`](crate::Keepalive::interval), and a [`timeout`](crate::Keepalive::timeout) that is longer than it: by default each connection gets a ping after 3 s of silence |
//! | CPU time for one value to many clients | use a [`Hub`](crate::Hub): values are serialised, framed and compressed once |
//! | system calls | nothing: all messages that are sent before the task sleeps leave in one write |
//! | CPU time of compression | [`Compression::threshold`](crate::Compression::threshold) (512 bytes by default), `send_uncompressed` for data that is compressed already, [`without_compression`](crate::Upgrader::without_compression) |
//! | bandwidth of small, similar messages | use context takeover |
//! | copies of JSON | use [`Message::parse`](crate::Message::parse) with types that borrow |
//!
//! # Measured
//!
//! Measured by [`benches/compare`](https://github.com/tower-websocket/tower-websocket/blob/main/benches/compare/README.md), which says how. What thousands of idle connections
//! cost, and how that grows, is in [docs/idle-connections.md](https://github.com/tower-websocket/tower-websocket/blob/main/docs/idle-connections.md);
//! how costs grow with the size of a message, the number in flight and the connections, in
//! [docs/curves.md](https://github.com/tower-websocket/tower-websocket/blob/main/docs/curves.md).
//!
//! Server CPU in µs per message or handshake, memory in resident KiB per connection: medians of 3 interleaved rounds on
//! 2026-11-26, server and client pinned to a core each of a virtual machine with 2 cores of an AMD EPYC under Linux 6.18, rustc
//! 1.95. Every Rust server echoes on one thread; ours has its keepalive, limits and statistics on. In the first table the rounds of
//! one figure lie 17 % apart in the median, and those of 1 MiB by more than half; in the others 6 to 10 %. Compare within a table only.
//!
//! | echo server | 64 B, 1 in flight | 64 B, 16 in flight | 1 KiB | 16 KiB UTF-8 | 64 KiB | 1 MiB | handshake | idle | 1 KiB JSON to 1,000 |
//! | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
//! | bare TCP echo on tokio 1.54.1 | 5.89 | 0.37 | 5.58 | 7.21 | 23.3 | 335 | 38.5 | 4.93 | – |
//! | tokio-tungstenite 0.30.0 as it comes | 8.67 | 5.83 | 8.56 | 25.3 | 27.5 | 402 | 87.1 | 134 | – |
//! | axum 0.8.9 `ws` | 9.33 | 5.79 | 8.57 | 26.8 | 27.6 | 373 | 79.5 | 134 | 6.48 |
//! | fastwebsockets 0.10.0 | 5.94 | 5.24 | 5.85 | 9.75 | 33.5 | 382 | 37.5 | 5.83 | – |
//! | tokio-websockets 0.13.3 | 6.98 | 5.58 | 6.21 | 10.2 | 59.7 | 249 | 37.0 | 6.40 | – |
//! | sockudo-ws 3.1.0, one flush per burst | 7.51 | 0.58 | 7.32 | 12.6 | 27.8 | 587 | 50.4 | 14.4 | – |
//! | wtx 0.42.4, without an HTTP server | 6.88 | 5.26 | 6.06 | 20.1 | 22.4 | 543 | 35.2 | 5.50 | – |
//! | yawc 0.5.0, one flush per burst | 6.96 | 0.54 | 6.40 | 17.1 | 101 | 324 | 38.1 | 10.6 | – |
//! | Bun 1.4.5 (uWebSockets, C++) | 6.86 | 0.64 | 6.75 | 41.1 | 54.1 | 1075 | 38.0 | 3.61 | 3.25 |
//! | gorilla/websocket (go1.19.8) | 7.79 | 6.32 | 9.32 | 43.4 | 78.4 | 1444 | 52.4 | 17.4 | 6.70 |
//! | **tower-websocket** | 6.72 | 0.53 | 6.14 | 9.67 | 19.3 | 354 | 36.6 | 2.98 | 3.31 |
//!
//! | permessage-deflate, level 1, no context takeover | 1 KiB JSON | 16 KiB JSON | idle after 1 KiB | 1 KiB JSON to 1,000 |
//! | --- | --- | --- | --- | --- |
//! | yawc 0.5.0, pooled | 16.0 | 60.6 | 11.2 | – |
//! | Bun 1.4.5 (uWebSockets, C++) | 23.3 | 135 | 4.97 | 15.1 |
//! | gorilla/websocket (go1.19.8) | 37.5 | 190 | 29.8 | 6.73 |
//! | **tower-websocket** | 14.5 | 59.5 | 2.87 | 2.83 |
//!
//! | permessage-deflate, level 1, with the server's context takeover | 1 KiB JSON | 16 KiB JSON | idle after 1 KiB |
//! | --- | --- | --- | --- |
//! | yawc 0.5.0 | 31.7 | 169 | 345 |
//! | Bun 1.4.5 (uWebSockets, C++), dedicated compressors | 108 | 355 | 222 |
//! | **tower-websocket** | 29.1 | 166 | 315 |
//!
//! | over HTTP/2, 16 WebSockets to a connection | 64 B, 1 in flight | 64 B, 16 in flight | 64 KiB |
//! | --- | --- | --- | --- |
//! | axum 0.8.9 `ws` | 4.30 | 2.59 | 71.2 |
//! | **tower-websocket** | 1.79 | 0.56 | 79.1 |
//!
//! | over TLS 1.3 | 64 B, 1 in flight | 64 B, 16 in flight | 64 KiB | idle |
//! | --- | --- | --- | --- | --- |
//! | axum 0.8.9 `ws` | 11.4 | 6.55 | 73.1 | 141 |
//! | fastwebsockets 0.10.0 | 6.81 | 5.89 | 55.8 | 12.9 |
//! | tokio-websockets 0.13.3 | 6.92 | 6.07 | 52.9 | 16.1 |
//! | Bun 1.4.5 (uWebSockets, C++) | 7.14 | 0.74 | 86.9 | – |
//! | **tower-websocket** | 6.96 | 0.57 | 58.8 | 10.4 |
//!
//! Idle is an echo that calls `drop_request`, with a load tool's short request. An echo that does not keeps the request too:
//! 4.0 KiB in place of 3.0, and with a browser's headers about 2 KiB more. The column "to 1,000" is a
//! publication, per delivery.
//!
//! What these figures say: bursts, compression, idle connections and publications cost as little as in the best peer or less,
//! and so do messages of 16 and 64 KiB in the clear. A single message of 64 B takes 13 % more CPU time than fastwebsockets',
//! one of 1 KiB 5 %, and a handshake 4 % more than wtx's, which has no HTTP server. A message of 1 MiB took 42 % more than
//! tokio-websockets', and 15 % less than the best peer's in a run half an hour before: the kernel copies faster or slower by
//! the addresses of the memory. With 64 to 3,000 bytes more on its heap, the same server took 231 to 263 µs in place of 316.
//! Over HTTP/2 small messages cost less than half of axum's, and 64 KiB 11 % more; over TLS 64 KiB cost 11 % more than
//! tokio-websockets'. A server that takes HTTP/2 on the same port pays about 0.7 µs of a handshake for telling the versions
//! apart. With context takeover a compressed message costs twice as much and more, in each server, as every connection has a
//! state of its own, and together they are larger than the caches.
//! `cargo run --release --manifest-path benches/compare/Cargo.toml` measures it on your machine, with more peers.
