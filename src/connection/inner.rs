//! What a connection's task and its handles share: one short lock, never held across an await or a system call.
//!
//! The methods of [`Inner`] are in the other files: `sending`, `receiving`, `pings`, `ending`, `delivering` (topics) and
//! `handler_waker`.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio_util::sync::CancellationToken;

use super::driver_waker::DriverWaker;
use super::state::{State, Waiting};
use super::waker_set::WakerKey;
use crate::deflate::Deflater;
use crate::limits::Limits;
use crate::role::Role;
use crate::stats::{QueueSizes, Stats};

/// The part of a connection that its task and its handles share. It is also the handler's waker.
#[derive(Debug)]
pub(crate) struct Inner {
    state: Mutex<State>,
    /// Locked from compressing to queueing: with context takeover, frames must be sent in the order of their compression.
    /// Locked before `state`. `None` once nothing more can be sent.
    pub(super) deflater: Mutex<Option<Deflater>>,
    id: u64,
    pub(super) is_compressed: bool,
    pub(super) context: OnceLock<CancellationToken>,
    pub(super) driver: DriverWaker,
    pub(super) handler_woken: AtomicBool,
}

impl Inner {
    pub(super) fn new(role: Role, limits: &Limits, deflater: Option<Deflater>) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State::new(role, limits)),
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            is_compressed: deflater.is_some(),
            deflater: Mutex::new(deflater),
            context: OnceLock::new(),
            driver: DriverWaker::default(),
            handler_woken: AtomicBool::new(true),
        })
    }

    /// A poisoned lock is used as if it were not poisoned: no change to the state is left half done by a panic.
    #[inline]
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Removes the entry of a future that waited, and is ready or dropped.
    pub(crate) fn deregister(&self, waiting: Waiting, key: &mut WakerKey) {
        if key.is_registered() {
            let unused = self.lock().wakers(waiting).remove(key);
            drop(unused);
        }
    }

    /// Releases the lock after a change of the lifecycle, and wakes all waiters, the task included.
    pub(super) fn changed(&self, mut state: MutexGuard<'_, State>) {
        let wakers = state.take_all_wakers();
        let ended = state.lifecycle.ended().is_some();
        let drops_feeds = !state.lifecycle.is_writable() && !state.feeds.is_empty();
        let feeds = drops_feeds.then(|| std::mem::take(&mut state.feeds));
        drop(state);
        // After the lock is released: dropping a feed's guard locks its topic.
        drop(feeds);
        if ended && let Some(token) = self.context.get() {
            token.cancel();
        }
        wakers.wake();
        self.driver.notify();
    }

    /// A number that no other connection of this process has or had.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// Whether permessage-deflate was agreed upon.
    pub(crate) fn is_compressed(&self) -> bool {
        self.is_compressed
    }

    pub(crate) fn stats(&self) -> Stats {
        let state = self.lock();
        let sent = state.sender.totals();
        Stats {
            messages_received: state.incoming.messages_received(),
            messages_sent: sent.messages,
            payload_received: state.incoming.payload_received(),
            payload_sent: sent.payload,
            wire_received: state.wire_received,
            wire_sent: sent.wire,
        }
    }

    /// How much waits to be received and to be written.
    pub(super) fn queue_sizes(&self) -> QueueSizes {
        let state = self.lock();
        QueueSizes {
            unread: state.incoming.unread_bytes() as u64,
            unwritten: state.sender.unwritten_bytes(),
            publications: state.feeds.publications(),
        }
    }
}

/// The number of the next connection.
static NEXT_ID: AtomicU64 = AtomicU64::new(0);
