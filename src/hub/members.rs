//! The members of a topic, and what each has been sent.

use std::any::Any;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use super::position::Position;
use crate::connection::{FeedId, Inner};
use crate::protocol::Encoding;

/// The members of a topic in the order in which they joined.
#[derive(Debug, Default)]
pub(super) struct Members(BTreeMap<FeedId, Member>);

#[derive(Debug)]
pub(super) struct Member {
    pub(super) connection: Arc<Inner>,
    pub(super) encoding: Encoding,
    /// Everything up to this number was sent.
    pub(super) sent: u64,
    /// What it gets first, once the broker has answered. Until then it is sent nothing.
    pub(super) waits_for: Option<Replay>,
}

impl Members {
    pub(super) fn insert(&mut self, id: FeedId, member: Member) {
        self.0.insert(id, member);
    }

    pub(super) fn remove(&mut self, id: FeedId) -> Option<Member> {
        self.0.remove(&id)
    }

    pub(super) fn contains(&self, id: FeedId) -> bool {
        self.0.contains_key(&id)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (FeedId, &Member)> {
        self.0.iter().map(|(id, member)| (*id, member))
    }

    /// The member that joined last.
    #[cfg(any(feature = "nats", feature = "redis"))]
    pub(super) fn last(&self) -> Option<FeedId> {
        self.0.keys().next_back().copied()
    }

    /// Whether any member waits for the broker.
    #[cfg(any(feature = "nats", feature = "redis"))]
    pub(super) fn has_waiting(&self) -> bool {
        self.0.values().any(|member| member.waits_for.is_some())
    }

    /// The members that wait for the broker and for which `is_due` returns `true`, with what they get first. They no longer wait.
    #[cfg(any(feature = "nats", feature = "redis"))]
    pub(super) fn take_waiting(
        &mut self,
        mut is_due: impl FnMut(FeedId, Replay) -> bool,
    ) -> impl Iterator<Item = (FeedId, &mut Member, Replay)> {
        self.0.iter_mut().filter_map(move |(id, member)| {
            let replay = member.waits_for.take_if(|replay| is_due(*id, *replay))?;
            Some((*id, member, replay))
        })
    }

    /// The members that joined after this one, in order. `None`: all members.
    pub(super) fn joined_after(&mut self, last: Option<FeedId>) -> impl Iterator<Item = (FeedId, &mut Member)> {
        let from = last.map_or(Bound::Unbounded, Bound::Excluded);
        self.0.range_mut((from, Bound::Unbounded)).map(|(id, member)| (*id, member))
    }
}

/// What a new member gets first.
#[derive(Clone, Copy, Debug)]
pub(super) enum Replay {
    /// What was published after this position.
    After(Position),
    /// Everything that the history keeps.
    All,
    Nothing,
}

impl Replay {
    /// Whether it begins after a later position than this one.
    pub(super) fn is_after(self, position: Position) -> bool {
        matches!(self, Self::After(after) if after.is_later(position))
    }
}

/// Makes a guard for [`Inner::add_feed`] that calls `leave` when it is dropped.
pub(super) fn on_drop(leave: impl FnOnce() + Send + 'static) -> Box<dyn Any + Send> {
    struct OnDrop<F: FnOnce()>(Option<F>);

    impl<F: FnOnce()> Drop for OnDrop<F> {
        fn drop(&mut self) {
            if let Some(leave) = self.0.take() {
                leave();
            }
        }
    }

    Box::new(OnDrop(Some(leave)))
}
