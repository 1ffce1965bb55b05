//! One value to many connections: topics, their members, and what was published to them.
//!
//! ```text
//! Topic::publish → Backplane (order) → TopicInner: Log, members ── distributor ──► Sweep ──► connections
//! ```
//!
//! A publication is put into the topic's [`Log`](log::Log), which gives it its position. One short-lived task, the distributor,
//! then goes through the members and hands each what it has not got yet. `topic_inner` has the rules.

mod backplane;
mod distributor;
#[cfg(any(feature = "nats", feature = "redis"))]
#[cfg_attr(not(feature = "redis"), expect(dead_code, reason = "some of it is for Redis alone"))]
mod from_broker;
mod history;
#[expect(clippy::module_inception, reason = "the type that the folder is named after")]
mod hub;
mod log;
mod members;
mod position;
mod presence;
mod publication;
mod registry;
mod seat;
mod state;
mod stats;
mod sweep;
mod topic;
mod topic_inner;

// Behind `topic`, whose methods come first in the documentation of `Topic`.
#[cfg(feature = "json")]
mod periodic;

#[cfg(any(feature = "nats", feature = "redis"))]
pub use self::backplane::Broker;
#[cfg(feature = "nats")]
pub use self::backplane::Nats;
#[cfg(feature = "redis")]
pub use self::backplane::Redis;
pub use self::history::{Gap, History, Recovered};
pub use self::hub::Hub;
pub use self::position::Position;
pub use self::presence::{Presence, PresenceChange};
pub use self::seat::Seat;
pub use self::stats::TopicStats;
pub use self::topic::Topic;
