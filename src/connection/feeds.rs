//! Publications that wait until the outgoing buffer of their connection has capacity: a feed for each seat.

use std::any::Any;

use crate::protocol::{Feed, FeedMessage, Sender};

/// The feeds of one connection: one for each seat.
///
/// 1. What a topic delivers goes into the outgoing buffer where that has capacity and nothing waits in the feed, and else into
///    the feed: so each feed keeps its order.
/// 2. The connection's task moves items from the feeds into the buffer whenever that has capacity. It alone takes them out.
/// 3. Feeds and handles have a capacity each, so that neither keeps the other from sending.
/// 4. The feeds are dropped, each with its guard, as soon as nothing can be sent any more; a guard is never dropped under the lock.
#[derive(Debug, Default)]
pub(super) struct Feeds {
    entries: Vec<Entry>,
    /// Where the next refill begins, one feed further each time, so that none waits for the others.
    next: usize,
    /// Something may wait in one of them.
    waiting: bool,
}

#[derive(Debug)]
pub(super) struct Entry {
    id: FeedId,
    feed: Feed,
    _guard: FeedGuard,
}

/// Which feed, of all that the process has had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct FeedId(pub(crate) u64);

/// Dropped when the feed is removed or its connection ends, whichever comes first.
pub(crate) type FeedGuard = Box<dyn Any + Send>;

impl Feeds {
    pub(super) fn add(&mut self, id: FeedId, feed: Feed, guard: FeedGuard) {
        self.waiting |= !feed.is_empty();
        self.entries.push(Entry { id, feed, _guard: guard });
    }

    /// Removes a feed with what waits in it. To be dropped without the lock.
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

    /// Whether nothing waits in any of them.
    #[inline]
    pub(super) fn is_idle(&self) -> bool {
        !self.waiting
    }

    /// How many publications wait.
    pub(super) fn publications(&self) -> usize {
        self.entries.iter().map(|entry| entry.feed.len()).sum()
    }

    /// Something was pushed into one of them.
    pub(super) fn set_waiting(&mut self) {
        self.waiting = true;
    }

    /// Moves what waits into the outgoing buffer, as far as that has capacity. Whether there is more that the
    /// connection must encode for itself.
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
        // All that is left is encoded next.
        self.waiting = needs_encoding;
        needs_encoding
    }

    /// Takes the next message that the connection must encode for itself.
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
