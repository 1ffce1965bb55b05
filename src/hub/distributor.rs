//! The task that delivers what is published to a topic.

use std::sync::{Arc, Weak};

use tokio::runtime::Handle;
use tokio::task::yield_now;

use super::topic_inner::TopicInner;

/// Delivers all that there is, in a task of its own: it ends when all members have been sent everything. Outside of a
/// runtime it is done at once, on this thread.
pub(super) fn start(topic: &Arc<TopicInner>) {
    match Handle::try_current() {
        Ok(runtime) => {
            let distributor = Distributor { topic: Arc::downgrade(topic), is_done: false };
            runtime.spawn(distributor.run());
        }
        Err(_) => while topic.distribute_some() {},
    }
}

/// It keeps no topic: where there are members, they do.
struct Distributor {
    topic: Weak<TopicInner>,
    is_done: bool,
}

impl Distributor {
    async fn run(mut self) {
        while self.topic.upgrade().is_some_and(|topic| topic.distribute_some()) {
            // The tasks of these members write now, while the frames are in the cache.
            yield_now().await;
        }
        self.is_done = true;
    }
}

impl Drop for Distributor {
    fn drop(&mut self) {
        if !self.is_done
            && let Some(topic) = self.topic.upgrade()
        {
            topic.distributor_dropped();
        }
    }
}
