//! What waits for the broker.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};

use bytes::Bytes;

use crate::budget::{Budget, Charge};
use crate::error::{Error, ErrorKind};
use crate::hub::from_broker::Retention;
use crate::hub::position::Position;
use crate::hub::topic_inner::TopicInner;

/// Publications in the order in which they were made, until the broker has them. At most [`MAX`] bytes, or one publication.
#[derive(Debug)]
pub(super) struct Outbox {
    queue: VecDeque<Outgoing>,
    size: usize,
    charge: Charge,
}

/// A publication on its way to the broker.
#[derive(Clone, Debug)]
pub(in crate::hub::backplane) struct Outgoing {
    pub(in crate::hub::backplane) topic: Arc<str>,
    pub(super) inner: Weak<TopicInner>,
    pub(in crate::hub::backplane) envelope: Bytes,
    pub(in crate::hub::backplane) retention: Retention,
    /// An earlier session may have published it.
    pub(in crate::hub::backplane) is_repeated: bool,
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
        Self { queue: VecDeque::new(), size: 0, charge: budget.charge() }
    }

    pub(super) fn push(&mut self, outgoing: Outgoing) -> Result<(), Error> {
        let size = self.size + outgoing.size();
        if (size > MAX && self.size > 0) || !self.charge.raise(size) {
            self.charge.lower(self.size);
            return Err(Error::with_source(ErrorKind::BudgetExceeded, "too much waits for the broker"));
        }
        self.size = size;
        self.queue.push_back(outgoing);
        Ok(())
    }

    /// The first ones, which stay.
    pub(super) fn batch(&mut self) -> Vec<Outgoing> {
        let mut size = 0;
        let is_within = |outgoing: &&mut Outgoing| {
            let fits = size < BATCH_BYTES;
            size += outgoing.size();
            fits
        };
        let first = self.queue.iter_mut().take(BATCH).take_while(is_within);
        first
            .map(|outgoing| Outgoing {
                is_repeated: std::mem::replace(&mut outgoing.is_repeated, true),
                ..outgoing.clone()
            })
            .collect()
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
        Outgoing {
            topic: "topic".into(),
            inner: Weak::new(),
            envelope: vec![0; size].into(),
            retention: Retention { count: 1, within: std::time::Duration::ZERO },
            is_repeated: false,
        }
    }

    #[test]
    fn what_waits_is_bounded_and_charged() {
        let budget = Budget::new(100 * 1024 * 1024);
        let mut outbox = Outbox::new(&budget);
        // One is taken whatever its size.
        outbox.push(outgoing(2 * MAX)).unwrap();
        assert_eq!(outbox.push(outgoing(1)).unwrap_err().kind(), ErrorKind::BudgetExceeded);
        outbox.pop();
        assert_eq!(budget.used(), 0);
        for _ in 0..15 {
            outbox.push(outgoing(1024 * 1024)).unwrap();
        }
        assert_eq!(outbox.push(outgoing(1024 * 1024)).unwrap_err().kind(), ErrorKind::BudgetExceeded);
        assert!((15..16).contains(&(budget.used() / (1024 * 1024))), "{}", budget.used());
        // The process has no more.
        let budget = Budget::new(1000);
        let mut outbox = Outbox::new(&budget);
        assert_eq!(outbox.push(outgoing(1000)).unwrap_err().kind(), ErrorKind::BudgetExceeded);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn a_batch_stays_until_it_is_done_with() {
        let mut outbox = Outbox::new(&Budget::new(usize::MAX));
        for _ in 0..BATCH + 1 {
            outbox.push(outgoing(1)).unwrap();
        }
        assert!(outbox.batch().iter().all(|outgoing| !outgoing.is_repeated));
        assert_eq!(outbox.batch().iter().filter(|outgoing| outgoing.is_repeated).count(), BATCH);
        for _ in 0..BATCH {
            outbox.pop();
        }
        assert_eq!(outbox.batch().iter().map(|outgoing| outgoing.is_repeated).collect::<Vec<_>>(), [false]);
        outbox.pop();
        assert!(outbox.is_empty());
    }
}
