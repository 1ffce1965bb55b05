//! The publications that a topic has received, so that one that is twice in the broker's log is delivered once.

use super::envelope::EnvelopeId;

/// The latest publications of at most [`MAX_HUBS`] hubs. The hub that published last is at the end.
///
/// A hub sends at most 256 publications before it waits for the broker's answer, so one that it repeats is among its last 256.
#[derive(Debug, Default)]
pub(super) struct Received(Vec<Numbers>);

/// The last number of a hub, and a bit for each number before it that was received.
#[derive(Debug)]
struct Numbers {
    hub: u64,
    last: u64,
    /// A ring buffer: each word has the bits of 64 numbers, and the word of `last` is the newest.
    received: [u64; WORDS as usize],
}

impl Received {
    /// Adds a publication. Returns `false` if it is known to have been received before.
    pub(super) fn insert(&mut self, id: EnvelopeId) -> bool {
        let mut numbers = match self.0.iter().rposition(|numbers| numbers.hub == id.hub) {
            Some(index) => self.0.remove(index),
            None => Numbers { hub: id.hub, last: id.number, received: [0; WORDS as usize] },
        };
        let is_new = numbers.insert(id.number);
        if self.0.len() == MAX_HUBS {
            self.0.remove(0);
        }
        self.0.push(numbers);
        is_new
    }
}

impl Numbers {
    fn insert(&mut self, number: u64) -> bool {
        let (newest, word) = (self.last / 64, number / 64);
        if newest.saturating_sub(word) >= WORDS {
            return true;
        }
        for skipped in (newest + 1..=word).take(WORDS as usize) {
            self.received[(skipped % WORDS) as usize] = 0;
        }
        self.last = self.last.max(number);
        let received = &mut self.received[(word % WORDS) as usize];
        let bit = 1 << (number % 64);
        let is_new = *received & bit == 0;
        *received |= bit;
        is_new
    }
}

/// At least 449 numbers, which is more than 256: the numbers of a topic have gaps, as all topics of a hub share one counter.
const WORDS: u64 = 8;
/// Each needs 80 bytes.
const MAX_HUBS: usize = 64;

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    fn id(hub: u64, number: u64) -> EnvelopeId {
        EnvelopeId { hub, number }
    }

    proptest! {
        #[test]
        fn what_is_not_new_was_received(numbers in proptest::collection::vec((0..3_u64, 0..2000_u64), 0..400)) {
            let (mut received, mut all, mut last) = (Received::default(), HashSet::new(), [0; 3]);
            for (hub, number) in numbers {
                let is_first = all.insert((hub, number));
                let is_recent = number + 448 >= last[hub as usize];
                let is_new = received.insert(id(hub, number));
                last[hub as usize] = number.max(last[hub as usize]);
                // A first one is always new, and a recent one is recognised.
                prop_assert!(is_new || !is_first);
                prop_assert!(!is_recent || is_new == is_first);
            }
        }
    }

    #[test]
    fn a_jump_of_the_numbers_clears_those_before_it() {
        let mut received = Received::default();
        for number in [0, 511, 512, 100_000, u64::MAX] {
            assert!(received.insert(id(1, number)));
            assert!(!received.insert(id(1, number)));
        }
        assert!(received.insert(id(1, 100_000)), "it is too old to be recognised");
    }

    #[test]
    fn the_hubs_that_published_last_are_known() {
        let mut received = Received::default();
        assert!(received.insert(id(0, 0)) && received.insert(id(1, 0)) && received.insert(id(0, 1)));
        for hub in 2..MAX_HUBS as u64 + 1 {
            assert!(received.insert(id(hub, 0)));
        }
        assert_eq!(received.0.len(), MAX_HUBS);
        assert!(!received.insert(id(0, 0)), "it published later than hub 1");
        assert!(received.insert(id(1, 0)), "it was removed");
    }
}
