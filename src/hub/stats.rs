//! The counters of a topic.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::metrics::hub;

/// Counters of one topic since it was first used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TopicStats {
    /// Publications that were dropped because a member was slow, counted for each member.
    pub dropped: u64,
    /// Publications that were handed to members, counted for each member. Those that were [`dropped`](Self::dropped)
    /// afterwards are among them.
    pub delivered: u64,
    /// Gaps: how often publications were lost by a broker or on the way from it.
    pub gaps: u64,
    /// How many members there are now.
    pub members: usize,
    /// Members whose connections were closed because they were too slow.
    pub overflowed: u64,
    /// How many messages were published.
    pub published: u64,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    published: AtomicU64,
    delivered: AtomicU64,
    dropped: AtomicU64,
    overflowed: AtomicU64,
    gaps: AtomicU64,
}

impl Counters {
    pub(super) fn add(&self, delivered: u64, dropped: u64, overflowed: u64) {
        self.delivered.fetch_add(delivered, Ordering::Relaxed);
        self.dropped.fetch_add(dropped, Ordering::Relaxed);
        self.overflowed.fetch_add(overflowed, Ordering::Relaxed);
        hub::delivered(delivered, dropped);
    }

    pub(super) fn published(&self) {
        self.published.fetch_add(1, Ordering::Relaxed);
        hub::published();
    }

    /// Counts a gap.
    #[cfg(any(feature = "nats", feature = "redis"))]
    pub(super) fn gap(&self) {
        self.gaps.fetch_add(1, Ordering::Relaxed);
        hub::gap();
    }

    pub(super) fn stats(&self, members: usize) -> TopicStats {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        TopicStats {
            dropped: load(&self.dropped),
            delivered: load(&self.delivered),
            gaps: load(&self.gaps),
            members,
            overflowed: load(&self.overflowed),
            published: load(&self.published),
        }
    }
}
