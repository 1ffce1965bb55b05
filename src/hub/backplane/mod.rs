//! Where the order of publications comes from: the log of this process, or that of a broker.

mod local;
#[cfg(feature = "nats")]
mod nats;
#[cfg(feature = "redis")]
mod redis;
#[cfg(any(feature = "nats", feature = "redis"))]
#[cfg_attr(not(feature = "redis"), expect(dead_code, unused_imports, reason = "some of it is used by Redis only"))]
mod remote;

use std::sync::Arc;

use self::local::Local;
#[cfg(feature = "nats")]
pub use self::nats::Nats;
#[cfg(feature = "redis")]
pub use self::redis::Redis;
#[cfg(any(feature = "nats", feature = "redis"))]
pub use self::remote::Broker;
#[cfg(any(feature = "nats", feature = "redis"))]
use self::remote::Remote;
use super::position::Position;
use super::publication::Draft;
use super::topic_inner::TopicInner;
use crate::error::Error;

/// Assigns the order and the positions of publications.
///
/// [`publish`](Self::publish) does not wait. Without a broker, it appends the publication to its topic at once. With a broker, a
/// task sends it to the broker's log, and appends what that log has to the topics.
#[derive(Debug)]
pub(super) enum Backplane {
    /// A hub in one process.
    Local(Local),
    /// A hub on many servers, with a broker.
    #[cfg(any(feature = "nats", feature = "redis"))]
    Remote(Remote),
}

impl Backplane {
    pub(super) fn local() -> Self {
        Self::Local(Local)
    }

    #[cfg(any(feature = "nats", feature = "redis"))]
    pub(super) fn remote(broker: impl Broker, budget: &crate::Budget) -> Self {
        Self::Remote(Remote::start(broker, budget))
    }

    /// The position at which a new topic begins. `None`: it must be loaded from the broker, which [`follow`](Self::follow)
    /// requests.
    pub(super) fn start(&self) -> Option<Position> {
        match self {
            Self::Local(local) => Some(local.start()),
            #[cfg(any(feature = "nats", feature = "redis"))]
            Self::Remote(_) => None,
        }
    }

    /// Whether other servers publish to the same topics, so that a client can know a later position than this server.
    pub(super) fn is_shared(&self) -> bool {
        !matches!(self, Self::Local(_))
    }

    /// Requests what the broker keeps of a topic, and what is published to it from then on.
    #[cfg_attr(not(any(feature = "nats", feature = "redis")), expect(unused_variables, reason = "needs a broker"))]
    pub(super) fn follow(&self, topic: &Arc<TopicInner>) {
        match self {
            Self::Local(_) => {}
            #[cfg(any(feature = "nats", feature = "redis"))]
            Self::Remote(remote) => remote.follow(topic),
        }
    }

    /// Requests that the broker's log of a topic is read to its end, because a member knows a later position than this server.
    #[cfg_attr(not(any(feature = "nats", feature = "redis")), expect(unused_variables, reason = "needs a broker"))]
    pub(super) fn catch_up(&self, topic: &Arc<TopicInner>) {
        match self {
            Self::Local(_) => {}
            #[cfg(any(feature = "nats", feature = "redis"))]
            Self::Remote(remote) => remote.catch_up(topic),
        }
    }

    /// Called when a topic is dropped.
    #[cfg_attr(not(any(feature = "nats", feature = "redis")), expect(unused_variables, reason = "needs a broker"))]
    pub(super) fn unfollow(&self, topic: &TopicInner) {
        match self {
            Self::Local(_) => {}
            #[cfg(any(feature = "nats", feature = "redis"))]
            Self::Remote(remote) => remote.unfollow(topic),
        }
    }

    /// Publishes without waiting.
    pub(super) fn publish(&self, topic: &Arc<TopicInner>, draft: Draft) -> Result<(), Error> {
        match self {
            Self::Local(local) => local.publish(topic, draft),
            #[cfg(any(feature = "nats", feature = "redis"))]
            Self::Remote(remote) => remote.publish(topic, draft),
        }
    }
}
