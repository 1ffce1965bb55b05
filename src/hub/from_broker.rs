//! What a broker does with a topic.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::history::Gap;
use super::position::Position;
use super::publication::Draft;
use super::topic_inner::TopicInner;

/// One publication as the broker keeps it.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) position: Position,
    pub(super) draft: Draft,
    /// How long ago it was published.
    pub(super) age: Duration,
}

/// What a broker keeps of a topic when it is asked first.
#[derive(Debug, Default)]
pub(super) struct Loaded {
    /// Up to here nothing is known.
    pub(super) start: Position,
    /// What comes behind it, without a gap.
    pub(super) kept: Vec<Kept>,
}

/// How much a broker is to keep of a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Retention {
    pub(super) count: usize,
    pub(super) within: Duration,
}

impl Retention {
    /// For servers that are cut off from the broker for a while.
    const LEAST: Self = Self { count: 1000, within: Duration::from_secs(120) };
}

impl TopicInner {
    /// Calls this at once, unless members wait for the broker's answer: then after it, so that they get what is published now.
    pub(super) fn publish_in_order<T>(&self, draft: Draft, publish: impl FnOnce(Draft, Retention) -> T) -> Option<T> {
        let mut state = self.lock();
        if !state.is_ready && !state.members.is_empty() {
            state.unpublished.push(draft);
            return None;
        }
        let retention = retention(&state.log);
        Some(publish(draft, retention))
    }

    /// Whether it is to be followed from now on. `false`: it is already.
    pub(super) fn start_following(&self) -> bool {
        !std::mem::replace(&mut self.lock().is_followed, true)
    }

    /// The last position, once the broker has answered.
    pub(super) fn known_position(&self) -> Option<Position> {
        let state = self.lock();
        state.is_ready.then(|| state.log.position())
    }

    /// How many publications a new member may be replayed.
    pub(super) fn replayable(&self) -> usize {
        self.lock().log.history().map_or(0, |history| history.last)
    }

    pub(super) fn retention(&self) -> Retention {
        retention(&self.lock().log)
    }

    /// What the broker keeps is known, and members that wait get theirs. Then this publishes what was held back for them.
    pub(super) fn load(self: &Arc<Self>, loaded: Loaded, mut publish: impl FnMut(Draft, Retention)) {
        let now = Instant::now();
        let mut state = self.lock();
        state.log.skip_to(loaded.start);
        for Kept { position, draft, age } in loaded.kept {
            state.append(position, draft, now.checked_sub(age).unwrap_or(now), false);
        }
        state.is_ready = true;
        state.replay_to_waiting(&self.budget);
        let retention = retention(&state.log);
        for draft in std::mem::take(&mut state.unpublished) {
            publish(draft, retention);
        }
        self.distribute(state);
        self.ready.notify_waiters();
    }

    /// Puts a publication at the end of the order.
    pub(super) fn append_kept(self: &Arc<Self>, Kept { position, draft, age }: Kept) {
        let now = Instant::now();
        let mut state = self.lock();
        let has_members = !state.members.is_empty();
        state.append(position, draft, now.checked_sub(age).unwrap_or(now), has_members);
        self.counters.published();
        self.distribute(state);
    }

    /// The broker has lost what comes before this position. Members are told, if they are to be.
    pub(super) fn skip_to(self: &Arc<Self>, position: Position) {
        let mut state = self.lock();
        let gap = Gap { after: state.log.position(), up_to: position };
        tracing::warn!(topic = &*self.name, after = %gap.after, up_to = %gap.up_to, "publications are lost");
        self.counters.gap();
        state.log.skip_to(position);
        if let Some(notice) = state.gap_notice.clone()
            && !state.members.is_empty()
        {
            state.log.append_notice(notice(gap), Instant::now());
        }
        self.distribute(state);
    }
}

fn retention(log: &super::log::Log) -> Retention {
    let least = Retention::LEAST;
    log.history().map_or(least, |history| Retention {
        count: history.last.max(least.count),
        within: history.within.max(least.within),
    })
}
