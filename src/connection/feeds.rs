//! Publications that wait for capacity in a connection's outgoing buffer: one feed for each membership.

use std::any::Any;

use crate::protocol::{Feed, FeedMessage, Sender};

/// The feeds of one connection: one for each membership.
///
/// 1. What a topic delivers goes into the outgoing buffer if that has capacity and all feeds are empty, and otherwise into the
///    feed: so each feed keeps its order.
/// 2. Only the connection's task removes items from the feeds. It moves them into the buffer whenever that has capacity.
/// 3. Feeds and handles have separate capacities, so that neither prevents the other from sending.
/// 4. The feeds are dropped, each with its guard, as soon as nothing can be sent any more. A guard is never dropped while the
///    lock is held.
#[derive(Debug, Default)]
pub(super) struct Feeds {
    entries: Vec<Entry>,
    /// The index of the feed with which the next refill begins: one further each time, so that all get the same share.
    next: usize,
    /// Whether a feed may have items.
    waiting: bool,
}

#[derive(Debug)]
pub(super) struct Entry {
    id: FeedId,
    feed: Feed,
    _guard: FeedGuard,
}

/// A number that no other feed of this process has or had. Later feeds have larger ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct FeedId(pub(crate) u64);

/// Dropped when the feed is removed or its connection ends, whichever comes first.
pub(crate) type FeedGuard = Box<dyn Any + Send>;

impl Feeds {
    pub(super) fn add(&mut self, id: FeedId, feed: Feed, guard: FeedGuard) {
        self.waiting |= !feed.is_empty();
        self.entries.push(Entry { id, feed, _guard: guard });
    }

    /// Removes a feed with its items. The caller drops it after releasing the lock.
    pub(super) fn remove(&mut self, id: FeedId) -> Option<Entry> {
        let index = self.entries.iter().position(|entry| entry.id == id);
        let removed = index.map(|index| self.entries.swap_remove(index));
        if self.entries.is_empty() {
            *self = Self::default();
        }
        removed
    }

    #[inline]
    pub(super) fn get_mut(&mut self, id: FeedId) -> Option<&mut Feed> {
        self.entries.iter_mut().find(|entry| entry.id == id).map(|entry| &mut entry.feed)
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether all feeds are empty.
    #[inline]
    pub(super) fn is_idle(&self) -> bool {
        !self.waiting
    }

    /// How many publications wait.
    pub(super) fn publications(&self) -> usize {
        self.entries.iter().map(|entry| entry.feed.len()).sum()
    }

    /// Called when something was pushed into a feed.
    pub(super) fn set_waiting(&mut self) {
        self.waiting = true;
    }

    /// Moves encoded items into the outgoing buffer, as far as that has capacity. Returns whether there are items that the
    /// connection must encode itself.
    pub(super) fn refill(&mut self, sender: &mut Sender) -> bool {
        let mut needs_encoding = false;
        let count = self.entries.len();
        for offset in 0..count {
            let index = (self.next + offset) % count;
            let feed = &mut self.entries[index].feed;
            while sender.has_topic_capacity()
                && let Some((frame, payload)) = feed.pop_shared()
            {
                sender.push_shared(frame, 1, payload as u64);
            }
            needs_encoding |= feed.needs_encoding();
            if !sender.has_topic_capacity() {
                self.next = index + 1;
                return false;
            }
        }
        // What is left must be encoded by the connection.
        self.waiting = needs_encoding;
        needs_encoding
    }

    /// Removes the next message that the connection must encode itself.
    pub(super) fn pop_message(&mut self) -> Option<FeedMessage> {
        let count = self.entries.len();
        let found = (0..count).find_map(|offset| {
            let index = (self.next + offset) % count;
            let message = self.entries[index].feed.pop_message()?;
            Some((message, index))
        });
        let (message, index) = found?;
        self.next = index + 1;
        Some(message)
    }
}
