//! One hub on several servers: Redis or NATS between them.
//!
//! A [`Hub`](crate::Hub) by itself is within one process. With a broker, all servers that use it have the same topics: what is
//! published at one reaches the members at all of them, in one order, and a client that loses its server comes back to another
//! one and misses nothing.
//!
//! ```toml
//! [dependencies]
//! tower-websocket = { version = "0.1", features = ["redis"] } # or "nats"
//! ```
//!
//! ```no_run
//! # #[cfg(feature = "redis")]
//! # mod example {
//! use tower_websocket::{Error, Hub, Manager, Overflow, Position, Redis, Topic, WebSocketLayer};
//! # use tower_websocket::{History, Message};
//!
//! async fn chat(ws: Manager, hub: Hub) -> Result<(), Error> {
//!     let last_seen: Option<Position> = ws.request().uri.query().and_then(|position| position.parse().ok());
//!     let room = room(&hub);
//!     room.join_after(&ws, last_seen, Overflow::Close)?;
//!     while let Some(message) = ws.recv().await? {
//!         room.publish(message)?;
//!     }
//!     Ok(())
//! }
//!
//! fn room(hub: &Hub) -> Topic {
//!     hub.topic("room")
//!         .history(History::last(50))
//!         .encode(|message, position| Message::text(format!("{position} {}", message.as_text().unwrap_or_default())))
//!         .tell_gap(|_| "some messages are lost".into()) // the page loads the whole state again
//! }
//!
//! # async fn run() -> Result<(), Error> {
//! let hub = Hub::with(Redis::connect("redis://127.0.0.1/").await?);
//! let layer = WebSocketLayer::new(move |ws| chat(ws, hub.clone())).path("/ws");
//! # Ok(())
//! # }
//! # }
//! ```
//!
//! `examples/cluster.rs` is a whole program: `cargo run --features redis --example cluster` starts a broker and two servers. Its
//! test restarts both servers one after the other behind HAProxy, under load, and no client loses a message.
//!
//! # Which broker
//!
//! | | [`Redis`](crate::Redis) | [`Nats`](crate::Nats) |
//! | --- | --- | --- |
//! | needs | Redis 5 or later, or Valkey | NATS 2.9 or later, with JetStream |
//! | a topic is | a stream, and a channel that tells of it | a subject of one stream, which is republished |
//! | it keeps | 1,000 publications and two minutes of each topic, or what the history asks for | 1,000 publications and five minutes of each topic, or what the stream that you make says |
//! | on the disk | as Redis is set up: with `appendfsync everysec` a power cut loses a second | yes, in files |
//! | several nodes | one primary: after a failover what was not replicated is a gap | a cluster of JetStream |
//!
//! # What is different from one process
//!
//! - A publication goes to the broker and comes back from there, also to members of the same server. It takes a round trip.
//! - A topic that is new to a server asks the broker first: until the answer, [`join_after`](crate::Topic::join_after) says
//!   [`Recovered::Pending`](crate::Recovered::Pending), and what was missed comes when it is known. So let
//!   [`tell_gap`](crate::Topic::tell_gap) tell of gaps rather than the handler: it does so in their place. To know at once,
//!   wait for [`ready`](crate::Topic::ready) before joining.
//! - [`publish`](crate::Topic::publish) can fail: when 16 MiB wait for a broker that is away. What the broker refuses for good is
//!   lost, and logged at `error`: NATS takes messages of up to 1 MiB unless its `max_payload` says otherwise.
//! - [`periodic`](crate::Topic::periodic) publishes to the members at all servers: call it at one of them.
//! - [`members`](crate::Topic::members), [`presence`](crate::Topic::presence) and [`stats`](crate::Topic::stats) are of one server.
//!   What [`on_presence`](crate::Topic::on_presence) returns is published to all. For a list of all who are there, let each
//!   server publish its own list, as the example does.
//! - Settings of a topic, such as `encode`, are of each server: set the same ones everywhere.
//!
//! # When the broker fails
//!
//! | what happens | what members see |
//! | --- | --- |
//! | it is away for a while, with its data | connections and memberships stay; what is published waits; afterwards everything comes, once and in order |
//! | one server is cut off from it | the same, for that server |
//! | it comes back without its data, or with old data | a gap, told by [`tell_gap`](crate::Topic::tell_gap); positions from before are never taken for others |
//! | it is slow | everything comes later |
//!
//! A server may be behind by as much as the broker keeps of a topic. Where the servers publish more than 1,000 messages to one
//! while a server is cut off, or while they were waiting for the broker, the rest is a gap for it: a larger
//! [`History`](crate::History) has Redis keep more, and a stream with other limits has NATS.
//!
//! A server notices a broker that does not answer within some 8 seconds, and connects again with growing, random delays of at
//! most 5 seconds. [`TopicStats::gaps`](crate::TopicStats::gaps) counts gaps, and each is logged at `warn`.
//!
//! Each row is a test with a real broker: `cargo test --features nats,redis --test brokers`.
