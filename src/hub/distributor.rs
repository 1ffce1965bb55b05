//! The task that delivers what is published to a topic.

use std::future::poll_fn;
use std::sync::{Arc, Weak};
use std::task::Poll;
use std::thread;

use tokio::runtime::Handle;

use super::topic_inner::TopicInner;

/// Spawns a task that delivers publications and ends when all members have been sent everything. Outside of a runtime, they are
/// delivered at once, on this thread.
pub(super) fn start(topic: &Arc<TopicInner>) {
    let distributor = Distributor { topic: Arc::downgrade(topic), is_done: false };
    match Handle::try_current() {
        Ok(runtime) => drop(runtime.spawn(distributor.run())),
        Err(_) => distributor.run_blocking(),
    }
}

/// Its reference is weak, so that it does not keep a topic that was dropped. Members keep their topic.
struct Distributor {
    topic: Weak<TopicInner>,
    is_done: bool,
}

impl Distributor {
    async fn run(mut self) {
        while self.topic.upgrade().is_some_and(|topic| topic.distribute_some()) {
            // The tasks of these members run now, while the data is in the CPU's cache.
            yield_to_woken_tasks().await;
        }
        self.is_done = true;
    }

    fn run_blocking(mut self) {
        while self.topic.upgrade().is_some_and(|topic| topic.distribute_some()) {}
        self.is_done = true;
    }
}

/// Lets the tasks run that were woken before this one. `tokio::task::yield_now` would also make the runtime poll its I/O driver.
async fn yield_to_woken_tasks() {
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
    /// If it is dropped before it is done, because its runtime is shut down, it delivers here: members may be in other runtimes.
    fn drop(&mut self) {
        if self.is_done {
            return;
        }
        let Some(topic) = self.topic.upgrade() else { return };
        if !thread::panicking() {
            while topic.distribute_some() {}
            return;
        }
        // A user's waker has panicked. Another panic, while this thread unwinds, would abort the process: so deliver in a new task.
        let runtime = Handle::try_current();
        if topic.distributor_panicked(runtime.is_ok())
            && let Ok(runtime) = runtime
        {
            runtime.spawn(Self { topic: self.topic.clone(), is_done: false }.run());
        }
    }
}
