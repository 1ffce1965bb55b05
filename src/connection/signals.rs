//! What is known of a connection without its lock.

use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering};
use std::task::Waker;

use super::state::Sent;
use crate::stats::Stats;

/// Flags and counts between a connection's task and its handles, so that an echoed message passes the lock once
/// (`benches/echo.rs`).
///
/// A flag may be seen late by other threads. Where that matters, the task looks again under the lock before it sleeps,
/// and whoever wakes it holds the lock. A task that only lets others have a turn comes back by itself.
#[derive(Debug, Default)]
pub(super) struct Signals {
    /// The task is being polled.
    pub(super) awake: Flag,
    /// There are requests to the task.
    pub(super) asked: Flag,
    /// A message waits to be taken.
    pub(super) inbox_full: Flag,
    /// The connection has ended for its users.
    pub(super) over: Flag,
    /// Somebody waits for something to be written.
    pub(super) writing_awaited: Flag,
    /// The task is polling its handler.
    polling_handler: AtomicBool,
    /// The waker that the task is polled with.
    waker_data: AtomicPtr<()>,
    waker_table: AtomicPtr<()>,
    received: Received,
}

/// A flag that orders nothing but itself.
#[derive(Debug, Default)]
pub(super) struct Flag(AtomicBool);

impl Flag {
    pub(super) fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn set(&self, to: bool) {
        self.0.store(to, Ordering::Relaxed);
    }
}

/// What was received. Only the task and its handler count.
#[derive(Debug, Default)]
struct Received {
    messages: AtomicU64,
    payload: AtomicU64,
    wire: AtomicU64,
}

impl Signals {
    /// Counts bytes that were read.
    pub(super) fn count_read(&self, bytes: usize) {
        add(&self.received.wire, bytes);
    }

    /// Counts a message of so many bytes.
    pub(super) fn count_message(&self, payload: usize) {
        add(&self.received.messages, 1);
        add(&self.received.payload, payload);
    }

    /// What was received, beside what was sent.
    pub(super) fn stats(&self, sent: Sent) -> Stats {
        let received = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Stats {
            messages_received: received(&self.received.messages),
            messages_sent: sent.messages,
            payload_received: received(&self.received.payload),
            payload_sent: sent.payload,
            wire_received: received(&self.received.wire),
            wire_sent: sent.wire,
        }
    }

    /// The task is polled with this waker. Whether it is a new one.
    pub(super) fn set_task(&self, waker: &Waker) -> bool {
        let known = self.is_task(waker);
        if !known {
            self.waker_data.store(waker.data().cast_mut(), Ordering::Relaxed);
            self.waker_table.store(table(waker), Ordering::Relaxed);
        }
        !known
    }

    /// The task polls its handler from now on, or no longer.
    pub(super) fn set_polling_handler(&self, polling: bool) {
        // Whoever sees it knows the task's waker too.
        self.polling_handler.store(polling, Ordering::Release);
    }

    /// Whether it is the handler that is being polled here, and by the connection's task itself.
    ///
    /// Other tasks have other wakers, and so has a part of the handler that is polled only when it is woken itself. What
    /// else is polled in the same task has the same waker, but not while the handler is being polled.
    pub(super) fn is_handler(&self, waker: &Waker) -> bool {
        self.polling_handler.load(Ordering::Acquire) && self.is_task(waker)
    }

    fn is_task(&self, waker: &Waker) -> bool {
        self.waker_data.load(Ordering::Relaxed).cast_const() == waker.data()
            && self.waker_table.load(Ordering::Relaxed) == table(waker)
    }
}

/// There is one writer at a time, so that no locked instruction is needed.
fn add(count: &AtomicU64, more: usize) {
    count.store(count.load(Ordering::Relaxed) + more as u64, Ordering::Relaxed);
}

fn table(waker: &Waker) -> *mut () {
    std::ptr::from_ref(waker.vtable()).cast_mut().cast()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::task::Wake;

    use super::*;

    struct Task;

    impl Wake for Task {
        fn wake(self: Arc<Self>) {}
    }

    #[test]
    fn only_the_wakers_of_the_task_are_the_handlers_and_only_while_it_is_polled() {
        let signals = Signals::default();
        let [own, other] = [Task, Task].map(|task| Waker::from(Arc::new(task)));
        assert!(!signals.is_handler(&own));
        assert!(signals.set_task(&own) && !signals.set_task(&own));
        signals.set_polling_handler(true);
        assert!(signals.is_handler(&own) && signals.is_handler(&own.clone()));
        assert!(!signals.is_handler(&other) && !signals.is_handler(Waker::noop()));
        signals.set_polling_handler(false);
        assert!(!signals.is_handler(&own));
        assert!(signals.set_task(&other));
    }
}
