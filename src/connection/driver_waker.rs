//! How a connection's task is notified of changes: without a lock, and woken only if it sleeps.

#[cfg(all(test, model))]
use loom::sync::{Mutex, atomic::AtomicU8};
#[cfg(not(all(test, model)))]
use std::sync::{Mutex, atomic::AtomicU8};

use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::task::Waker;

/// Notifies the task of one connection.
///
/// - A handle that makes a change for the task calls [`notify`](Self::notify) after it, if the change was made under the lock that
///   the task takes to read it, or otherwise [`notify_without_lock`](Self::notify_without_lock).
/// - The task calls [`start`](Self::start) when it is polled, then [`run`](Self::run), then reads changes, and sleeps only if
///   [`sleep`](Self::sleep) allows it: a change that it may have missed was followed by a `notify` after `run`.
///
/// So no change is missed, and a task that runs is not woken for changes that it will read anyway.
#[derive(Debug)]
pub(super) struct DriverWaker {
    state: AtomicU8,
    waker: Mutex<Option<Waker>>,
}

/// The task runs, and was not notified since it last called `run`.
const RUNNING: u8 = 0;
/// The task must read changes before it sleeps.
const NOTIFIED: u8 = 1;
/// The task sleeps until its waker is called.
const ASLEEP: u8 = 2;

impl Default for DriverWaker {
    fn default() -> Self {
        // Before its first poll, the task need not be woken.
        Self { state: AtomicU8::new(NOTIFIED), waker: Mutex::new(None) }
    }
}

impl DriverWaker {
    /// Has the task read a change that was made under the lock before this call.
    #[inline]
    pub(super) fn notify(&self) {
        // `Relaxed` cannot read a stale value here: the task locks after `run`, and the caller has locked, which orders the two.
        if self.state.load(Ordering::Relaxed) != NOTIFIED {
            self.notify_without_lock();
        }
    }

    /// Has the task read a change that the lock does not protect.
    pub(super) fn notify_without_lock(&self) {
        if self.state.swap(NOTIFIED, Ordering::AcqRel) == ASLEEP {
            let waker = self.waker.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }

    /// Sets the waker of the task. `None`: the task has ended.
    pub(super) fn set_waker(&self, waker: Option<Waker>) {
        let before = std::mem::replace(&mut *self.waker.lock().unwrap_or_else(PoisonError::into_inner), waker);
        // Dropped after the lock is released: it may be the last reference to a task, whose future may have handles of this
        // connection.
        drop(before);
    }

    /// Whether the task was notified since its last `run`.
    #[inline]
    pub(super) fn is_notified(&self) -> bool {
        self.state.load(Ordering::Acquire) == NOTIFIED
    }

    /// Called when the task is polled, for any reason: it is no longer asleep.
    #[inline]
    pub(super) fn start(&self) {
        let _ = self.state.compare_exchange(ASLEEP, RUNNING, Ordering::AcqRel, Ordering::Acquire);
    }

    /// Called before the task reads changes.
    #[inline]
    pub(super) fn run(&self) {
        self.state.swap(RUNNING, Ordering::AcqRel);
    }

    /// Returns whether the task may sleep: it was not notified since its last `run`.
    #[inline]
    pub(super) fn sleep(&self) -> bool {
        self.state.compare_exchange(RUNNING, ASLEEP, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

/// Run by `.ci/model`: every interleaving of a task and its handles.
#[cfg(all(test, model))]
mod model {
    use std::collections::VecDeque;
    use std::task::Poll;

    use loom::future::block_on;
    use loom::sync::Arc;
    use loom::sync::atomic::AtomicBool;
    use loom::thread;

    use super::*;

    /// A model of what a connection and its handles share: a queue for each direction, and whether the task waits for capacity for
    /// unread messages.
    #[derive(Default)]
    struct Shared {
        state: Mutex<State>,
        driver: DriverWaker,
    }

    #[derive(Default)]
    struct State {
        queued: VecDeque<u8>,
        unread: VecDeque<u8>,
        capacity_awaited: bool,
    }

    impl Shared {
        fn send(&self, message: u8) {
            self.state.lock().unwrap().queued.push_back(message);
            self.driver.notify();
        }

        fn recv(&self) -> Option<u8> {
            let mut state = self.state.lock().unwrap();
            let message = state.unread.pop_front()?;
            let awaited = std::mem::take(&mut state.capacity_awaited);
            drop(state);
            if awaited {
                self.driver.notify();
            }
            Some(message)
        }
    }

    #[test]
    fn what_is_queued_is_written_without_another_wake() {
        loom::model(|| {
            let shared = Arc::new(Shared::default());
            let sender = thread::spawn({
                let shared = shared.clone();
                move || [1, 2].map(|message| shared.send(message))
            });
            let mut written = 0;
            block_on(std::future::poll_fn(|cx| {
                shared.driver.set_waker(Some(cx.waker().clone()));
                shared.driver.start();
                loop {
                    shared.driver.run();
                    written += shared.state.lock().unwrap().queued.drain(..).count();
                    if written == 2 {
                        return Poll::Ready(());
                    }
                    if shared.driver.sleep() {
                        return Poll::Pending;
                    }
                }
            }));
            sender.join().unwrap();
        });
    }

    #[test]
    fn a_reader_that_frees_capacity_is_noticed() {
        loom::model(|| {
            let shared = Arc::new(Shared::default());
            shared.state.lock().unwrap().unread.push_back(0);
            let reader = thread::spawn({
                let shared = shared.clone();
                move || shared.recv()
            });
            let mut input = vec![1];
            block_on(std::future::poll_fn(|cx| {
                shared.driver.set_waker(Some(cx.waker().clone()));
                shared.driver.start();
                loop {
                    shared.driver.run();
                    let mut state = shared.state.lock().unwrap();
                    state.capacity_awaited = !state.unread.is_empty();
                    if state.unread.is_empty() {
                        state.unread.extend(input.pop());
                        return Poll::Ready(());
                    }
                    drop(state);
                    if shared.driver.sleep() {
                        return Poll::Pending;
                    }
                }
            }));
            assert_eq!(reader.join().unwrap(), Some(0));
        });
    }

    /// The lock does not protect the handler's flag: the task reads it last.
    #[test]
    fn a_handler_that_is_woken_is_polled() {
        loom::model(|| {
            let shared = Arc::new((Shared::default(), AtomicBool::new(false)));
            let waking = thread::spawn({
                let shared = shared.clone();
                move || {
                    shared.1.swap(true, Ordering::AcqRel);
                    shared.0.driver.notify_without_lock();
                }
            });
            block_on(std::future::poll_fn(|cx| {
                let (connection, woken) = &*shared;
                connection.driver.set_waker(Some(cx.waker().clone()));
                connection.driver.start();
                loop {
                    if woken.swap(false, Ordering::AcqRel) {
                        return Poll::Ready(());
                    }
                    if connection.driver.is_notified() {
                        connection.driver.run();
                        drop(connection.state.lock().unwrap());
                    }
                    if !woken.load(Ordering::Acquire) && connection.driver.sleep() {
                        return Poll::Pending;
                    }
                }
            }));
            waking.join().unwrap();
        });
    }
}
