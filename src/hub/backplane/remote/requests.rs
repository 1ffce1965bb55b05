//! What topics ask of the session.

use std::collections::HashMap;
use std::ptr;
use std::sync::{Arc, Weak};

use crate::hub::topic_inner::TopicInner;
use crate::spare::shrink;

/// What is to be done with a topic.
#[derive(Debug)]
pub(in crate::hub::backplane) enum Request {
    /// What the log has by now is to be read: members of a topic that is followed wait for it.
    CatchUp(Weak<TopicInner>),
    Follow(Weak<TopicInner>),
    Unfollow {
        name: Arc<str>,
        /// Its address, which no other topic has while it is followed.
        topic: usize,
    },
}

/// The next request of each topic, by its address. So topics that come and go while the broker is away leave nothing behind.
#[derive(Debug, Default)]
pub(super) struct Requests(HashMap<usize, Request>);

impl Requests {
    pub(super) fn catch_up(&mut self, topic: &Arc<TopicInner>) {
        // One that is to be followed is read as well.
        self.0.entry(address(topic)).or_insert_with(|| Request::CatchUp(Arc::downgrade(topic)));
    }

    pub(super) fn follow(&mut self, topic: &Arc<TopicInner>) {
        self.0.insert(address(topic), Request::Follow(Arc::downgrade(topic)));
    }

    pub(super) fn unfollow(&mut self, topic: &TopicInner) {
        let address = address(topic);
        // The session does not know of one that was to be followed.
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
