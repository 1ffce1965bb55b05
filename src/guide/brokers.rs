//! One hub on several servers: Redis or NATS between them.
//!
//! Without a broker, a [`Hub`](crate::Hub) is local to its process. With one, all servers that use the same broker have the
//! same topics: a publication reaches the members at all servers, in the same order, and a client that loses its server can
//! reconnect to another one and misses nothing.
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
//! `examples/cluster.rs` is a complete program: `cargo run --features redis --example cluster` starts a broker and two
//! servers. Its test restarts both servers behind HAProxy, one after the other, under load, and no client loses a message.
//!
//! # Which broker
//!
//! | | [`Redis`](crate::Redis) | [`Nats`](crate::Nats) |
//! | --- | --- | --- |
//! | needs | Redis 5 or later (tested with 7), or Valkey | NATS 2.9 or later, with JetStream |
//! | a topic is | a stream, and a channel that announces its entries | a subject of one stream, which is republished |
//! | it keeps | 1,000 publications and two minutes of each topic, or what the history asks for | 1,000 publications and five minutes of each topic, or what the limits of your own stream say |
//! | on disk | as Redis is configured: with `appendfsync everysec` a power failure loses a second | yes, in files |
//! | several nodes | one primary: after a failover what was not replicated is a gap | a cluster of JetStream |
//!
//! # What is different from one process
//!
//! - A publication goes to the broker and from there to all servers, also to the one that published it. It takes a round
//!   trip.
//! - For a topic that is new to a server, the broker is asked first. Until it answers,
//!   [`join_after`](crate::Topic::join_after) returns [`Recovered::Pending`](crate::Recovered::Pending), and what was
//!   missed is sent afterwards. So report gaps with [`tell_gap`](crate::Topic::tell_gap), which sends its message in the
//!   right place, rather than in the handler. To know the result at once, wait for [`ready`](crate::Topic::ready) before
//!   joining. The broker is also asked if a client comes from a server that has received more than this one.
//! - [`publish`](crate::Topic::publish) can fail: when 16 MiB wait for a broker that cannot be reached. A publication that
//!   the broker refuses is lost, and logged at level error: NATS accepts messages of up to 1 MiB, if `max_payload` is not
//!   changed.
//! - [`periodic`](crate::Topic::periodic) publishes to the members at all servers: call it at one server only.
//! - [`members`](crate::Topic::members), [`presence`](crate::Topic::presence) and [`stats`](crate::Topic::stats) are those
//!   of one server: see [below](#who-is-here-at-all-servers).
//! - Each server has its own settings of a topic, such as `encode`: use the same ones everywhere.
//!
//! # Who is here, at all servers
//!
//! [`on_presence`](crate::Topic::on_presence) is called at the server of the member, and its message is published to the
//! members at all servers. The list, [`presence`](crate::Topic::presence), is that of one server: only the application knows
//! when a server that was killed, whose members left without a word, is to be forgotten. So let each server publish its
//! list, at each change and at intervals, with its own key:
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//! use tokio::sync::Notify;
//! use tokio::time::timeout;
//! use tower_websocket::testing::TestClient;
//! use tower_websocket::{Error, History, Hub, Manager, Message, Overflow, Topic, WebSocketLayer};
//!
//! const INTERVAL: Duration = Duration::from_secs(10);
//!
//! #[derive(serde::Serialize)]
//! struct Present {
//!     server: u64, // such as a random number
//!     names: Vec<String>,
//! }
//!
//! /// The lists of all servers.
//! fn lists(hub: &Hub) -> Topic {
//!     hub.topic("presence").history(History::last(100).within(3 * INTERVAL))
//! }
//!
//! /// Runs once at each server.
//! async fn publish_list(hub: Hub, server: u64) -> Result<(), Error> {
//!     let changed = Arc::new(Notify::new());
//!     let notify = changed.clone();
//!     let here = hub.topic("here").on_presence(move |_| {
//!         notify.notify_one();
//!         None // nothing is published to this topic
//!     });
//!     let lists = lists(&hub);
//!     loop {
//!         let names = here.presence().iter().map(ToString::to_string).collect();
//!         lists.publish_keyed(server.to_string(), Message::json(&Present { server, names })?)?;
//!         let _ = timeout(INTERVAL, changed.notified()).await;
//!     }
//! }
//!
//! async fn handler(ws: Manager, hub: Hub, name: &str) -> Result<(), Error> {
//!     lists(&hub).join_after(&ws, None, Overflow::KeepLatest)?; // the lists of all servers, and then each change
//!     let _seat = hub.topic("here").join_as(&ws, Overflow::KeepLatest, name)?;
//!     ws.ignore_incoming().await.map(drop)
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Error> {
//! let hub = Hub::new(); // or `Hub::with(..)`
//! tokio::spawn(publish_list(hub.clone(), 7));
//! let client = TestClient::new(WebSocketLayer::new(move |ws| handler(ws, hub.clone(), "anna")).into_service());
//! let ws = client.connect("/").await.expect("the handshake is accepted");
//! let with_anna = Message::text(r#"{"server":7,"names":["anna"]}"#);
//! while ws.recv().await? != Some(with_anna.clone()) {} // an empty list may come first
//! # Ok(())
//! # }
//! ```
//!
//! A client keeps the latest list of each server, shows all of them, and forgets a list that was not renewed for three
//! intervals. `examples/cluster.rs` has a page that does so.
//!
//! # When the broker fails
//!
//! | what happens | what members see |
//! | --- | --- |
//! | it cannot be reached for a while, and keeps its data | connections and memberships stay; publications wait; afterwards everything arrives, once and in order |
//! | one server is cut off from it | the same, for that server |
//! | it restarts without its data, or with old data | a gap, reported by [`tell_gap`](crate::Topic::tell_gap); old positions are never mistaken for new ones |
//! | it is slow | everything arrives later |
//! | it has no room for a publication, but for a smaller one after it (NATS, with a stream that discards new messages) | a gap in place of the first |
//!
//! A server may fall behind by as much as the broker keeps of a topic. If more than 1,000 messages are published to a topic
//! while a server is cut off, or wait for the broker, that server has a gap. To keep more, use a larger
//! [`History`](crate::History) with Redis, and a stream with other limits with NATS.
//!
//! A server notices within about 8 seconds that a broker does not answer, and reconnects after growing, random delays of at
//! most 5 seconds. [`TopicStats::gaps`](crate::TopicStats::gaps) counts gaps, and each is logged at `warn`.
//!
//! Each row is a test with a real broker: `cargo test --features nats,redis --test brokers`.
