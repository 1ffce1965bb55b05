//! What one member of a topic is still to be sent.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;

use super::Overflow;
use crate::message::Message;

/// Publications that wait until a connection's outgoing buffer has capacity: a bounded queue.
///
/// 1. They leave in the order in which they came.
/// 2. Those that were replayed from a history come first. They are never dropped, and do not count towards the capacity.
/// 3. No more than `capacity` others wait. What happens to more is said by `overflow`; what is dropped is counted.
/// 4. A feed that overflowed with [`Overflow::Close`] stays empty: its connection is to be closed.
#[derive(Debug)]
pub(crate) struct Feed {
    overflow: Overflow,
    capacity: usize,
    queue: VecDeque<Item>,
    /// How many at the front of the queue were replayed.
    replayed: usize,
    dropped: u64,
    closed: bool,
}

/// One publication for one connection.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub(crate) frame: Frame,
    /// The length of the message.
    pub(crate) payload: usize,
    /// What it is a newer value of.
    pub(crate) key: Option<Arc<str>>,
}

/// A message for one connection.
#[derive(Clone, Debug)]
pub(crate) enum Frame {
    /// To be encoded by the connection.
    Own(Message),
    /// Encoded, and shared with other connections.
    Shared(Bytes),
}

/// What became of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pushed {
    /// The connection is to be closed.
    Overflowed,
    /// It waits, and so many others were dropped.
    Queued { dropped: u64 },
}

impl Feed {
    /// A feed that begins with a replay.
    pub(crate) fn new(overflow: Overflow, capacity: usize, replay: impl IntoIterator<Item = Item>) -> Self {
        let queue: VecDeque<_> = replay.into_iter().collect();
        let replayed = queue.len();
        Self { overflow, capacity, queue, replayed, dropped: 0, closed: false }
    }

    /// Appends a publication, within the bounds. `scarce`: memory is short, so that no more than this one may wait.
    pub(crate) fn push(&mut self, item: Item, scarce: bool) -> Pushed {
        let capacity = if scarce { 1 } else { self.capacity };
        let before = self.queue.len();
        match self.overflow {
            _ if self.closed => return Pushed::Overflowed,
            Overflow::Close if before - self.replayed >= capacity => {
                self.closed = true;
                self.queue = VecDeque::new();
                self.replayed = 0;
                return Pushed::Overflowed;
            }
            Overflow::Close => {}
            Overflow::DropOldest => self.drop_oldest(capacity),
            Overflow::KeepLatest => {
                // Few wait, so that looking at each costs less than an index.
                let same = self.queue.iter().skip(self.replayed).position(|queued| queued.key == item.key);
                if let Some(same) = same {
                    self.queue.remove(self.replayed + same);
                }
                self.drop_oldest(capacity);
            }
        }
        let dropped = (before - self.queue.len()) as u64;
        self.dropped += dropped;
        self.queue.push_back(item);
        Pushed::Queued { dropped }
    }

    /// Makes room for one more.
    fn drop_oldest(&mut self, capacity: usize) {
        let excess = (self.queue.len() + 1 - self.replayed).saturating_sub(capacity);
        self.queue.drain(self.replayed..self.replayed + excess);
    }

    /// The next one to be sent.
    pub(crate) fn pop(&mut self) -> Option<Item> {
        let item = self.queue.pop_front()?;
        self.replayed = self.replayed.saturating_sub(1);
        if self.queue.is_empty() {
            self.queue = VecDeque::new();
        }
        Some(item)
    }

    /// What is to be sent next.
    pub(crate) fn front(&self) -> Option<&Item> {
        self.queue.front()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }

    /// How many were dropped so far.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(name: &str) -> Item {
        let key = name.chars().next().filter(char::is_ascii_uppercase).map(|key| key.to_string().into());
        Item { frame: Frame::Own(name.into()), payload: name.len(), key }
    }

    fn drain(feed: &mut Feed) -> Vec<String> {
        std::iter::from_fn(|| feed.pop())
            .map(|item| match item.frame {
                Frame::Own(message) => message.as_text().unwrap().to_owned(),
                Frame::Shared(_) => unreachable!(),
            })
            .collect()
    }

    #[test]
    fn each_policy_keeps_what_it_says() {
        // Capacity 3; a key is a capital letter at the beginning.
        for (overflow, replay, pushed, left, dropped) in [
            (Overflow::Close, "", "1 2 3", "1 2 3", 0),
            (Overflow::Close, "", "1 2 3 4", "", 0),
            (Overflow::Close, "a b c d", "1 2 3", "a b c d 1 2 3", 0),
            (Overflow::DropOldest, "", "1 2 3 4 5", "3 4 5", 2),
            (Overflow::DropOldest, "a b c d", "1 2 3 4 5", "a b c d 3 4 5", 2),
            (Overflow::KeepLatest, "", "1 2 3", "3", 2),
            (Overflow::KeepLatest, "a b", "1 2 3", "a b 3", 2),
            (Overflow::KeepLatest, "", "A1 B1 A2 1 B2 2", "A2 B2 2", 3),
            (Overflow::KeepLatest, "A0", "A1 B1 A2", "A0 B1 A2", 1),
            (Overflow::KeepLatest, "", "A1 B1 C1 D1 E1 C2", "D1 E1 C2", 3),
        ] {
            let mut feed = Feed::new(overflow, 3, replay.split_whitespace().map(item));
            let results: Vec<_> = pushed.split_whitespace().map(|name| feed.push(item(name), false)).collect();
            assert_eq!(drain(&mut feed).join(" "), left, "{overflow:?} {pushed}");
            assert_eq!(feed.dropped(), dropped, "{overflow:?} {pushed}");
            assert_eq!(feed.is_closed(), results.contains(&Pushed::Overflowed));
            assert_eq!(feed.queue.capacity(), 0);
        }
    }

    #[test]
    fn where_memory_is_short_one_waits() {
        for (overflow, left, closed) in
            [(Overflow::Close, "", true), (Overflow::DropOldest, "2", false), (Overflow::KeepLatest, "A2", false)]
        {
            let mut feed = Feed::new(overflow, 3, []);
            let names = if overflow == Overflow::KeepLatest { ["B1", "A2"] } else { ["1", "2"] };
            for name in names {
                feed.push(item(name), true);
            }
            assert_eq!(drain(&mut feed).join(" "), left);
            assert_eq!(feed.is_closed(), closed);
        }
    }

    #[test]
    fn a_feed_that_overflowed_takes_nothing_more() {
        let mut feed = Feed::new(Overflow::Close, 1, []);
        let results = ["1", "2", "3"].map(|name| feed.push(item(name), false));
        assert_eq!(results, [Pushed::Queued { dropped: 0 }, Pushed::Overflowed, Pushed::Overflowed]);
        assert!(feed.is_empty());
    }
}
