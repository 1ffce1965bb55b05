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
//! one figure lie 18 % apart in the median, and those of 1 MiB by more than half; in the others 6 to 10 %. Compare within a table only.
//!
//! | echo server | 64 B, 1 in flight | 64 B, 16 in flight | 1 KiB | 16 KiB UTF-8 | 64 KiB | 1 MiB | handshake | idle | 1 KiB JSON to 1,000 |
//! | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
//! | bare TCP echo on tokio 1.54.1 | 6.46 | 0.47 | 7.40 | 7.05 | 27.3 | 737 | 38.3 | 4.89 | – |
//! | tokio-tungstenite 0.30.0 as it comes | 9.45 | 7.05 | 10.4 | 28.8 | 38.6 | 759 | 77.9 | 134 | – |
//! | axum 0.8.9 `ws` | 9.56 | 7.33 | 10.4 | 28.8 | 27.5 | 456 | 80.8 | 134 | 5.73 |
//! | fastwebsockets 0.10.0 | 7.42 | 6.35 | 7.43 | 9.64 | 32.4 | 361 | 33.8 | 5.88 | – |
//! | tokio-websockets 0.13.3 | 7.65 | 6.70 | 7.86 | 10.1 | 23.2 | 235 | 41.1 | 6.33 | – |
//! | sockudo-ws 3.1.0, one flush per burst | 6.73 | 0.68 | 7.73 | 12.7 | 23.8 | 418 | 59.1 | 14.4 | – |
//! | wtx 0.42.4, without an HTTP server | 6.85 | 6.66 | 5.98 | 24.4 | 23.3 | 351 | 32.1 | 5.51 | – |
//! | yawc 0.5.0, one flush per burst | 7.74 | 0.66 | 6.06 | 17.0 | 89.9 | 348 | 34.7 | 10.2 | – |
//! | Bun 1.4.5 (uWebSockets, C++) | 8.00 | 0.75 | 6.51 | 41.8 | 49.1 | 886 | 35.3 | 3.61 | 3.15 |
//! | gorilla/websocket (go1.19.8) | 9.35 | 8.36 | 9.34 | 44.9 | 76.0 | 1186 | 50.3 | 17.4 | 7.96 |
//! | **tower-websocket** | 7.59 | 0.56 | 6.19 | 9.87 | 19.5 | 268 | 35.0 | 3.11 | 3.38 |
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
//! What these figures say: bursts, compression and idle connections cost less than in the best peer, and messages of 16 and 64
//! KiB about as much or less. A publication costs 7 % more than Bun's (0 to 7 % in several runs). A single message of 64 B takes
//! 13 % more CPU time than sockudo-ws' and 2 % more than fastwebsockets', one of 1 KiB 4 % more than wtx's. A handshake takes 4
//! % more than fastwebsockets', and in two runs of 7 rounds 6 and 10 % less; wtx, which has no HTTP server, takes the least. A
//! message of 1 MiB took 14 % more than tokio-websockets', and in other runs from 15 % less than the best peer's to 42 % more:
//! the kernel copies faster or slower by the addresses of the memory. With 64 to 3,000 bytes more on its heap, the same server
//! took 231 to 263 µs in place of 316. Over HTTP/2 small messages cost less than half of axum's, and 64 KiB 11 % more; over TLS
//! 64 KiB cost 11 % more than tokio-websockets'. A server that takes HTTP/2 on the same port, and limits the time to the first
//! request of either version, as the examples do, takes about 10 µs more for a handshake. With context takeover a compressed
//! message costs twice as much and more, in each server, as every connection has a state of its own, and together they are
//! larger than the caches.
//! `cargo run --release --manifest-path benches/compare/Cargo.toml` measures it on your machine, with more peers.
