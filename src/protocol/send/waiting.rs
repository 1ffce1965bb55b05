//! The publications of a feed that wait because their connection is slow.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::feed::Item;

/// Publications in the order in which they came. One that waits can be replaced by a newer one of the same key.
///
/// 1. The first place is never vacant, nor are more than half of all places.
/// 2. `latest` is created with the first publication that may be replaced. From then on it has every waiting publication, and no two
///    have the same key.
/// 3. An empty queue takes no memory.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    /// `None`: the publication was replaced.
    places: VecDeque<Option<Item>>,
    latest: Option<Box<Latest>>,
}

/// The place of each key's publication, so that finding it costs the same however many wait.
#[derive(Debug, Default)]
struct Latest {
    /// The number of the first place. Each place has the next one.
    first: u64,
    by_key: HashMap<Option<Arc<str>>, u64>,
}

impl Waiting {
    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.latest.as_ref().map_or(self.places.len(), |latest| latest.by_key.len())
    }

    pub(super) fn front(&self) -> Option<&Item> {
        self.places.front()?.as_ref()
    }

    /// Appends one that is never replaced.
    pub(super) fn push(&mut self, item: Item) {
        self.places.push_back(Some(item));
    }

    /// Appends one that replaces the one with its key. A queue has either such publications or others.
    pub(super) fn push_latest(&mut self, item: Item) {
        let latest = self.latest.get_or_insert_default();
        let number = latest.first + self.places.len() as u64;
        let replaced = latest.by_key.insert(item.key.clone(), number).map(|replaced| replaced - latest.first);
        self.places.push_back(Some(item));
        if let Some(replaced) = replaced {
            self.places[replaced as usize] = None;
            self.drop_vacant();
        }
    }

    pub(super) fn pop(&mut self) -> Option<Item> {
        let item = self.places.pop_front()??;
        if let Some(latest) = &mut self.latest {
            latest.first += 1;
            latest.by_key.remove(&item.key);
            self.drop_vacant();
        }
        if self.places.is_empty() {
            *self = Self::default();
        }
        Some(item)
    }

    /// Restores the first invariant.
    fn drop_vacant(&mut self) {
        let Some(latest) = &mut self.latest else { return };
        while let Some(None) = self.places.front() {
            self.places.pop_front();
            latest.first += 1;
        }
        if self.places.len() > 2 * latest.by_key.len() {
            self.places.retain(Option::is_some);
            for (item, number) in self.places.iter().flatten().zip(latest.first..) {
                latest.by_key.insert(item.key.clone(), number);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::super::feed::Frame;
    use super::*;

    impl Waiting {
        pub(in super::super) fn capacity(&self) -> usize {
            self.places.capacity()
        }
    }

    proptest! {
        /// Compares with a list that is searched. A step of `None` removes a publication.
        #[test]
        fn the_latest_of_each_key_wait_in_order(steps in vec(proptest::option::weighted(0.8, 0..12_usize), 0..300)) {
            let (mut waiting, mut expected) = (Waiting::default(), VecDeque::new());
            for (payload, key) in steps.into_iter().enumerate() {
                match key {
                    None => {
                        let popped = waiting.pop().map(|item| item.payload);
                        prop_assert_eq!(popped, expected.pop_front().map(|(_, payload)| payload));
                    }
                    Some(key) => {
                        expected.retain(|(known, _)| *known != key);
                        expected.push_back((key, payload));
                        let key = (key > 0).then(|| key.to_string().into());
                        waiting.push_latest(Item { frame: Frame::Unencoded("".into()), payload, key });
                    }
                }
                prop_assert_eq!(waiting.len(), expected.len());
                prop_assert_eq!(waiting.front().map(|item| item.payload), expected.front().map(|(_, payload)| *payload));
                prop_assert!(waiting.places.len() <= 2 * expected.len());
            }
        }
    }
}
