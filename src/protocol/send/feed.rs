//! The publications that wait for one member of a topic.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use super::Overflow;
use super::waiting::Waiting;
use crate::message::Message;
use crate::protocol::frame::MAX_HEADER;

/// A bounded queue of publications that wait for capacity in a connection's outgoing buffer.
///
/// 1. They are removed in the order in which they were added.
/// 2. Exempt publications are at the front. They are never dropped, and do not count towards the capacity: they are replayed from a
///    history, or the buffer had capacity for them, and they only wait for the connection's task.
/// 3. At most `capacity` others wait. `overflow` says what happens to more; dropped ones are counted.
/// 4. If there is a `notice`, it reports dropped publications before the next publication.
/// 5. A feed that overflowed with [`Overflow::Close`] stays empty: its connection is going to be closed.
pub(crate) struct Feed {
    overflow: Overflow,
    capacity: usize,
    exempt: VecDeque<Item>,
    /// The size of their frames.
    exempt_bytes: u64,
    waiting: Waiting,
    dropped: u64,
    /// How many dropped publications were reported to the member.
    reported: u64,
    notice: Option<Arc<Notice>>,
    closed: bool,
}

/// Makes the message that reports to a member how many publications were dropped.
pub(crate) type Notice = dyn Fn(u64) -> Message + Send + Sync;

/// One publication for one connection.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub(crate) frame: Frame,
    /// The length of the message, in bytes.
    pub(crate) payload: usize,
    /// With [`Overflow::KeepLatest`], it replaces a waiting publication with the same key.
    pub(crate) key: Option<Arc<str>>,
}

impl Item {
    /// The maximum size of its frame.
    fn size(&self) -> u64 {
        (MAX_HEADER + self.payload) as u64
    }
}

/// A message for one connection.
#[derive(Clone, Debug)]
pub(crate) enum Frame {
    /// Not encoded yet: the connection encodes it ([`Encoding::PerConnection`](super::Encoding::PerConnection)).
    Unencoded(Message),
    /// Encoded, and shared with other connections.
    Shared(Bytes),
}

/// A message that the connection must encode: a publication, or the notice of dropped ones.
pub(crate) enum FeedMessage {
    Publication(Message),
    Notice(Arc<Notice>, u64),
}

impl FeedMessage {
    pub(crate) fn into_message(self) -> Message {
        match self {
            Self::Publication(message) => message,
            Self::Notice(notice, count) => notice(count),
        }
    }
}

/// The result of adding an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pushed {
    /// The feed is full, and the connection must be closed.
    Overflowed,
    /// The item was added, and this number of others was dropped.
    Queued { dropped: u64 },
}

impl Feed {
    /// A feed that begins with a replay.
    pub(crate) fn new(overflow: Overflow, capacity: usize, replay: impl IntoIterator<Item = Item>) -> Self {
        let exempt: VecDeque<_> = replay.into_iter().collect();
        let exempt_bytes = exempt.iter().map(Item::size).sum();
        let waiting = Waiting::default();
        Self { overflow, capacity, exempt, exempt_bytes, waiting, dropped: 0, reported: 0, notice: None, closed: false }
    }

    /// Begins with a replay. The feed must be empty.
    #[cfg(any(feature = "nats", feature = "redis"))]
    pub(crate) fn replay(&mut self, items: Vec<Item>) {
        debug_assert!(self.is_empty());
        self.exempt_bytes = items.iter().map(Item::size).sum();
        self.exempt = items.into();
    }

    /// Sets the notice of dropped publications.
    pub(crate) fn with_notice(self, notice: Option<Arc<Notice>>) -> Self {
        Self { notice, ..self }
    }

    /// Whether the next publication is exempt, if the outgoing buffer has this much capacity, in bytes.
    pub(crate) fn is_exempt(&self, capacity: u64) -> bool {
        !self.closed && self.waiting.len() == 0 && self.exempt_bytes < capacity
    }

    /// Appends a publication that [is exempt](Self::is_exempt).
    pub(crate) fn push_exempt(&mut self, item: Item) {
        self.exempt_bytes += item.size();
        self.exempt.push_back(item);
    }

    /// Appends a publication, within the capacity. `scarce`: the budget is used up, so the capacity is one.
    pub(crate) fn push(&mut self, item: Item, scarce: bool) -> Pushed {
        let capacity = if scarce { 1 } else { self.capacity };
        let before = self.waiting.len();
        match self.overflow {
            _ if self.closed => return Pushed::Overflowed,
            Overflow::Close if before >= capacity => {
                self.closed = true;
                self.waiting = Waiting::default();
                (self.exempt, self.exempt_bytes) = (VecDeque::new(), 0);
                return Pushed::Overflowed;
            }
            Overflow::Close | Overflow::DropOldest => self.waiting.push(item),
            Overflow::KeepLatest => self.waiting.push_latest(item),
        }
        while self.waiting.len() > capacity {
            self.waiting.pop();
        }
        let dropped = (before + 1 - self.waiting.len()) as u64;
        self.dropped += dropped;
        Pushed::Queued { dropped }
    }

    /// Removes the next publication, with its length, if it is encoded already and no notice comes before it.
    pub(crate) fn pop_shared(&mut self) -> Option<(Bytes, usize)> {
        if self.needs_encoding() {
            return None;
        }
        match self.pop()? {
            Item { frame: Frame::Shared(frame), payload, .. } => Some((frame, payload)),
            Item { frame: Frame::Unencoded(_), .. } => None,
        }
    }

    /// Removes the next message, if the connection must encode it.
    pub(crate) fn pop_message(&mut self) -> Option<FeedMessage> {
        if self.exempt.is_empty()
            && let Some(notice) = &self.notice
            && self.dropped > self.reported
        {
            let count = self.dropped - std::mem::replace(&mut self.reported, self.dropped);
            return Some(FeedMessage::Notice(notice.clone(), count));
        }
        match self.front() {
            Some(Item { frame: Frame::Unencoded(_), .. }) => {}
            _ => return None,
        }
        match self.pop()?.frame {
            Frame::Unencoded(message) => Some(FeedMessage::Publication(message)),
            Frame::Shared(_) => None,
        }
    }

    /// Whether the connection must encode the next message.
    pub(crate) fn needs_encoding(&self) -> bool {
        match self.front() {
            None => false,
            Some(Item { frame: Frame::Unencoded(_), .. }) => true,
            // The dropped publications came after the exempt ones, so the notice does.
            Some(_) => self.exempt.is_empty() && self.notice.is_some() && self.dropped > self.reported,
        }
    }

    fn front(&self) -> Option<&Item> {
        self.exempt.front().or_else(|| self.waiting.front())
    }

    fn pop(&mut self) -> Option<Item> {
        let Some(item) = self.exempt.pop_front() else { return self.waiting.pop() };
        self.exempt_bytes -= item.size();
        if self.exempt.is_empty() {
            self.exempt = VecDeque::new();
        }
        Some(item)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// The number of waiting publications.
    pub(crate) fn len(&self) -> usize {
        self.exempt.len() + self.waiting.len()
    }

    /// The number of publications that were dropped so far.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }
}

impl fmt::Debug for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Feed")
            .field("overflow", &self.overflow)
            .field("waiting", &self.len())
            .field("dropped", &self.dropped)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    fn item(name: &str) -> Item {
        let key = name.chars().next().filter(char::is_ascii_uppercase).map(|key| key.to_string().into());
        Item { frame: Frame::Unencoded(name.into()), payload: name.len(), key }
    }

    fn drain(feed: &mut Feed) -> Vec<String> {
        let messages = std::iter::from_fn(|| feed.pop_message()).map(FeedMessage::into_message);
        messages.map(|message| message.as_text().unwrap().to_owned()).collect()
    }

    #[test]
    fn each_policy_keeps_what_it_documents() {
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
            assert_eq!((feed.exempt.capacity(), feed.waiting.capacity()), (0, 0));
        }
    }

    #[test]
    fn publications_for_which_the_buffer_has_capacity_are_never_dropped() {
        for overflow in [Overflow::Close, Overflow::DropOldest, Overflow::KeepLatest] {
            let mut feed = Feed::new(overflow, 1, [item("a")]);
            let one = item("a").size();
            assert!(!feed.is_exempt(one) && feed.is_exempt(one + 1));
            feed.push_exempt(item("b"));
            assert!(!feed.is_exempt(2 * one) && feed.is_exempt(2 * one + 1));
            assert_eq!(feed.push(item("1"), false), Pushed::Queued { dropped: 0 });
            assert!(!feed.is_exempt(u64::MAX), "one waits for capacity");
            assert_eq!(drain(&mut feed).join(" "), "a b 1");
            assert!(feed.is_exempt(1) && !feed.is_exempt(0));
            for name in ["1", "2"] {
                feed.push(item(name), false);
            }
            assert_eq!(drain(&mut feed).join(" "), if overflow == Overflow::Close { "" } else { "2" });
            assert_eq!(feed.is_exempt(1), overflow != Overflow::Close);
        }
    }

    #[test]
    fn exempt_publications_use_capacity_of_the_buffer_until_they_are_removed() {
        // Three messages of 100 bytes, each with the longest header.
        let len = (100 + MAX_HEADER) as u64;
        let mut feed = Feed::new(Overflow::Close, 1, ["a", "b", "c"].map(|name| item(&name.repeat(100))));
        for left in (0..=3).rev() {
            assert!(!feed.is_exempt(left * len) && feed.is_exempt(left * len + 1), "{left} wait");
            feed.pop_message();
        }
    }

    #[test]
    fn dropped_publications_are_reported_once_and_after_a_replay() {
        let notice: Arc<Notice> = Arc::new(|count| format!("-{count}").into());
        let mut feed = Feed::new(Overflow::DropOldest, 2, [item("a"), item("b")]).with_notice(Some(notice));
        for name in ["1", "2", "3", "4"] {
            feed.push(item(name), false);
        }
        assert_eq!(drain(&mut feed).join(" "), "a b -2 3 4");
        for name in ["5", "6", "7"] {
            feed.push(item(name), false);
        }
        assert_eq!(drain(&mut feed).join(" "), "-1 6 7");
        // An encoded publication waits for the notice of those before it.
        let shared = |byte| Item { frame: Frame::Shared(Bytes::from(vec![byte])), payload: 1, key: None };
        for byte in 0..3 {
            feed.push(shared(byte), false);
        }
        assert!(feed.needs_encoding() && feed.pop_shared().is_none());
        assert_eq!(drain(&mut feed).join(" "), "-1");
        assert_eq!(feed.pop_shared().unwrap().0, [1][..]);
        assert_eq!(feed.pop_shared().unwrap().0, [2][..]);
        assert!(feed.pop_shared().is_none());
    }

    #[test]
    fn while_the_budget_is_used_up_the_capacity_is_one() {
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
    fn a_feed_that_overflowed_accepts_nothing_more() {
        let mut feed = Feed::new(Overflow::Close, 1, []);
        let results = ["1", "2", "3"].map(|name| feed.push(item(name), false));
        assert_eq!(results, [Pushed::Queued { dropped: 0 }, Pushed::Overflowed, Pushed::Overflowed]);
        assert!(feed.is_empty());
    }

    /// The time to push so many publications, whose keys go up and down.
    fn push_keys(keys: usize) -> Duration {
        const PUSHES: usize = 40_000;
        let mut feed = Feed::new(Overflow::KeepLatest, keys, []);
        let numbers = (0..PUSHES).map(|number| (number, number % (2 * keys)));
        let start = Instant::now();
        for (number, step) in numbers {
            let key = if step < keys { step } else { 2 * keys - 1 - step };
            let item = Item { key: Some(key.to_string().into()), ..item(&number.to_string()) };
            feed.push(item, false);
        }
        let elapsed = start.elapsed();
        let latest: Vec<_> = (PUSHES - keys..PUSHES).map(|number| number.to_string()).collect();
        assert_eq!(drain(&mut feed), latest);
        elapsed
    }

    /// A search through all that wait takes hundreds of times as long.
    #[test]
    fn a_publication_costs_the_same_however_many_keys_wait() {
        // The shortest of several, as other processes may interrupt one.
        let [few, many] = [10, 20_000].map(|keys| (0..3).map(|_| push_keys(keys)).min().unwrap());
        assert!(many < 50 * few, "{few:?} and {many:?}");
    }
}
