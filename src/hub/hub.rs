//! The public handle to a hub.

use std::fmt;
use std::sync::Arc;

use super::backplane::Backplane;
#[cfg(any(feature = "nats", feature = "redis"))]
use super::backplane::Broker;
use super::registry::Registry;
use super::topic::Topic;
use crate::budget::Budget;

/// A set of topics. Connections join a topic, and what is published to it is sent to them.
///
/// A hub is cheap to clone; all clones have the same topics. A topic is created by the first call of
/// [`topic`](Self::topic), and dropped when it has no handle, no member and nothing in its [`History`](crate::History).
/// When the last clone of the hub is dropped, a history no longer keeps its topic.
///
/// ```
/// use tower_websocket::{Error, Hub, Manager, Overflow};
///
/// /// Sends each message to all other members.
/// async fn chat(ws: Manager, hub: Hub) -> Result<(), Error> {
///     let room = hub.topic("room");
///     let seat = room.join(&ws, Overflow::Close)?;
///     while let Some(message) = ws.recv().await? {
///         room.publish_except(&seat, message)?;
///     }
///     Ok(())
/// }
/// ```
///
/// # What a delivery costs
///
/// A message is serialised, framed and compressed once for all members. Two kinds of connections cannot share these bytes
/// and encode for themselves: clients, which mask, and connections with context takeover, whose messages refer to earlier
/// ones. Several publications to a member can leave in one system call.
///
/// # Order
///
/// All members of a topic get its publications in the same order, each once, except those that
/// [`Overflow`](crate::Overflow) drops. There is no order between topics, nor between a topic and what a handler sends
/// itself.
#[doc(alias = "broadcast")]
#[doc(alias = "pubsub")]
#[derive(Clone)]
pub struct Hub(Arc<Registry>);

impl Hub {
    /// A hub for the connections of this process.
    #[must_use]
    pub fn new() -> Self {
        Self::with_budget(Budget::process())
    }

    /// A hub that charges publications to this budget, for as long as a member or a history needs them. [`Hub::new`] uses
    /// [`Budget::process`].
    ///
    /// If more than half of the budget is in use, histories are dropped. If all of it is, the queue of a slow member is limited to
    /// one publication.
    #[must_use]
    pub fn with_budget(budget: Budget) -> Self {
        Self(Arc::new(Registry::new(budget, Backplane::local())))
    }

    /// A hub on many servers: all servers with the same broker have the same topics. The broker assigns the order and the
    /// positions, so that a client can reconnect to another server. Publications are charged to [`Budget::process`].
    ///
    /// ```no_run
    /// # #[cfg(feature = "redis")]
    /// # async fn example() -> Result<(), tower_websocket::Error> {
    /// use tower_websocket::{Hub, Redis};
    ///
    /// let hub = Hub::with(Redis::connect("redis://127.0.0.1/").await?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # While the broker is away
    ///
    /// Connections and memberships stay. Publications of this server wait, up to 16 MiB, and those of other servers arrive
    /// later. Once the broker is back, members get everything that it has kept. Lost publications are a gap:
    /// [`Topic::tell_gap`] reports it to members in the place of the publications, and
    /// [`TopicStats::gaps`](crate::TopicStats::gaps) counts it.
    ///
    /// # What covers this server only
    ///
    /// [`Topic::members`], [`Topic::presence`] and [`TopicStats`](crate::TopicStats). What [`Topic::on_presence`] publishes
    /// reaches the members at all servers. The guide [`brokers`](crate::guide::brokers#who-is-here-at-all-servers) shows how to
    /// list the members at all servers.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    #[cfg(any(feature = "nats", feature = "redis"))]
    #[cfg_attr(docsrs, doc(cfg(any(feature = "nats", feature = "redis"))))]
    #[must_use]
    pub fn with(broker: impl Broker) -> Self {
        let budget = Budget::process();
        let backplane = Backplane::remote(broker, &budget);
        Self(Arc::new(Registry::new(budget, backplane)))
    }

    /// Returns the topic with this name, and creates it if there is none.
    ///
    /// Settings belong to the topic and not to the handle, and last as long as the topic: set them at each call, or keep a
    /// handle.
    #[must_use]
    pub fn topic(&self, name: impl AsRef<str>) -> Topic {
        Topic::new(self.0.topic(name.as_ref()))
    }

    /// The budget that publications are charged to.
    #[must_use]
    pub fn get_budget(&self) -> &Budget {
        &self.0.budget
    }

    /// The number of topics.
    #[must_use]
    pub fn topics(&self) -> usize {
        self.0.len()
    }
}

impl Default for Hub {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub").field("topics", &self.topics()).finish_non_exhaustive()
    }
}
