//! The hub that users hold.

use std::fmt;
use std::sync::Arc;

use super::backplane::Backplane;
#[cfg(any(feature = "nats", feature = "redis"))]
use super::backplane::Broker;
use super::registry::Registry;
use super::topic::Topic;
use crate::budget::Budget;

/// Topics, which connections join, and to which messages are published.
///
/// A hub is cheap to clone; all clones have the same topics. Topics need no setting up: each is made when it is first asked
/// for, and forgotten when it has no handle, no member and no [`History`](crate::History). When the last clone of the hub is
/// dropped, histories alone keep no topic any more.
///
/// ```
/// use tower_websocket::{Error, Hub, Manager, Overflow};
///
/// /// What anybody says, everybody else hears.
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
/// A message is serialised, framed and compressed once, whatever number of members it goes to. Only connections that cannot
/// share bytes encode for themselves: clients, which mask, and those with context takeover, whose messages refer to earlier
/// ones. What is published while earlier publications are on their way is joined with them, so that a member gets several in
/// one system call.
///
/// # Order
///
/// All members of a topic get its publications in the same order, each once, but for what [`Overflow`](crate::Overflow) drops.
/// There is no order between topics, nor between a topic and what a handler sends by itself.
#[derive(Clone)]
pub struct Hub(Arc<Registry>);

impl Hub {
    /// A hub for the connections of this process.
    #[must_use]
    pub fn new() -> Self {
        Self::with_budget(Budget::process())
    }

    /// A hub whose publications are charged to this budget for as long as any member or history needs them.
    /// [`Hub::new`] takes [`Budget::process`].
    ///
    /// Where it is used up, histories are forgotten, and members that are slow have a queue of one publication.
    #[must_use]
    pub fn with_budget(budget: Budget) -> Self {
        Self(Arc::new(Registry::new(budget, Backplane::local())))
    }

    /// A hub on many servers: all that have the same broker have the same topics. Publications get their order and their positions
    /// from the broker, so that a client may come back to another server. They are charged to [`Budget::process`].
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
    /// Connections and memberships stay. What is published waits, up to 16 MiB, and what others publish comes later. Once the
    /// broker is back, members get everything that it has kept. What it has lost is a gap: [`Topic::tell_gap`] tells members
    /// in its place, and [`TopicStats::gaps`](crate::TopicStats::gaps) counts.
    ///
    /// # What is of this server alone
    ///
    /// [`Topic::members`], [`Topic::presence`] and [`TopicStats`](crate::TopicStats). What
    /// [`Topic::on_presence`] publishes reaches all.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    #[cfg(any(feature = "nats", feature = "redis"))]
    #[cfg_attr(docsrs, doc(cfg(any(feature = "nats", feature = "redis"))))]
    #[must_use]
    pub fn with(broker: impl Broker) -> Self {
        let budget = Budget::process();
        let backplane = Backplane::of(broker, &budget);
        Self(Arc::new(Registry::new(budget, backplane)))
    }

    /// The topic of this name.
    ///
    /// Its settings are those of the topic and not of the handle, and last as long as the topic: set them wherever the topic
    /// is asked for, or keep a handle.
    #[must_use]
    pub fn topic(&self, name: impl AsRef<str>) -> Topic {
        Topic::new(self.0.topic(name.as_ref()))
    }

    /// The budget that publications are charged to.
    #[must_use]
    pub fn get_budget(&self) -> &Budget {
        &self.0.budget
    }

    /// How many topics there are.
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
