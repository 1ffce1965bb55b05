//! Rooms, slow clients, history and presence: one message to many connections.
//!
//! # A room
//!
//! A [`Hub`](crate::Hub) has topics, which connections join. A publication is serialised, framed and compressed once for
//! all members, and publishing never waits for a slow member.
//!
//! ```
//! use tower_websocket::testing::TestClient;
//! use tower_websocket::{Error, Hub, Manager, Message, Overflow, WebSocketLayer};
//!
//! async fn chat(ws: Manager, hub: Hub) -> Result<(), Error> {
//!     let room = hub.topic("room");
//!     let seat = room.join(&ws, Overflow::Close)?; // the connection leaves when this is dropped
//!     ws.send("you are in").await?;
//!     while let Some(message) = ws.recv().await? {
//!         room.publish_except(&seat, message)?; // to all the others
//!     }
//!     Ok(())
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Error> {
//! let hub = Hub::new(); // clones are the same hub: keep one in your state, to publish from anywhere
//! let layer = WebSocketLayer::new({
//!     let hub = hub.clone();
//!     move |ws| chat(ws, hub.clone())
//! });
//!
//! let client = TestClient::new(layer.into_service());
//! let anna = client.connect("/").await.expect("the handshake is accepted");
//! let bert = client.connect("/").await.expect("the handshake is accepted");
//! for ws in [&anna, &bert] {
//!     assert_eq!(ws.recv().await?, Some(Message::text("you are in")));
//! }
//! anna.send("hello").await?;
//! assert_eq!(bert.recv().await?, Some(Message::text("hello")));
//!
//! hub.topic("room").publish("from the server")?;
//! assert_eq!(anna.recv().await?, Some(Message::text("from the server")));
//! # Ok(())
//! # }
//! ```
//!
//! Settings belong to the topic, not to the handle: set them at each call of `Hub::topic`, or keep a handle. A topic is
//! dropped when it has no handle, no member and nothing in its history.
//!
//! # Slow clients
//!
//! A member is slow while its outgoing buffer is full
//! ([`Limits::max_write_buffer_size`](crate::Limits::max_write_buffer_size), 64 KiB). Publications then wait in a queue for
//! this member, up to [`Topic::capacity`](crate::Topic::capacity) (256). What happens beyond that is chosen when it joins:
//!
//! | [`Overflow`](crate::Overflow) | beyond the capacity | for |
//! | --- | --- | --- |
//! | `Close` (the default) | the connection is closed with 1013; the client reconnects and gets the rest from the history | chats, documents: nothing may be missed |
//! | `DropOldest` | the oldest are dropped and counted | logs, news |
//! | `KeepLatest` | while the member is slow, only the latest publication waits, or the latest of each key | prices, positions, progress |
//!
//! ```
//! use tower_websocket::{Error, Hub, Manager, Message, Overflow};
//!
//! async fn prices(ws: Manager, hub: Hub) -> Result<(), Error> {
//!     let prices = hub
//!         .topic("prices")
//!         .capacity(1000)
//!         .tell_dropped(|count| Message::text(format!("{count} prices are left out")));
//!     let _seat = prices.join(&ws, Overflow::KeepLatest)?;
//!     ws.ignore_incoming().await.map(drop) // this handler only sends
//! }
//!
//! fn on_price(hub: &Hub, pair: &str, price: f64) -> Result<(), Error> {
//!     hub.topic("prices").publish_keyed(pair, format!("{pair} {price}"))
//! }
//! ```
//!
//! [`Topic::lag`](crate::Topic::lag) and [`Topic::stats`](crate::Topic::stats) are for monitoring. A client that accepts no
//! data at all is disconnected after [`Limits::write_timeout`](crate::Limits::write_timeout) (10 s).
//!
//! Without a hub, a handler has the same choice for its own messages: [`send`](crate::Manager::send) waits, and
//! [`try_send`](crate::Manager::try_send) does not:
//!
//! ```
//! use tower_websocket::{Error, Manager};
//!
//! /// Whether the price was sent. `false` if the peer is slow.
//! fn offer(ws: &Manager, price: f64) -> Result<bool, Error> {
//!     match ws.try_send(price.to_string()) {
//!         Ok(()) => Ok(true),
//!         Err(error) if error.is_full() => Ok(false), // `into_message` gives the message back
//!         Err(error) => Err(error.into()),
//!     }
//! }
//! ```
//!
//! # History: clients that reconnect
//!
//! With a [`History`](crate::History), each publication has a [`Position`](crate::Position). Send it with the message. A
//! client that reconnects sends the last one that it has seen, here in the query of the URL.
//!
//! ```
//! use std::time::Duration;
//! use tower_websocket::testing::TestClient;
//! use tower_websocket::{Error, History, Hub, Manager, Message, Overflow, Position, WebSocketLayer};
//!
//! async fn chat(ws: Manager, hub: Hub) -> Result<(), Error> {
//!     let last_seen: Option<Position> = ws.request().uri.query().and_then(|position| position.parse().ok());
//!     let room = hub
//!         .topic("room")
//!         .history(History::last(50).within(Duration::from_secs(120)))
//!         .encode(|message, position| Message::text(format!("{position} {}", message.as_text().unwrap_or_default())))
//!         .tell_gap(|_| "some messages are lost".into()); // the page loads the whole state again
//!     room.join_after(&ws, last_seen, Overflow::Close)?;
//!     while let Some(message) = ws.recv().await? {
//!         room.publish(message)?;
//!     }
//!     Ok(())
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Error> {
//! let hub = Hub::new();
//! let client = TestClient::new(WebSocketLayer::new(move |ws| chat(ws, hub.clone())).into_service());
//!
//! let ws = client.connect("/").await.expect("the handshake is accepted");
//! ws.send("one").await?;
//! let one = ws.recv().await?.expect("it is open");
//! let (position, text) = one.as_text().and_then(|text| text.split_once(' ')).expect("it has a position");
//! assert_eq!(text, "one");
//! ws.send("two").await?;
//! ws.recv().await?;
//! ws.close().await?;
//!
//! // It has seen the first message only.
//! let ws = client.connect(&format!("/?{position}")).await.expect("the handshake is accepted");
//! let missed = ws.recv().await?.expect("it is open");
//! assert!(missed.as_text().is_some_and(|text| text.ends_with(" two")));
//! # Ok(())
//! # }
//! ```
//!
//! The client gets what it has missed, then what is published from then on, each publication once. There is a gap if the
//! history no longer has everything, or if the server was restarted, as positions are valid for one epoch of a topic.
//! [`tell_gap`](crate::Topic::tell_gap) sends the client a message first.
//!
//! A member that joins with `join_after` stays until its connection ends. [`resume`](crate::Topic::resume) does the same and
//! returns a [`Seat`](crate::Seat), for `publish_except`, a presence value, or leaving earlier.
//!
//! # Presence: who is here
//!
//! [`Topic::join_as`](crate::Topic::join_as) joins with a presence value, such as a name or JSON;
//! [`Topic::presence`](crate::Topic::presence) lists the values, and [`Topic::on_presence`](crate::Topic::on_presence)
//! makes messages from changes. Every end of a connection counts as leaving: a close, a lost network, a panic.
//!
//! Here a client first gets the list of members, and then each change since: the topic has a history, and
//! [`resume`](crate::Topic::resume) starts at the position from before the list:
//!
//! ```
//! use tower_websocket::testing::TestClient;
//! use tower_websocket::{Error, History, Hub, Manager, Message, Overflow, PresenceChange, WebSocketLayer};
//!
//! async fn room(ws: Manager, hub: Hub) -> Result<(), Error> {
//!     let name = ws.request().uri.query().unwrap_or("guest").to_owned();
//!     let room = hub.topic("room").history(History::last(100)).on_presence(|change| match change {
//!         PresenceChange::Joined(member) => Some(Message::text(format!("{member} joins"))),
//!         PresenceChange::Left(member) => Some(Message::text(format!("{member} leaves"))),
//!         _ => None,
//!     });
//!     let position = room.position();
//!     for member in room.presence() {
//!         ws.send(format!("{member} is here")).await?;
//!     }
//!     let (seat, _) = room.resume(&ws, position, Overflow::Close)?;
//!     seat.set_presence(name);
//!     while let Some(message) = ws.recv().await? {
//!         room.publish(message)?;
//!     }
//!     Ok(())
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Error> {
//! let hub = Hub::new();
//! let client = TestClient::new(WebSocketLayer::new(move |ws| room(ws, hub.clone())).into_service());
//! let anna = client.connect("/?anna").await.expect("the handshake is accepted");
//! assert_eq!(anna.recv().await?, Some(Message::text("anna joins")));
//! let bert = client.connect("/?bert").await.expect("the handshake is accepted");
//! assert_eq!(bert.recv().await?, Some(Message::text("anna is here")));
//! assert_eq!(anna.recv().await?, Some(Message::text("bert joins")));
//! bert.close().await?;
//! assert_eq!(anna.recv().await?, Some(Message::text("bert leaves")));
//! # Ok(())
//! # }
//! ```
//!
//! Without a list, [`join_as`](crate::Topic::join_as) is enough. The messages about presence are publications too: they count
//! among the last 100. Use a second topic for presence if they must not.
//!
//! `examples/rooms.rs` is a complete program: rooms with presence and history, and a page that reconnects and misses
//! nothing.
//!
//! A person with two tabs is two members. If that matters, put the person's id into the value, and count different values.
//!
//! # Values that change
//!
//! [`Topic::periodic`](crate::Topic::periodic) gets a value once for all members, compares it with the last one, and
//! publishes it as JSON if it has changed.
//!
//! # Several servers
//!
//! With a broker, topics and positions are shared by all servers: see [`brokers`](super::brokers). Without one, positions
//! are valid at one server only, and a client that reconnects to another one gets a gap.
