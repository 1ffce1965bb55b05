//! How topics send over a connection: directly into the outgoing buffer while it has capacity, otherwise through a feed.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::PoisonError;

use bytes::Bytes;

use super::feeds::{FeedGuard, FeedId};
use super::inner::Inner;
use super::panicked::panicked;
use crate::close::{CloseCode, CloseFrame};
use crate::error::Error;
use crate::protocol::{Encoding, Feed, Item, Pushed};
use crate::role::Role;

impl Inner {
    /// How messages are encoded on this connection.
    pub(crate) fn encoding(&self) -> Encoding {
        if self.lock().sender.role() == Role::Client {
            return Encoding::PerConnection;
        }
        let deflater = self.deflater.lock().unwrap_or_else(PoisonError::into_inner);
        match deflater.as_ref() {
            None => Encoding::Plain,
            Some(deflater) => deflater.stateless().map_or(Encoding::PerConnection, Encoding::Deflate),
        }
    }

    /// Adds a feed. If nothing can be sent any more, returns the reason, and the guard, which the caller drops without a lock.
    pub(crate) fn add_feed(&self, id: FeedId, feed: Feed, guard: FeedGuard) -> Result<(), (Error, FeedGuard)> {
        let mut state = self.lock();
        if let Err(error) = state.lifecycle.check_writable() {
            return Err((error, guard));
        }
        state.feeds.add(id, feed, guard);
        Ok(())
    }

    /// Wakes the task, so that it sends what a new feed has.
    pub(crate) fn start_feed(&self) {
        self.driver.notify_without_lock();
    }

    /// Adds a replay to a feed that is still empty.
    #[cfg(any(feature = "nats", feature = "redis"))]
    pub(crate) fn replay(&self, id: FeedId, items: Vec<Item>) {
        let mut state = self.lock();
        if items.is_empty() {
            return;
        }
        let Some(feed) = state.feeds.get_mut(id) else { return };
        feed.replay(items);
        state.feeds.set_waiting();
        drop(state);
        self.driver.notify();
    }

    /// Removes a feed with its items.
    pub(crate) fn remove_feed(&self, id: FeedId) {
        let mut state = self.lock();
        let removed = state.feeds.remove(id);
        drop(state);
        drop(removed);
    }

    /// Sends consecutive publications: as `joined` if possible, otherwise one by one through the feed. For `scarce` see
    /// [`Feed::push`].
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
        let is_idle = state_ref.feeds.is_idle();
        let Some(feed) = state_ref.feeds.get_mut(id) else { return delivered };
        let capacity = state_ref.sender.topic_capacity();
        let has_capacity = capacity > 0;
        match joined {
            // Only if all feeds are empty: otherwise the task may be encoding a publication that comes before this one.
            Some(Joined { frames, messages, payload }) if has_capacity && is_idle && !feed.is_closed() => {
                state_ref.sender.push_shared(frames.clone(), *messages, *payload);
            }
            _ if feed.is_exempt(capacity) => {
                items().for_each(|item| feed.push_exempt(item));
                state_ref.feeds.set_waiting();
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
                state_ref.feeds.set_waiting();
            }
        }
        drop(state);
        // Without capacity there is no need to wake the task: it refills the buffer whenever it has written something.
        if has_capacity {
            self.driver.notify();
        }
        delivered
    }

    /// Closes the connection of a member that was too slow.
    pub(crate) fn close_slow(&self) {
        self.close(CloseFrame::new(CloseCode::TRY_AGAIN_LATER, "too slow for a topic"));
    }

    /// The status of a feed; `None` if it was removed.
    pub(crate) fn feed_status(&self, id: FeedId) -> Option<FeedStatus> {
        let mut state = self.lock();
        let feed = state.feeds.get_mut(id)?;
        Some(FeedStatus { waiting: feed.len(), dropped: feed.dropped() })
    }

    /// Encodes and queues the items of feeds, as far as there is capacity.
    pub(super) fn encode_waiting(&self) {
        loop {
            let mut state = self.lock();
            if !state.sender.has_topic_capacity() {
                return;
            }
            let Some(unencoded) = state.feeds.pop_message() else { return };
            drop(state);
            // Without the lock: only this task removes items, so the order is kept.
            // The function of `Topic::tell_dropped` is the user's, and may panic.
            let message = match catch_unwind(AssertUnwindSafe(|| unencoded.into_message())) {
                Ok(message) => message,
                Err(payload) => return self.close(panicked(payload)),
            };
            if self.queue_for_topic(message).is_err() {
                // Nothing can be sent any more, and the feeds were dropped.
                return;
            }
        }
    }
}

/// The frames of consecutive publications in one piece.
#[derive(Clone, Debug)]
pub(crate) struct Joined {
    pub(crate) frames: Bytes,
    pub(crate) messages: u64,
    pub(crate) payload: u64,
}

/// The outcome of a delivery.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Delivered {
    /// The feed is full, and the connection must be closed.
    pub(crate) overflowed: bool,
    /// How many publications were dropped from the feed.
    pub(crate) dropped: u64,
}

/// How many publications wait in a feed, and how many were dropped from it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct FeedStatus {
    pub(crate) waiting: usize,
    pub(crate) dropped: u64,
}
