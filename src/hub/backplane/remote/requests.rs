//! What topics request from the session.

use std::collections::HashMap;
use std::ptr;
use std::sync::{Arc, Weak};

use crate::hub::topic_inner::TopicInner;
use crate::spare::shrink;

#[derive(Debug)]
pub(in crate::hub::backplane) enum Request {
    /// Read the log of a followed topic to its end: members wait for it.
    CatchUp(Weak<TopicInner>),
    /// Load the topic, and receive what is published to it.
    Follow(Weak<TopicInner>),
    /// The topic was dropped.
    Unfollow {
        name: Arc<str>,
        /// The topic's address. [`Followers`](super::Followers) has a weak reference to it, so that no new topic gets this address.
        topic: usize,
    },
}

/// At most one request for each topic, by its address. So they need no memory for topics that are created and dropped while the
/// broker cannot be reached.
#[derive(Debug, Default)]
pub(super) struct Requests(HashMap<usize, Request>);

impl Requests {
    pub(super) fn catch_up(&mut self, topic: &Arc<TopicInner>) {
        // A topic that is to be followed will be read anyway.
        self.0.entry(address(topic)).or_insert_with(|| Request::CatchUp(Arc::downgrade(topic)));
    }

    pub(super) fn follow(&mut self, topic: &Arc<TopicInner>) {
        self.0.insert(address(topic), Request::Follow(Arc::downgrade(topic)));
    }

    pub(super) fn unfollow(&mut self, topic: &TopicInner) {
        let address = address(topic);
        // If the session has not yet been asked to follow it, there is nothing to undo.
        if !matches!(self.0.remove(&address), Some(Request::Follow(_))) {
            self.0.insert(address, Request::Unfollow { name: (*topic.name).into(), topic: address });
        }
        shrink(&mut self.0);
    }

    pub(super) fn take(&mut self) -> Vec<Request> {
        std::mem::take(&mut self.0).into_values().collect()
    }
}

fn address(topic: &TopicInner) -> usize {
    ptr::from_ref(topic).addr()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::Budget;
    use crate::hub::backplane::Backplane;
    use crate::hub::registry::Registry;

    #[test]
    fn a_topic_has_one_request() {
        let registry = Arc::new(Registry::new(Budget::new(usize::MAX), Backplane::local()));
        let topic = TopicInner::new("topic", &registry);
        let mut requests = Requests::default();
        let mut taken = |change: &dyn Fn(&mut Requests)| {
            change(&mut requests);
            requests.take()
        };
        let both = taken(&|requests| {
            requests.follow(&topic);
            requests.catch_up(&topic);
        });
        assert!(matches!(&both[..], [Request::Follow(_)]), "{both:?}");
        let known = taken(&|requests| {
            requests.catch_up(&topic);
            requests.unfollow(&topic);
        });
        assert!(matches!(&known[..], [Request::Unfollow { .. }]), "{known:?}");
        let unknown = taken(&|requests| {
            requests.follow(&topic);
            requests.unfollow(&topic);
        });
        assert!(unknown.is_empty(), "{unknown:?}");
    }
}
