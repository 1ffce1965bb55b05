//! What waits for the broker.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Weak};

use bytes::Bytes;

use super::envelope::EnvelopeId;
use crate::budget::{Budget, Charge};
use crate::error::{Error, ErrorKind};
use crate::hub::from_broker::Retention;
use crate::hub::position::Position;
use crate::hub::topic_inner::TopicInner;

/// Publications in the order in which they were made, until the broker has them. At most [`MAX`] bytes, or one publication.
#[derive(Debug)]
pub(super) struct Outbox {
    queue: VecDeque<Outgoing>,
    /// Those of topics whose members wait for the broker's answer, as they are to come behind it: by topic.
    held_back: HashMap<Arc<str>, Vec<Outgoing>>,
    size: usize,
    charge: Charge,
}

/// A publication on its way to the broker.
#[derive(Clone, Debug)]
pub(in crate::hub::backplane) struct Outgoing {
    pub(in crate::hub::backplane) topic: Arc<str>,
    pub(super) inner: Weak<TopicInner>,
    pub(in crate::hub::backplane) id: EnvelopeId,
    pub(in crate::hub::backplane) envelope: Bytes,
    pub(in crate::hub::backplane) retention: Retention,
}

impl Outgoing {
    /// The last position of the topic, where this server knows it: the broker's log must not end before it.
    pub(in crate::hub::backplane) fn known_position(&self) -> Option<Position> {
        self.inner.upgrade()?.known_position()
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.envelope.len()
    }
}

impl Outbox {
    pub(super) fn new(budget: &Budget) -> Self {
        Self { queue: VecDeque::new(), held_back: HashMap::new(), size: 0, charge: budget.charge() }
    }

    /// Takes a publication. `hold_back`: until [`release`](Self::release), as are those of the topic that come behind it.
    pub(super) fn push(&mut self, outgoing: Outgoing, hold_back: bool) -> Result<(), Error> {
        let size = self.size + outgoing.size();
        if (size > MAX && self.size > 0) || !self.charge.raise(size) {
            self.charge.lower(self.size);
            return Err(Error::with_source(ErrorKind::BudgetExceeded, "too much waits for the broker"));
        }
        self.size = size;
        if let Some(held_back) = self.held_back.get_mut(&outgoing.topic) {
            held_back.push(outgoing);
        } else if hold_back {
            self.held_back.insert(outgoing.topic.clone(), vec![outgoing]);
        } else {
            self.queue.push_back(outgoing);
        }
        Ok(())
    }

    /// What this topic has held back can be published.
    pub(super) fn release(&mut self, topic: &str) {
        self.queue.extend(self.held_back.remove(topic).into_iter().flatten());
        if self.held_back.is_empty() {
            self.held_back = HashMap::new();
        }
    }

    /// The first ones, which stay.
    pub(super) fn batch(&self) -> Vec<Outgoing> {
        let mut size = 0;
        let is_within = |outgoing: &&Outgoing| {
            let fits = size < BATCH_BYTES;
            size += outgoing.size();
            fits
        };
        self.queue.iter().take(BATCH).take_while(is_within).cloned().collect()
    }

    /// The first one is done with.
    pub(super) fn pop(&mut self) {
        if let Some(outgoing) = self.queue.pop_front() {
            self.size -= outgoing.size();
            self.charge.lower(self.size);
        }
        if self.queue.is_empty() {
            self.queue = VecDeque::new();
        }
    }

    /// Whether nothing can be published now.
    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }
}

/// How many bytes wait at most: some seconds of a busy hub.
const MAX: usize = 16 * 1024 * 1024;
/// How many publications are on their way at once.
const BATCH: usize = 256;
/// How many bytes are on their way at once.
const BATCH_BYTES: usize = 512 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn outgoing(size: usize) -> Outgoing {
        of_topic("topic", size)
    }

    fn of_topic(topic: &str, size: usize) -> Outgoing {
        Outgoing {
            topic: topic.into(),
            inner: Weak::new(),
            id: EnvelopeId { hub: 1, number: 1 },
            envelope: vec![0; size].into(),
            retention: Retention { count: 1, within: std::time::Duration::ZERO },
        }
    }

    #[test]
    fn what_waits_is_bounded_and_charged() {
        let budget = Budget::new(100 * 1024 * 1024);
        let mut outbox = Outbox::new(&budget);
        // One is taken whatever its size.
        outbox.push(outgoing(2 * MAX), false).unwrap();
        assert_eq!(outbox.push(outgoing(1), false).unwrap_err().kind(), ErrorKind::BudgetExceeded);
        outbox.pop();
        assert_eq!(budget.used(), 0);
        for _ in 0..15 {
            outbox.push(outgoing(1024 * 1024), false).unwrap();
        }
        assert_eq!(outbox.push(outgoing(1024 * 1024), false).unwrap_err().kind(), ErrorKind::BudgetExceeded);
        assert!((15..16).contains(&(budget.used() / (1024 * 1024))), "{}", budget.used());
        // The process has no more.
        let budget = Budget::new(1000);
        let mut outbox = Outbox::new(&budget);
        assert_eq!(outbox.push(outgoing(1000), false).unwrap_err().kind(), ErrorKind::BudgetExceeded);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn exactly_16_mib_may_wait() {
        let mut outbox = Outbox::new(&Budget::new(usize::MAX));
        let half = 8 * 1024 * 1024 - outgoing(0).size();
        outbox.push(outgoing(half), false).unwrap();
        assert_eq!(outbox.push(outgoing(half + 1), false).unwrap_err().kind(), ErrorKind::BudgetExceeded);
        outbox.push(outgoing(half), false).unwrap();
    }

    #[test]
    fn a_batch_ends_behind_512_kib() {
        let mut outbox = Outbox::new(&Budget::new(usize::MAX));
        for _ in 0..10 {
            outbox.push(outgoing(128 * 1024 - outgoing(0).size()), false).unwrap();
        }
        assert_eq!(outbox.batch().len(), 4);
        outbox.push(outgoing(1024 * 1024), false).unwrap();
        for _ in 0..10 {
            outbox.pop();
        }
        assert_eq!(outbox.batch().len(), 1, "one is taken whatever its size");
    }

    #[test]
    fn a_batch_stays_until_it_is_done_with() {
        let mut outbox = Outbox::new(&Budget::new(usize::MAX));
        for _ in 0..BATCH + 1 {
            outbox.push(outgoing(1), false).unwrap();
        }
        assert_eq!(outbox.batch().len(), BATCH);
        assert_eq!(outbox.batch().len(), BATCH);
        for _ in 0..BATCH {
            outbox.pop();
        }
        assert_eq!(outbox.batch().len(), 1);
        outbox.pop();
        assert!(outbox.is_empty());
    }

    #[test]
    fn what_is_held_back_is_charged_and_comes_in_its_order() {
        let budget = Budget::new(usize::MAX);
        let mut outbox = Outbox::new(&budget);
        for (topic, size, hold_back) in [("a", 1, true), ("b", 2, false), ("a", 3, false), ("c", 4, true)] {
            outbox.push(of_topic(topic, size), hold_back).unwrap();
        }
        let waiting =
            |outbox: &Outbox| outbox.batch().iter().map(|outgoing| outgoing.envelope.len()).collect::<Vec<_>>();
        assert_eq!(waiting(&outbox), [2]);
        outbox.release("a");
        outbox.push(of_topic("a", 5), false).unwrap();
        assert_eq!(waiting(&outbox), [2, 1, 3, 5]);
        outbox.release("c");
        for _ in 0..5 {
            assert!(budget.used() > 0);
            outbox.pop();
        }
        assert_eq!(budget.used(), 0);
    }
}
