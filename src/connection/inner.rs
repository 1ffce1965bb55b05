//! What a connection's task and its handles share: one short lock, never held across an await or a system call.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Wake, Waker, ready};
use std::time::Duration;

use tokio::task::coop::consume_budget;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::driver_waker::DriverWaker;
use super::state::{State, Waiting};
use super::waker_set::WakerKey;
use crate::close::CloseFrame;
use crate::deflate::Deflater;
use crate::error::{Error, ErrorKind};
use crate::limits::Limits;
use crate::message::Message;
use crate::protocol::CloseReason;
use crate::role::Role;
use crate::stats::{QueueSizes, Stats};

/// One connection, as its task and its handles see it. It is the handler's waker too.
#[derive(Debug)]
pub(crate) struct Inner {
    state: Mutex<State>,
    /// Held from compressing to queueing: with context takeover, frames must leave in the order of their compression.
    /// Taken before `state`. None once nothing more can be sent.
    pub(super) deflater: Mutex<Option<Deflater>>,
    id: u64,
    pub(super) is_compressed: bool,
    context: OnceLock<CancellationToken>,
    pub(super) driver: DriverWaker,
    handler_woken: AtomicBool,
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

    /// A panic elsewhere does not spread: every change to the state is complete in itself.
    #[inline]
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next message; `None` after a close.
    #[inline]
    pub(crate) fn poll_recv(&self, key: &mut WakerKey, cx: &mut Context<'_>) -> Poll<Result<Option<Message>, Error>> {
        let _unused;
        let mut state = self.lock();
        if let Some(message) = state.incoming.pop() {
            _unused = state.readers.remove(key);
            if state.capacity_awaited && state.incoming.has_capacity() {
                state.capacity_awaited = false;
                drop(state);
                self.driver.notify();
            }
            return Poll::Ready(Ok(Some(message)));
        }
        let Some(reason) = state.lifecycle.reason() else {
            _unused = state.readers.register(key, cx.waker());
            return Poll::Pending;
        };
        let end = match reason {
            CloseReason::Closed(_) => Ok(None),
            CloseReason::Failed(error) => Err(error.clone()),
        };
        _unused = state.readers.remove(key);
        drop(state);
        ready!(poll_behind_end(cx));
        Poll::Ready(end)
    }

    /// Answers the text message `ping`. A peer that does not read gets no more answers than there is capacity for.
    pub(super) fn answer_heartbeat(&self) {
        // After a close frame no answer is wanted.
        let _ = self.try_queue(Message::text("pong"), false);
    }

    /// Up to which byte all is queued.
    pub(crate) fn bytes_queued(&self) -> u64 {
        self.lock().sender.bytes_queued()
    }

    /// Queues a close frame behind everything else. The first reason wins.
    pub(crate) fn close(&self, frame: CloseFrame) {
        let mut state = self.lock();
        let before = state.lifecycle.phase();
        if state.lifecycle.close(frame.clone()) {
            state.sender.push_close(&frame);
        }
        if state.lifecycle.phase() != before {
            self.changed(state);
        }
    }

    /// Ends the connection with an error, without a word to the peer.
    pub(crate) fn fail(&self, error: Error) {
        let mut state = self.lock();
        state.lifecycle.give_up(error);
        self.changed(state);
    }

    /// Drops the transport and the handler.
    pub(crate) fn abort(&self) {
        let mut state = self.lock();
        state.lifecycle.give_up(Error::new(ErrorKind::Aborted));
        state.aborted = true;
        self.changed(state);
    }

    /// Waits for the end of the connection.
    pub(crate) fn poll_ended(&self, key: &mut WakerKey, cx: &mut Context<'_>) -> Poll<Result<CloseFrame, Error>> {
        let _unused;
        let mut state = self.lock();
        let Some(ended) = state.lifecycle.ended().map(CloseReason::to_result) else {
            _unused = state.watchers.register(key, cx.waker());
            return Poll::Pending;
        };
        _unused = state.watchers.remove(key);
        Poll::Ready(ended)
    }

    /// Why the connection is over for its users, if it is.
    pub(crate) fn close_reason(&self) -> Option<Result<CloseFrame, Error>> {
        self.lock().lifecycle.reason().map(CloseReason::to_result)
    }

    /// Requests a ping and returns its number.
    pub(crate) fn ping(&self) -> Result<u64, Error> {
        let mut state = self.lock();
        state.lifecycle.check_writable()?;
        state.pings.requested += 1;
        let number = state.pings.requested;
        drop(state);
        self.driver.notify();
        Ok(number)
    }

    /// The round trip once the ping with this number is answered.
    pub(crate) fn poll_pong(
        &self,
        number: u64,
        key: &mut WakerKey,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Duration, Error>> {
        let _unused;
        let mut state = self.lock();
        let answered = match state.pings.round_trip.filter(|_| state.pings.answered >= number) {
            Some(round_trip) => Ok(round_trip),
            None => match state.lifecycle.check_writable() {
                Err(error) => Err(error),
                Ok(()) => {
                    _unused = state.watchers.register(key, cx.waker());
                    return Poll::Pending;
                }
            },
        };
        _unused = state.watchers.remove(key);
        Poll::Ready(answered)
    }

    /// Messages are discarded from here on, or once less than before.
    pub(crate) fn set_ignoring(&self, ignoring: bool) {
        let mut state = self.lock();
        if ignoring {
            state.ignoring += 1;
            state.incoming.clear();
            state.capacity_awaited = false;
        } else {
            state.ignoring -= 1;
        }
        drop(state);
        self.driver.notify();
    }

    /// Closes the connection with this frame at this time, or at none.
    pub(crate) fn set_deadline(&self, deadline: Option<(Instant, CloseFrame)>) {
        let mut state = self.lock();
        state.deadline = deadline.map(Box::new);
        state.deadline_changed = true;
        drop(state);
        self.driver.notify();
    }

    /// Whether nothing more can be sent.
    pub(crate) fn is_closed(&self) -> bool {
        self.lock().lifecycle.check_writable().is_err()
    }

    /// Which connection this is, of all that the process has had.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// Whether permessage-deflate was agreed upon.
    pub(crate) fn is_compressed(&self) -> bool {
        self.is_compressed
    }

    pub(crate) fn round_trip(&self) -> Option<Duration> {
        self.lock().pings.round_trip
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

    /// What waits to be received and to be written.
    pub(super) fn queue_sizes(&self) -> QueueSizes {
        let state = self.lock();
        QueueSizes {
            unread: state.incoming.unread_bytes() as u64,
            unwritten: state.sender.unwritten_bytes(),
            publications: state.feeds.publications(),
        }
    }

    /// A token that is cancelled when the connection ends. Made when it is first asked for.
    pub(crate) fn context(&self) -> &CancellationToken {
        let token = self.context.get_or_init(CancellationToken::new);
        // The end may have come before the token was made.
        if self.lock().lifecycle.ended().is_some() {
            token.cancel();
        }
        token
    }

    /// The last handle was dropped.
    pub(crate) fn drop_handles(&self) {
        let mut state = self.lock();
        state.handles_dropped = true;
        // No handle is left to receive them.
        state.incoming.clear();
        self.changed(state);
    }

    /// Waits for the last handle to be dropped.
    pub(crate) fn poll_handles_dropped(&self, key: &mut WakerKey, cx: &mut Context<'_>) -> Poll<()> {
        let _unused;
        let mut state = self.lock();
        if !state.handles_dropped {
            _unused = state.watchers.register(key, cx.waker());
            return Poll::Pending;
        }
        _unused = state.watchers.remove(key);
        Poll::Ready(())
    }

    /// A future that waited is ready or dropped.
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
        // Without the lock: their guards take others.
        drop(feeds);
        if ended && let Some(token) = self.context.get() {
            token.cancel();
        }
        wakers.wake();
        self.driver.notify();
    }

    /// Frees what was queued, and the compressor: nothing more will be sent. Unread messages stay until they are received.
    pub(super) fn release(&self) {
        let _queued = self.lock().sender.clear();
        self.release_compressor();
    }

    /// Frees the compressor: no message is sent any more.
    pub(super) fn release_compressor(&self) {
        // A handle that compresses at the moment sees that, and frees it.
        if self.is_compressed
            && let Ok(mut deflater) = self.deflater.try_lock()
        {
            *deflater = None;
        }
    }

    /// Waits for an abort, for a task that has no transport yet and sleeps here.
    pub(super) fn poll_aborted(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.driver.set_waker(Some(cx.waker().clone()));
        loop {
            self.driver.run();
            if self.lock().aborted {
                return Poll::Ready(());
            }
            if self.driver.sleep() {
                return Poll::Pending;
            }
        }
    }
}

/// Ready at once, but for a caller that asks again and again: one that ignores the end in a loop yields to other tasks.
#[cold]
pub(super) fn poll_behind_end(cx: &mut Context<'_>) -> Poll<()> {
    pin!(consume_budget()).poll(cx)
}

/// The number of the next connection.
static NEXT_ID: AtomicU64 = AtomicU64::new(0);

/// The handler's waker: the task polls its handler once it was called.
impl Inner {
    #[inline]
    pub(super) fn take_handler_woken(&self) -> bool {
        self.handler_woken.swap(false, Ordering::AcqRel)
    }

    #[inline]
    pub(super) fn is_handler_woken(&self) -> bool {
        self.handler_woken.load(Ordering::Acquire)
    }

    pub(super) fn handler_waker(self: &Arc<Self>) -> Waker {
        Waker::from(self.clone())
    }
}

impl Wake for Inner {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.handler_woken.swap(true, Ordering::AcqRel);
        self.driver.notify_without_lock();
    }
}
