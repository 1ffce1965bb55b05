//! What topics send over a connection: straight into the outgoing buffer while it has capacity, else through a feed.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::PoisonError;

use bytes::Bytes;

use super::driver::panicked;
use super::inner::Inner;
use crate::close::{CloseCode, CloseFrame};
use crate::error::Error;
use crate::protocol::{Encoding, Feed, Item, Own, Pushed, Sender};
use crate::role::Role;

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
    /// Where the next refill begins, so that each feed has its turn.
    next: usize,
    /// Something may wait in one of them.
    waiting: bool,
}

#[derive(Debug)]
struct Entry {
    id: FeedId,
    feed: Feed,
    _guard: FeedGuard,
}

/// Which feed, of all that the process has had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct FeedId(pub(crate) u64);

/// Dropped when the feed is removed or its connection ends, whichever comes first.
pub(crate) type FeedGuard = Box<dyn Any + Send>;

/// Publications in a row as one piece of bytes.
#[derive(Clone, Debug)]
pub(crate) struct Joined {
    pub(crate) frames: Bytes,
    pub(crate) messages: u64,
    pub(crate) payload: u64,
}

/// What became of a delivery.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Delivered {
    /// The connection is to be closed, as its feed is full.
    pub(crate) overflowed: bool,
    /// How many publications were dropped from the feed.
    pub(crate) dropped: u64,
}

/// What waits in a feed, and what was dropped from it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct FeedStatus {
    pub(crate) waiting: usize,
    pub(crate) dropped: u64,
}

impl Feeds {
    #[inline]
    fn get_mut(&mut self, id: FeedId) -> Option<&mut Feed> {
        self.entries.iter_mut().find(|entry| entry.id == id).map(|entry| &mut entry.feed)
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

    /// Moves what waits into the outgoing buffer, as far as that has capacity. Whether there is more that the connection must
    /// encode itself.
    pub(super) fn refill(&mut self, sender: &mut Sender) -> bool {
        let mut own = false;
        let count = self.entries.len();
        for turn in 0..count {
            let index = (self.next + turn) % count;
            let feed = &mut self.entries[index].feed;
            while sender.has_topic_capacity()
                && let Some((frame, payload)) = feed.pop_shared()
            {
                sender.push_shared(frame, 1, payload as u64);
            }
            own |= feed.needs_encoding();
            if !sender.has_topic_capacity() {
                self.next = index + 1;
                return false;
            }
        }
        // All that is left is encoded next.
        self.waiting = own;
        own
    }

    /// The next message that the connection must encode itself.
    fn pop_own(&mut self) -> Option<Own> {
        let count = self.entries.len();
        let found = (0..count).find_map(|turn| {
            let index = (self.next + turn) % count;
            let own = self.entries[index].feed.pop_own()?;
            Some((own, index))
        });
        let (own, index) = found?;
        self.next = index + 1;
        Some(own)
    }
}

impl Inner {
    /// How messages are encoded on this connection.
    pub(crate) fn encoding(&self) -> Encoding {
        if self.lock().sender.role() == Role::Client {
            return Encoding::Own;
        }
        let deflater = self.deflater.lock().unwrap_or_else(PoisonError::into_inner);
        match deflater.as_ref() {
            None => Encoding::Plain,
            Some(deflater) => deflater.stateless().map_or(Encoding::Own, Encoding::Deflate),
        }
    }

    /// Adds a feed, or gives the guard back with the reason why nothing can be sent any more.
    pub(crate) fn add_feed(&self, id: FeedId, feed: Feed, guard: FeedGuard) -> Result<(), (Error, FeedGuard)> {
        let mut state = self.lock();
        if let Err(error) = state.lifecycle.check_writable() {
            return Err((error, guard));
        }
        state.feeds.waiting |= !feed.is_empty();
        state.feeds.entries.push(Entry { id, feed, _guard: guard });
        Ok(())
    }

    /// Has the task send what waits in a feed that was added.
    pub(crate) fn start_feed(&self) {
        self.driver.notify_without_lock();
    }

    /// Begins a feed, which is empty, with a replay.
    #[cfg(any(feature = "nats", feature = "redis"))]
    pub(crate) fn replay(&self, id: FeedId, items: Vec<Item>) {
        let mut state = self.lock();
        if items.is_empty() {
            return;
        }
        let Some(feed) = state.feeds.get_mut(id) else { return };
        feed.replay(items);
        state.feeds.waiting = true;
        drop(state);
        self.driver.notify();
    }

    /// Removes a feed with what waits in it.
    pub(crate) fn remove_feed(&self, id: FeedId) {
        let mut state = self.lock();
        let index = state.feeds.entries.iter().position(|entry| entry.id == id);
        let removed = index.map(|index| state.feeds.entries.swap_remove(index));
        if state.feeds.entries.is_empty() {
            state.feeds = Feeds::default();
        }
        drop(state);
        drop(removed);
    }

    /// Sends publications in a row: `joined`, or else one by one through the feed. `scarce`: memory is short.
    #[inline]
    pub(crate) fn deliver<I: Iterator<Item = Item>>(
        &self,
        id: FeedId,
        joined: Option<&Joined>,
        items: impl FnOnce() -> I,
        scarce: bool,
    ) -> Delivered {
        let mut delivered = Delivered::default();
        let mut state = self.lock();
        let state_ref = &mut *state;
        let Some(feed) = state_ref.feeds.get_mut(id) else { return delivered };
        let has_capacity = state_ref.sender.has_topic_capacity();
        match joined {
            Some(Joined { frames, messages, payload }) if has_capacity && feed.is_empty() && !feed.is_closed() => {
                state_ref.sender.push_shared(frames.clone(), *messages, *payload);
            }
            _ => {
                for item in items() {
                    match feed.push(item, scarce) {
                        Pushed::Queued { dropped } => delivered.dropped += dropped,
                        Pushed::Overflowed => {
                            delivered.overflowed = true;
                            break;
                        }
                    }
                }
                state_ref.feeds.waiting = true;
            }
        }
        drop(state);
        // Where there is no capacity, the task comes by itself once it has written something.
        if has_capacity {
            self.driver.notify();
        }
        delivered
    }

    /// Closes the connection of a member that was too slow.
    pub(crate) fn close_slow(&self) {
        self.close(CloseFrame::new(CloseCode::TRY_AGAIN_LATER, "too slow for a topic"));
    }

    /// What waits in a feed; `None` once it was removed.
    pub(crate) fn feed_status(&self, id: FeedId) -> Option<FeedStatus> {
        let mut state = self.lock();
        let feed = state.feeds.get_mut(id)?;
        Some(FeedStatus { waiting: feed.len(), dropped: feed.dropped() })
    }

    /// Encodes and queues what waits in the feeds, as far as there is capacity.
    pub(super) fn encode_waiting(&self) {
        loop {
            let mut state = self.lock();
            if !state.sender.has_topic_capacity() {
                return;
            }
            let Some(own) = state.feeds.pop_own() else { return };
            drop(state);
            // Only this task takes something out, so that nothing overtakes it.
            // What tells a member of dropped messages is the user's, and may panic.
            let message = match catch_unwind(AssertUnwindSafe(|| own.into_message())) {
                Ok(message) => message,
                Err(payload) => return self.close(panicked(payload)),
            };
            if self.queue_for_topic(message).is_err() {
                // The connection is over, and its feeds are gone.
                return;
            }
        }
    }
}
