//! Which topics there are.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::time::Instant;

use super::backplane::Backplane;
use super::topic_inner::TopicInner;
use crate::budget::Budget;
use crate::spare::shrink;

/// The topics of a hub by name. A topic stays as long as it has a handle, a member, or a publication in its history.
#[derive(Debug)]
pub(super) struct Registry {
    pub(super) budget: Budget,
    pub(super) backplane: Arc<Backplane>,
    topics: Mutex<Topics>,
}

#[derive(Debug, Default)]
struct Topics {
    by_name: HashMap<Box<str>, Weak<TopicInner>>,
    /// Topics that are kept for their histories, by the time at which each history may have expired. The number makes keys with
    /// the same time different.
    retained: BTreeMap<(Instant, u64), Arc<TopicInner>>,
    next_number: u64,
}

impl Topics {
    fn retain(&mut self, topic: Arc<TopicInner>, expires: Instant) {
        self.next_number += 1;
        self.retained.insert((expires, self.next_number), topic);
    }
}

impl Registry {
    pub(super) fn new(budget: Budget, backplane: Backplane) -> Self {
        Self { budget, backplane: Arc::new(backplane), topics: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Topics> {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The topic of this name, made if there is none.
    pub(super) fn topic(self: &Arc<Self>, name: &str) -> Arc<TopicInner> {
        self.expire();
        let mut topics = self.lock();
        if let Some(topic) = topics.by_name.get(name).and_then(Weak::upgrade) {
            return topic;
        }
        let topic = TopicInner::new(name, self);
        topics.by_name.insert(name.into(), Arc::downgrade(&topic));
        topic
    }

    /// Removes a topic that was dropped, unless there is a new topic with its name.
    pub(super) fn forget(&self, name: &str) {
        let mut topics = self.lock();
        if topics.by_name.get(name).is_some_and(|topic| topic.strong_count() == 0) {
            topics.by_name.remove(name);
            shrink(&mut topics.by_name);
        }
    }

    /// How many topics there are.
    pub(super) fn len(&self) -> usize {
        self.expire();
        self.lock().by_name.len()
    }

    /// Keeps a topic for its history, until `expires` at least.
    pub(super) fn retain(&self, topic: Arc<TopicInner>, expires: Instant) {
        self.lock().retain(topic, expires);
        self.expire();
    }

    /// Drops histories while more than half of the budget is in use, in the order in which they expire. The other half is for what
    /// connections receive and slow members wait for. No topic may be locked by the caller.
    pub(super) fn make_room(&self) {
        let mut undelivered = Vec::new();
        while self.budget.is_scarce() {
            let Some((_, topic)) = self.lock().retained.pop_first() else { break };
            let mut state = topic.lock();
            state.log.forget_history();
            match state.log.expires() {
                Some(expires) => {
                    drop(state);
                    undelivered.push((topic, expires));
                }
                None => state.retained = false,
            }
        }
        for (topic, expires) in undelivered {
            self.lock().retain(topic, expires);
        }
    }

    /// Drops topics whose histories have expired. Called whenever topics are looked up: there is no task or timer for it.
    fn expire(&self) {
        let now = Instant::now();
        let mut expired = Vec::new();
        let mut topics = self.lock();
        while let Some(entry) = topics.retained.first_entry().filter(|entry| entry.key().0 <= now) {
            expired.push(entry.remove());
        }
        drop(topics);
        // Without the registry's lock: dropping a topic takes it.
        for topic in expired {
            let mut state = topic.lock();
            state.log.expire(now);
            match state.log.expires() {
                Some(expires) => {
                    drop(state);
                    self.lock().retain(topic, expires);
                }
                None => state.retained = false,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_without_members_are_removed_and_their_memory_is_freed() {
        let registry = Arc::new(Registry::new(Budget::new(usize::MAX), Backplane::local()));
        let stays = registry.topic("stays");
        drop((0..100_000).map(|number| registry.topic(&number.to_string())).collect::<Vec<_>>());
        assert_eq!(registry.len(), 1);
        assert!(registry.lock().by_name.capacity() < 10_000);
        assert!(Arc::ptr_eq(&registry.topic("stays"), &stays));
    }
}
