//! The task that delivers what is published to a topic.

use std::future::poll_fn;
use std::sync::{Arc, Weak};
use std::task::Poll;
use std::thread;

use tokio::runtime::Handle;

use super::topic_inner::TopicInner;

/// Delivers all that there is, in a task of its own: it ends when all members have been sent everything. Outside of a
/// runtime it is done at once, on this thread.
pub(super) fn start(topic: &Arc<TopicInner>) {
    let distributor = Distributor { topic: Arc::downgrade(topic), is_done: false };
    match Handle::try_current() {
        Ok(runtime) => drop(runtime.spawn(distributor.run())),
        Err(_) => distributor.run_here(),
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
            // The tasks of these members have their turn now, while what they need is in the cache.
            yield_behind_woken().await;
        }
        self.is_done = true;
    }

    fn run_here(mut self) {
        while self.topic.upgrade().is_some_and(|topic| topic.distribute_some()) {}
        self.is_done = true;
    }
}

/// Lets the tasks run that were woken before this one. `yield_now` would have the runtime look at its sockets besides.
async fn yield_behind_woken() {
    let mut yielded = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

impl Drop for Distributor {
    /// Dropped before its time, as its runtime is shut down, it delivers here: members may be in other runtimes.
    fn drop(&mut self) {
        if self.is_done {
            return;
        }
        let Some(topic) = self.topic.upgrade() else { return };
        if !thread::panicking() {
            while topic.distribute_some() {}
            return;
        }
        // What wakes a member's task may be the user's, and panic. Not here, where that would end the process.
        let runtime = Handle::try_current();
        if topic.distributor_panicked(runtime.is_ok())
            && let Ok(runtime) = runtime
        {
            runtime.spawn(Self { topic: self.topic.clone(), is_done: false }.run());
        }
    }
}
