//! The queue of publications for the broker.

use std::collections::{HashMap, VecDeque};
use std::ptr;
use std::sync::{Arc, Weak};

use bytes::Bytes;

use super::envelope::{Envelope, EnvelopeId};
use crate::budget::{Budget, Charge};
use crate::error::{Error, ErrorKind};
use crate::hub::from_broker::Retention;
use crate::hub::position::Position;
use crate::hub::topic_inner::TopicInner;
use crate::spare::shrink;

/// Publications in the order in which they were made, until the broker has confirmed them. At most [`MAX_BYTES`], or one
/// publication.
#[derive(Debug)]
pub(super) struct Outbox {
    queue: VecDeque<Outgoing>,
    /// By topic: publications that are queued once the topic is loaded, because its members wait for that.
    held_back: HashMap<Arc<str>, Vec<HeldBack>>,
    size: usize,
    charge: Charge,
}

/// A publication that is not yet in the queue.
#[derive(Debug)]
struct HeldBack {
    outgoing: Outgoing,
    /// Whether it must wait until its topic is loaded. Otherwise it waits only to keep the order of the topic.
    waits: bool,
}

/// A publication that is sent to the broker.
#[derive(Clone, Debug)]
pub(in crate::hub::backplane) struct Outgoing {
    pub(in crate::hub::backplane) topic: Arc<str>,
    pub(super) inner: Weak<TopicInner>,
    pub(in crate::hub::backplane) id: EnvelopeId,
    pub(in crate::hub::backplane) envelope: Bytes,
    pub(in crate::hub::backplane) retention: Retention,
}

impl Outgoing {
    /// The last position of the topic that this server knows. If the broker's log ends before it, the broker has lost data.
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

    /// Adds a publication. With `hold_back`, it and later ones of its topic are not queued until [`release`](Self::release).
    pub(super) fn push(&mut self, outgoing: Outgoing, hold_back: bool) -> Result<(), Error> {
        let size = self.size + outgoing.size();
        if (size > MAX_BYTES && self.size > 0) || !self.charge.raise(size) {
            self.charge.lower(self.size);
            return Err(Error::with_source(ErrorKind::BudgetExceeded, "too much waits for the broker"));
        }
        self.size = size;
        if let Some(held_back) = self.held_back.get_mut(&outgoing.topic) {
            held_back.push(HeldBack { outgoing, waits: hold_back });
        } else if hold_back {
            self.held_back.insert(outgoing.topic.clone(), vec![HeldBack { outgoing, waits: true }]);
        } else {
            self.queue.push_back(outgoing);
        }
        Ok(())
    }

    /// Queues the held-back publications of a topic.
    pub(super) fn release(&mut self, topic: &str) {
        let held_back = self.held_back.remove(topic).into_iter().flatten();
        self.queue.extend(held_back.map(|held_back| held_back.outgoing));
        shrink(&mut self.held_back);
    }

    /// Queues the held-back publications of a topic that was dropped, but not those of a new topic with its name.
    pub(super) fn release_dropped(&mut self, name: &str, topic: *const TopicInner) {
        let Some(held_back) = self.held_back.get_mut(name) else { return };
        let waits = |held_back: &HeldBack| held_back.waits && !ptr::eq(held_back.outgoing.inner.as_ptr(), topic);
        match held_back.iter().position(waits) {
            Some(index) => self.queue.extend(held_back.drain(..index).map(|held_back| held_back.outgoing)),
            None => self.release(name),
        }
    }

    /// The first publications of the queue, which stay in it.
    pub(super) fn batch(&self) -> Vec<Outgoing> {
        let mut size = 0;
        let is_within = |outgoing: &&Outgoing| {
            let fits = size < MAX_BATCH_BYTES;
            size += outgoing.size();
            fits
        };
        self.queue.iter().take(MAX_BATCH).take_while(is_within).cloned().collect()
    }

    /// Removes a publication of a [`batch`](Self::batch) that is in the broker's log. Earlier ones of its topic that are still
    /// queued can no longer get their place before it: each is replaced by a notice that it is lost. Returns their number.
    pub(super) fn published(&mut self, id: EnvelopeId) -> usize {
        let Some(index) = self.index(id) else { return 0 };
        let mut lost = 0;
        for earlier in 0..index {
            if self.queue[earlier].topic == self.queue[index].topic {
                lost += 1;
                self.lose(earlier, self.queue[earlier].id);
            }
        }
        self.remove(id);
        lost
    }

    /// Removes a publication of a [`batch`](Self::batch), if it is still queued.
    pub(super) fn remove(&mut self, id: EnvelopeId) {
        let removed = self.index(id).and_then(|index| self.queue.remove(index));
        self.size -= removed.as_ref().map_or(0, Outgoing::size);
        self.charge.lower(self.size);
        if self.queue.is_empty() {
            self.queue = VecDeque::new();
        }
    }

    /// Replaces a publication of a [`batch`](Self::batch) by a notice of a gap with a new identifier: the broker's log has it
    /// before earlier publications of its topic.
    #[cfg(feature = "nats")]
    pub(super) fn overtook(&mut self, id: EnvelopeId, notice: EnvelopeId) {
        if let Some(index) = self.index(id) {
            self.lose(index, notice);
        }
    }

    /// Replaces a publication by a notice that it is lost.
    fn lose(&mut self, index: usize, id: EnvelopeId) {
        let outgoing = &mut self.queue[index];
        self.size -= outgoing.size();
        (outgoing.id, outgoing.envelope) = (id, Envelope::lost(id));
        self.size += outgoing.size();
        self.charge.lower(self.size);
    }

    /// Its index in the queue. What was sent to the broker is among the first [`MAX_BATCH`].
    fn index(&self, id: EnvelopeId) -> Option<usize> {
        self.queue.iter().take(MAX_BATCH).position(|outgoing| outgoing.id == id)
    }

    /// Whether the queue is empty. Held-back publications do not count.
    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }
}

/// How many bytes the outbox stores: some seconds of a busy hub.
const MAX_BYTES: usize = 16 * 1024 * 1024;
/// How many publications are sent to the broker before its answer is awaited. [`Received`](super::received::Received) relies on it.
const MAX_BATCH: usize = 256;
/// How many bytes are sent to the broker before its answer is awaited; the last publication may exceed it.
const MAX_BATCH_BYTES: usize = 512 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::backplane::Backplane;
    use crate::hub::publication::Draft;
    use crate::hub::registry::Registry;

    fn outgoing(number: u64, size: usize) -> Outgoing {
        of_topic("topic", number, size)
    }

    fn of_topic(topic: &str, number: u64, size: usize) -> Outgoing {
        Outgoing {
            topic: topic.into(),
            inner: Weak::new(),
            id: id(number),
            envelope: Envelope::new(id(number), Draft::new(vec![0; size].into())).encode(),
            retention: Retention { count: 1, within: std::time::Duration::ZERO },
        }
    }

    fn id(number: u64) -> EnvelopeId {
        EnvelopeId { hub: 1, number }
    }

    #[test]
    fn what_waits_is_bounded_and_charged() {
        let budget = Budget::new(100 * 1024 * 1024);
        let mut outbox = Outbox::new(&budget);
        // An empty outbox accepts a publication of any size.
        outbox.push(outgoing(1, 2 * MAX_BYTES), false).unwrap();
        assert_eq!(outbox.push(outgoing(2, 1), false).unwrap_err().kind(), ErrorKind::BudgetExceeded);
        outbox.remove(id(1));
        assert_eq!(budget.used(), 0);
        for number in 0..15 {
            outbox.push(outgoing(number, 1024 * 1024), false).unwrap();
        }
        assert_eq!(outbox.push(outgoing(15, 1024 * 1024), false).unwrap_err().kind(), ErrorKind::BudgetExceeded);
        assert!((15..16).contains(&(budget.used() / (1024 * 1024))), "{}", budget.used());
        // A budget that is smaller than the publication.
        let budget = Budget::new(1000);
        let mut outbox = Outbox::new(&budget);
        assert_eq!(outbox.push(outgoing(1, 1000), false).unwrap_err().kind(), ErrorKind::BudgetExceeded);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn exactly_16_mib_may_wait() {
        let mut outbox = Outbox::new(&Budget::new(usize::MAX));
        let half = MAX_BYTES / 2 - outgoing(0, 0).size();
        outbox.push(outgoing(1, half), false).unwrap();
        assert_eq!(outbox.push(outgoing(2, half + 1), false).unwrap_err().kind(), ErrorKind::BudgetExceeded);
        outbox.push(outgoing(2, half), false).unwrap();
        assert_eq!(MAX_BYTES, 16 * 1024 * 1024);
    }

    #[test]
    fn a_batch_ends_when_it_has_512_kib() {
        let mut outbox = Outbox::new(&Budget::new(usize::MAX));
        let quarter = 128 * 1024 - outgoing(0, 0).size();
        for number in 0..10 {
            outbox.push(outgoing(number, quarter), false).unwrap();
        }
        assert_eq!(outbox.batch().len(), 4);
        outbox.push(outgoing(10, 1024 * 1024), false).unwrap();
        for number in 0..10 {
            outbox.remove(id(number));
        }
        assert_eq!(outbox.batch().len(), 1, "a batch has one publication of any size");
    }

    #[test]
    fn a_batch_stays_until_its_publications_are_removed() {
        let mut outbox = Outbox::new(&Budget::new(usize::MAX));
        for number in 0..=MAX_BATCH as u64 {
            outbox.push(outgoing(number, 1), false).unwrap();
        }
        assert_eq!(outbox.batch().len(), MAX_BATCH);
        assert_eq!(outbox.batch().len(), MAX_BATCH);
        // In any order. The first call removes nothing, as its publication is not in the batch.
        for number in (0..=MAX_BATCH as u64).rev() {
            outbox.remove(id(number));
        }
        assert_eq!(outbox.batch().len(), 1);
        outbox.remove(id(MAX_BATCH as u64));
        assert!(outbox.is_empty());
    }

    #[test]
    fn a_notice_replaces_a_publication_that_was_overtaken() {
        let budget = Budget::new(usize::MAX);
        let mut outbox = Outbox::new(&budget);
        for number in 0..4 {
            outbox.push(of_topic(if number == 1 { "other" } else { "topic" }, number, 1000), false).unwrap();
        }
        assert_eq!(outbox.published(id(2)), 1);
        assert_eq!(outbox.published(id(2)), 0);
        let is_lost = |outgoing: &Outgoing| Envelope::decode(outgoing.envelope.clone()).is_none();
        let waiting = |outbox: &Outbox| {
            let batch = outbox.batch();
            batch
                .iter()
                .map(|outgoing| (EnvelopeId::of(&outgoing.envelope).unwrap().number, is_lost(outgoing)))
                .collect::<Vec<_>>()
        };
        // The notice has the identifier of the publication.
        assert_eq!(waiting(&outbox), vec![(0, true), (1, false), (3, false)]);
        assert!((2000..3000).contains(&budget.used()), "{}", budget.used());
        #[cfg(feature = "nats")]
        {
            outbox.overtook(id(3), id(4));
            assert_eq!(waiting(&outbox), vec![(0, true), (1, false), (4, true)]);
        }
        for number in 0..5 {
            outbox.remove(id(number));
        }
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn what_is_held_back_is_charged_and_keeps_its_order() {
        let budget = Budget::new(usize::MAX);
        let mut outbox = Outbox::new(&budget);
        for (topic, number, hold_back) in [("a", 1, true), ("b", 2, false), ("a", 3, false), ("c", 4, true)] {
            outbox.push(of_topic(topic, number, 1), hold_back).unwrap();
        }
        let waiting = |outbox: &Outbox| outbox.batch().iter().map(|outgoing| outgoing.id.number).collect::<Vec<_>>();
        assert_eq!(waiting(&outbox), [2]);
        outbox.release("a");
        outbox.push(of_topic("a", 5, 1), false).unwrap();
        assert_eq!(waiting(&outbox), [2, 1, 3, 5]);
        outbox.release("c");
        for number in 1..=5 {
            assert!(budget.used() > 0);
            outbox.remove(id(number));
        }
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn a_dropped_topic_releases_nothing_of_a_new_topic_with_its_name() {
        let registry = Arc::new(Registry::new(Budget::new(usize::MAX), Backplane::local()));
        let [old, new] = [0, 1].map(|_| TopicInner::new("topic", &registry));
        let by = |topic: &Arc<TopicInner>, number| Outgoing { inner: Arc::downgrade(topic), ..outgoing(number, 1) };
        let mut outbox = Outbox::new(&Budget::new(usize::MAX));
        for (topic, number, waits) in
            [(&old, 1, true), (&old, 2, true), (&new, 3, false), (&new, 4, true), (&new, 5, true)]
        {
            outbox.push(by(topic, number), waits).unwrap();
        }
        let numbers = |outbox: &Outbox| outbox.batch().iter().map(|outgoing| outgoing.id.number).collect::<Vec<_>>();
        outbox.release_dropped("topic", Arc::as_ptr(&old));
        assert_eq!(numbers(&outbox), [1, 2, 3]);
        outbox.release_dropped("topic", Arc::as_ptr(&new));
        assert_eq!(numbers(&outbox), [1, 2, 3, 4, 5]);
        outbox.push(by(&new, 6), false).unwrap();
        assert_eq!(numbers(&outbox).len(), 6, "nothing is held back any more");
    }
}
