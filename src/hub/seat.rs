//! A connection's membership of a topic.

use std::fmt;
use std::sync::Arc;

use super::position::Position;
use super::presence::Presence;
use super::topic_inner::TopicInner;
use crate::connection::{FeedId, FeedStatus, Inner};
use crate::manager::{ConnectionId, Manager};
use crate::message::Message;

/// A connection's membership of a topic; made by [`Topic::join`](crate::Topic::join).
///
/// The connection leaves the topic when this is dropped, or when nothing more can be sent, whichever comes first.
/// Publications that still wait in the connection's queue for this topic are then not sent.
#[must_use = "the connection leaves the topic when this is dropped"]
pub struct Seat {
    topic: Arc<TopicInner>,
    connection: Arc<Inner>,
    id: FeedId,
    position: Position,
    stays: bool,
}

impl Seat {
    pub(super) fn new(topic: Arc<TopicInner>, connection: Arc<Inner>, id: FeedId, position: Position) -> Self {
        Self { topic, connection, id, position, stays: false }
    }

    /// Keeps the connection in the topic until it ends, or until [`Topic::leave`](crate::Topic::leave).
    pub fn stay(mut self) {
        self.stays = true;
    }

    /// The position of the topic when the connection joined. The connection gets what is published after it.
    #[must_use]
    pub fn position(&self) -> Position {
        self.position
    }

    /// The number of publications that wait because the connection is slow. They are not yet in its outgoing buffer.
    #[must_use]
    pub fn lag(&self) -> usize {
        self.status().waiting
    }

    /// The number of publications that were dropped because the connection was slow, since it joined. Zero once it has left.
    ///
    /// ```
    /// use tower_websocket::{Error, Hub, Manager, Overflow};
    ///
    /// /// Tells the client, when it sends a message, how many publications were dropped for it.
    /// async fn ticker(ws: Manager, hub: Hub) -> Result<(), Error> {
    ///     let seat = hub.topic("ticker").join(&ws, Overflow::DropOldest)?;
    ///     let mut reported = 0;
    ///     while ws.recv().await?.is_some() {
    ///         let dropped = seat.dropped();
    ///         if dropped > reported {
    ///             ws.send(format!("you have missed {}", dropped - reported)).await?;
    ///             reported = dropped;
    ///         }
    ///     }
    ///     Ok(())
    /// }
    /// ```
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.status().dropped
    }

    /// Sets or changes the member's presence value. See [`Topic::join_as`](crate::Topic::join_as).
    ///
    /// If the connection has left already, nothing happens.
    pub fn set_presence(&self, value: impl Into<Message>) {
        self.topic.set_presence(self.id, Presence::new(self.connection_id(), value.into()));
    }

    fn status(&self) -> FeedStatus {
        self.connection.feed_status(self.id).unwrap_or_default()
    }

    /// The member's connection.
    #[must_use]
    pub fn connection_id(&self) -> ConnectionId {
        ConnectionId::of(&self.connection)
    }
}

/// As [`Seat::connection_id`].
impl From<&Seat> for ConnectionId {
    fn from(seat: &Seat) -> Self {
        seat.connection_id()
    }
}

/// As [`Manager::id`].
impl From<&Manager> for ConnectionId {
    fn from(ws: &Manager) -> Self {
        ws.id()
    }
}

impl fmt::Debug for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seat")
            .field("topic", &self.topic.name)
            .field("connection", &self.connection_id())
            .finish_non_exhaustive()
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if !self.stays {
            self.connection.remove_feed(self.id);
        }
    }
}
