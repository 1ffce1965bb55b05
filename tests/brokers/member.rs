//! A member of a topic in memory, and the topic of the tests.

use tokio::time::timeout;
use tower_websocket::{
    History, Hub, Keepalive, Manager, Message, Overflow, Position, Recovered, Topic, Upgrader, testing,
};

use crate::PATIENCE;

/// The topic with a history, whose messages begin with their positions. `gap` tells of a gap.
pub(crate) fn topic(hub: &Hub) -> Topic {
    hub.topic("a topic: ü.*>")
        .history(History::last(1000))
        .capacity(100_000)
        .encode(|message, position| Message::text(format!("{position} {}", message.as_text().unwrap_or_default())))
        .tell_gap(|gap| format!("{} gap", gap.up_to()).into())
}

/// A client of one of the servers.
pub(crate) struct Member {
    client: Manager,
    pub(crate) server: Manager,
    /// The last position that it was told.
    pub(crate) position: Option<Position>,
}

/// What it received: everything but positions.
pub(crate) type Received = (Position, String);

impl Member {
    pub(crate) fn new() -> Self {
        let (client, server) = testing::pair(Upgrader::new().keepalive(Keepalive::disabled()));
        Self { client, server, position: None }
    }

    /// One that has everything that is published from now on.
    pub(crate) async fn join(topic: &Topic) -> Self {
        let member = Self::new();
        topic.join(&member.server, Overflow::Close).unwrap().stay();
        topic.ready().await;
        member
    }

    /// One that comes back.
    pub(crate) fn resume(topic: &Topic, position: impl Into<Option<Position>>) -> (Self, Recovered) {
        let member = Self::new();
        let recovered = topic.join_after(&member.server, position, Overflow::Close).unwrap();
        (member, recovered)
    }

    pub(crate) async fn recv(&mut self) -> Received {
        let message = timeout(PATIENCE, self.client.recv()).await.expect("a message").unwrap().unwrap();
        let (position, text) = message.as_text().unwrap().split_once(' ').unwrap();
        let position = position.parse().unwrap();
        self.position = Some(position);
        (position, text.to_owned())
    }

    /// The next messages.
    pub(crate) async fn take(&mut self, count: usize) -> Vec<Received> {
        let mut all = Vec::new();
        while all.len() < count {
            all.push(self.recv().await);
        }
        all
    }

    /// All messages up to this one.
    pub(crate) async fn up_to(&mut self, last: &str) -> Vec<Received> {
        let mut all = vec![self.recv().await];
        while all.last().unwrap().1 != last {
            all.push(self.recv().await);
        }
        all
    }
}

pub(crate) fn texts(received: &[Received]) -> Vec<&str> {
    received.iter().map(|(_, text)| &**text).collect()
}
