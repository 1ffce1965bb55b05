//! One value to many connections: topics, their members, and what was published to them.
//!
//! ```text
//! Topic::publish → Backplane (order) → TopicInner: Log, members ── distributor ──► Sweep ──► connections
//! ```
//!
//! A publication is put into the topic's [`Log`](log::Log), which gives it its position. One short-lived task, the distributor,
//! then visits the members and delivers to each what it has not been sent yet. In the order in which the files are best read:
//!
//! | file | contents |
//! | --- | --- |
//! | `hub`, `topic`, `seat` | the public handles: all topics, one topic, one membership |
//! | `topic_inner` | what the handles of a topic share; the invariants and the order of the locks |
//! | `state` | what the topic's lock protects: log, members, settings |
//! | `log`, `publication`, `position`, `history` | the order of publications, their frames, and what is kept and replayed |
//! | `members`, `presence`, `stats` | the memberships, their presence values, the counters |
//! | `distributor`, `sweep` | the task that delivers, and which members it delivers to next |
//! | `periodic` | one producer of values for all members |
//! | `registry` | the topics of a hub by name |
//! | `backplane` | where the order comes from: this process or a broker |
//! | `from_broker` | how a topic applies what its broker sends |
//!
//! A publication has several types on its way:
//!
//! | type | stage |
//! | --- | --- |
//! | [`Draft`](publication::Draft) | passed to `publish`, without a position |
//! | `Outgoing`, with an `Envelope` | with a broker: in the outbox, encoded for the broker |
//! | `Entry`, then `Kept` | with a broker: read from its log, with its position; then decoded |
//! | [`Publication`](publication::Publication) | in the topic's log, with its position and its frames |
//! | [`Item`](crate::protocol::Item) | in the queue (`Feed`) of one slow member |

mod backplane;
mod distributor;
#[cfg(any(feature = "nats", feature = "redis"))]
#[cfg_attr(not(feature = "redis"), expect(dead_code, reason = "some of it is used by Redis only"))]
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

// Declared after `topic`, so that the methods of `topic` come first in the documentation of `Topic`.
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
