//! Where the order of publications comes from: the log of this process, or that of a broker.

mod local;
#[cfg(feature = "nats")]
mod nats;
#[cfg(feature = "redis")]
mod redis;
#[cfg(any(feature = "nats", feature = "redis"))]
#[cfg_attr(not(feature = "redis"), expect(dead_code, unused_imports, reason = "some of it is for Redis alone"))]
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

/// What gives publications their order and their positions.
///
/// [`publish`](Self::publish) does not wait. The backplane appends each publication to its topic, in its order: at once where the
/// log is in this process, and later, from a task of its own, where it is a broker's.
#[derive(Debug)]
pub(super) enum Backplane {
    /// One process.
    Local(Local),
    /// Many, and a broker.
    #[cfg(any(feature = "nats", feature = "redis"))]
    Remote(Remote),
}

impl Backplane {
    pub(super) fn local() -> Self {
        Self::Local(Local)
    }

    #[cfg(any(feature = "nats", feature = "redis"))]
    pub(super) fn of(broker: impl Broker, budget: &crate::Budget) -> Self {
        Self::Remote(Remote::start(broker, budget))
    }

    /// Where a topic begins that is made now. `None`: only the broker knows, and [`follow`](Self::follow) asks it.
    pub(super) fn start(&self) -> Option<Position> {
        match self {
            Self::Local(local) => Some(local.start()),
            #[cfg(any(feature = "nats", feature = "redis"))]
            Self::Remote(_) => None,
        }
    }

    /// Whether another server may know later positions than this one.
    pub(super) fn is_shared(&self) -> bool {
        !matches!(self, Self::Local(_))
    }

    /// Asks the broker what it keeps of a topic, and for what is published to it from then on.
    #[cfg_attr(not(any(feature = "nats", feature = "redis")), expect(unused_variables, reason = "it is always ready"))]
    pub(super) fn follow(&self, topic: &Arc<TopicInner>) {
        match self {
            Self::Local(_) => {}
            #[cfg(any(feature = "nats", feature = "redis"))]
            Self::Remote(remote) => remote.follow(topic),
        }
    }

    /// Asks the broker for what it has of a topic by now: a member knows a later position than this server.
    #[cfg_attr(not(any(feature = "nats", feature = "redis")), expect(unused_variables, reason = "no server is behind"))]
    pub(super) fn catch_up(&self, topic: &Arc<TopicInner>) {
        match self {
            Self::Local(_) => {}
            #[cfg(any(feature = "nats", feature = "redis"))]
            Self::Remote(remote) => remote.catch_up(topic),
        }
    }

    /// The topic is dropped.
    #[cfg_attr(not(any(feature = "nats", feature = "redis")), expect(unused_variables, reason = "nothing knows it"))]
    pub(super) fn unfollow(&self, topic: &TopicInner) {
        match self {
            Self::Local(_) => {}
            #[cfg(any(feature = "nats", feature = "redis"))]
            Self::Remote(remote) => remote.unfollow(topic),
        }
    }

    /// Hands a publication over.
    pub(super) fn publish(&self, topic: &Arc<TopicInner>, draft: Draft) -> Result<(), Error> {
        match self {
            Self::Local(local) => local.publish(topic, draft),
            #[cfg(any(feature = "nats", feature = "redis"))]
            Self::Remote(remote) => remote.publish(topic, draft),
        }
    }
}
