//! Where the order of publications comes from: the log of this process, or that of a broker.

mod local;

use std::sync::Arc;

use self::local::Local;
use super::publication::Draft;
use super::topic_inner::TopicInner;
use crate::error::Error;

/// What gives publications their order and their positions.
///
/// [`publish`](Self::publish) does not wait. The backplane calls [`TopicInner::append`] for each publication, in its order: at
/// once where the log is in this process, and later, from a task of its own, where it is a broker's.
#[derive(Debug)]
pub(super) enum Backplane {
    /// One process.
    Local(Local),
}

impl Backplane {
    pub(super) fn local() -> Self {
        Self::Local(Local)
    }

    /// The epoch of a topic that is made now.
    pub(super) fn epoch(&self) -> u64 {
        match self {
            Self::Local(local) => local.epoch(),
        }
    }

    /// Hands a publication over.
    pub(super) fn publish(&self, topic: &Arc<TopicInner>, draft: Draft) -> Result<(), Error> {
        match self {
            Self::Local(local) => local.publish(topic, draft),
        }
    }
}
