//! How a topic applies what its broker sends.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use tokio::time::Instant;

use super::history::Gap;
use super::position::Position;
use super::publication::Draft;
use super::state::State;
use super::topic_inner::TopicInner;
use crate::connection::FeedId;
use crate::panic_payload::drop_payload;

/// One publication as the broker keeps it.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) position: Position,
    pub(super) draft: Draft,
    /// How long ago it was published.
    pub(super) age: Duration,
}

/// What a broker keeps of a topic when the topic is loaded.
#[derive(Debug, Default)]
pub(super) struct Loaded {
    /// Publications up to this position are not available.
    pub(super) start: Position,
    /// All publications after `start`, without a gap.
    pub(super) kept: Vec<Kept>,
}

/// How many publications of a topic a broker is to keep, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Retention {
    pub(super) count: usize,
    pub(super) within: Duration,
}

impl Retention {
    /// The minimum, so that a server that was disconnected from the broker for a short time misses nothing.
    const LEAST: Self = Self { count: 1000, within: Duration::from_secs(120) };
}

impl TopicInner {
    /// Calls `publish` with the topic's lock held, so that publications reach the outbox in one order. Its second argument is
    /// `hold_back`: members wait for the topic to be loaded. What is published now must come after what is loaded, or they would
    /// not get it.
    pub(super) fn publish_in_order<T>(&self, publish: impl FnOnce(Retention, bool) -> T) -> T {
        let state = self.lock();
        let hold_back = !state.is_ready && !state.members.is_empty();
        publish(retention(&state.log), hold_back)
    }

    /// Marks the topic as followed. Returns `false` if it was so already.
    pub(super) fn start_following(&self) -> bool {
        !std::mem::replace(&mut self.lock().is_followed, true)
    }

    pub(super) fn is_followed(&self) -> bool {
        self.lock().is_followed
    }

    /// The last position, or `None` until the topic is loaded.
    pub(super) fn known_position(&self) -> Option<Position> {
        let state = self.lock();
        state.is_ready.then(|| state.log.position())
    }

    /// The largest number of publications that can be replayed to a new member.
    pub(super) fn replayable(&self) -> usize {
        self.lock().log.history().map_or(0, |history| history.last)
    }

    pub(super) fn retention(&self) -> Retention {
        retention(&self.lock().log)
    }

    /// Loads what the broker keeps, and sends their replay to the members that wait for it. `release` then lets the outbox publish
    /// what was held back for them.
    pub(super) fn load(self: &Arc<Self>, loaded: Loaded, release: impl FnOnce()) {
        let mut state = self.lock();
        state.log.skip_to(loaded.start);
        for kept in loaded.kept {
            let position = kept.position;
            if !self.append_or_report(&mut state, kept, false) {
                state.log.skip_to(position);
            }
        }
        state.is_ready = true;
        let position = state.log.position();
        state.replay_to_waiting(&self.budget, |_, replay| !replay.is_after(position));
        let waiting = state.members.has_waiting();
        release();
        self.distribute(state);
        self.ready.notify_waiters();
        if waiting {
            self.backplane.catch_up(self);
        }
    }

    /// Returns whether the caller must request the broker's log to be read again. `false`: such a request is queued already.
    pub(super) fn request_catch_up(&self) -> bool {
        !std::mem::replace(&mut self.lock().catch_up_requested, true)
    }

    /// Called right before the broker's log is read. Returns the last member that has joined so far: what the members up to this
    /// one know was published before this moment, so that the log has it.
    pub(super) fn start_catch_up(&self) -> Option<FeedId> {
        let mut state = self.lock();
        state.catch_up_requested = false;
        state.members.last()
    }

    /// Called when the broker's log was read up to `end`. Members up to `last` get their replay: a gap, if they know a position
    /// that the log does not have.
    pub(super) fn caught_up(&self, last: FeedId, end: Position) {
        let mut state = self.lock();
        state.log.advance_to(end);
        state.replay_to_waiting(&self.budget, |member, _| member <= last);
    }

    /// Appends a publication of the broker's log, and starts its delivery.
    pub(super) fn append_kept(self: &Arc<Self>, kept: Kept) {
        self.make_room();
        let mut state = self.lock();
        let (position, has_members) = (kept.position, !state.members.is_empty());
        if !self.append_or_report(&mut state, kept, has_members) {
            return self.skip_over(state, position);
        }
        self.counters.published();
        self.distribute(state);
    }

    /// Returns `false`, with the log unchanged, if the user's [`Topic::encode`](crate::Topic::encode) has panicked: the publication
    /// is lost.
    fn append_or_report(&self, state: &mut State, Kept { position, draft, age }: Kept, has_members: bool) -> bool {
        let now = Instant::now();
        let published = now.checked_sub(age).unwrap_or(now);
        let append = || state.append(position, draft, published, has_members);
        let appended = catch_unwind(AssertUnwindSafe(append));
        appended
            .inspect_err(
                |_| tracing::error!(topic = &*self.name, %position, "the function of `Topic::encode` panicked"),
            )
            .map_err(drop_payload)
            .is_ok()
    }

    /// Called when publications up to this position are lost. Members get the message of
    /// [`Topic::tell_gap`](crate::Topic::tell_gap), if there is one.
    pub(super) fn skip_to(self: &Arc<Self>, position: Position) {
        self.skip_over(self.lock(), position);
    }

    fn skip_over(self: &Arc<Self>, mut state: MutexGuard<'_, State>, position: Position) {
        let gap = Gap { after: state.log.position(), up_to: position };
        tracing::warn!(topic = &*self.name, after = %gap.after, up_to = %gap.up_to, "publications are lost");
        self.counters.gap();
        state.log.skip_to(position);
        if !state.members.is_empty()
            && let Some(message) = state.gap_message(gap)
        {
            state.log.append_notice(message, Instant::now());
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
