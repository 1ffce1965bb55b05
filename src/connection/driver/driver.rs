//! The loop of a connection's task, and how it reads the changes that handles have made.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::coop::has_budget_remaining;
use tokio::task::{unconstrained, yield_now};
use tokio::time::{Instant, Sleep};

use super::handler::Handler;
use super::write::{Unflushed, gather};
use crate::close::CloseFrame;
use crate::connection::config::ConnectionConfig;
use crate::connection::inner::Inner;
use crate::connection::state::State;
use crate::connection::transport::{Transport, has_send_queue};
use crate::error::Error;
use crate::log_text::OneLine;
use crate::metrics::ConnectionMetrics;
use crate::protocol::{
    Assembler, CloseReason, ControlFrames, Event, Failure, Intake, Phase, Receiver, Timers, WriteBuffer,
};

/// One connection, until its transport and its handler are both done.
pub(in crate::connection) struct Driver<Io> {
    /// `None` until the opening handshake is complete, and once the transport is closed.
    pub(super) transport: Option<Transport<Io>>,
    pub(in crate::connection) inner: Arc<Inner>,
    /// The waker of this task, as `DriverWaker` has it.
    waker: Option<Waker>,
    pub(super) handler_waker: Waker,
    pub(super) receiver: Receiver,
    pub(super) control: ControlFrames,
    /// What is being written. Its first `control_bytes` are control frames.
    pub(super) writing: WriteBuffer,
    pub(super) control_bytes: usize,
    pub(super) unflushed: Unflushed,
    /// Bytes written before `TCP_NOTSENT_LOWAT`, the limit for unsent bytes in the kernel, is set: it is set when they reach
    /// `LIMIT_UNSENT_AFTER`, and counting stops.
    pub(super) written_before_limit: usize,
    pub(super) progress: Progress,
    pub(super) timers: Timers,
    pub(super) metrics: ConnectionMetrics,
    /// The phase of the lifecycle, as of the last `sync`.
    pub(super) phase: Phase,
    /// Whether another message may be received: the last result of [`may_receive`]. Set to `false` as soon as a message or a ping
    /// uses the last capacity or reaches the rate limit.
    pub(super) may_receive: bool,
    /// The number of the latest requested ping that was sent.
    last_ping_sent: u64,
    /// Whether the peer's side is read to its end even after its close frame: true for a stream of HTTP/2.
    pub(super) read_to_end: bool,
    pub(super) text_heartbeat: bool,
    /// A close frame or a text message `ping` has not been answered yet: the handler answers the messages before it first.
    pub(super) answer_due: bool,
    /// The close frame.
    pub(super) close_due: Option<Box<Event>>,
    /// The task yields before it handles more: the handler was woken while it was polled, so it has yielded, or a close frame is due.
    pub(super) yields: bool,
    /// The task is to end at once, and to drop the handler.
    aborted: bool,
    /// The number of messages received when the timer last fired, after a write has failed.
    pub(super) received_before: u64,
    /// The number of frames that may still be handled in this poll.
    pub(super) budget: usize,
    /// The timer has this task's waker.
    pub(in crate::connection) timer_registered: bool,
    /// The limits for which the timer was set, a bit for each: see `Timers::running`.
    pub(super) armed: u8,
    pub(in crate::connection) now: Instant,
}

/// What the task has done, and not yet reported to [`State`].
#[derive(Debug, Default)]
pub(super) struct Progress {
    pub(super) bytes_read: u64,
    /// All bytes that were written and flushed; `queued_written` of them were queued by handles, the others are control frames.
    pub(super) bytes_written: u64,
    pub(super) queued_written: u64,
}

impl Progress {
    pub(super) fn is_some(&self) -> bool {
        self.bytes_read > 0 || self.bytes_written > 0
    }

    /// Adds it to the state, and returns whether something was written.
    #[inline]
    pub(super) fn report(&mut self, state: &mut State) -> bool {
        let Self { bytes_read, bytes_written, queued_written } = std::mem::take(self);
        state.wire_received += bytes_read;
        if bytes_written > 0 {
            state.sender.advance(bytes_written, queued_written);
        }
        bytes_written > 0
    }
}

impl<Io: AsyncRead + AsyncWrite + Unpin + 'static> Driver<Io> {
    #[inline]
    pub(in crate::connection) fn new(inner: Arc<Inner>, config: ConnectionConfig<'_>, now: Instant) -> Self {
        let ConnectionConfig { role, limits, keepalive, read_to_end, inflater, .. } = config;
        Self {
            transport: None,
            waker: None,
            handler_waker: inner.handler_waker(),
            inner,
            receiver: Receiver::new(role, Assembler::new(limits, inflater)),
            control: ControlFrames::new(role),
            writing: WriteBuffer::default(),
            control_bytes: 0,
            unflushed: Unflushed::default(),
            written_before_limit: 0,
            progress: Progress::default(),
            timers: Timers::new(keepalive, limits, now),
            metrics: ConnectionMetrics::new(role),
            phase: Phase::Open,
            may_receive: true,
            last_ping_sent: 0,
            read_to_end,
            text_heartbeat: keepalive.answers_text(),
            answer_due: false,
            close_due: None,
            yields: false,
            aborted: false,
            received_before: 0,
            budget: 0,
            timer_registered: false,
            armed: 0,
            now,
        }
    }

    /// Begins to use a transport. `early` are bytes that were read together with the opening handshake.
    pub(in crate::connection) fn open(&mut self, transport: Transport<Io>, early: &Bytes) {
        self.now = Instant::now();
        self.timers.bytes_received(self.now);
        self.timers.count_bytes(early.len(), self.now);
        self.progress.bytes_read += early.len() as u64;
        self.receiver.start_with(early);
        let vectored = transport.is_write_vectored();
        self.writing.set_vectored(vectored);
        self.inner.lock().sender.set_vectored(vectored);
        if has_send_queue(&transport) {
            self.timers.set_send_queue_known();
        }
        self.transport = Some(transport);
        self.metrics.opened(self.now);
        // Handles may have made changes before.
        self.inner.driver.notify_without_lock();
    }

    /// Does everything that can be done now. Ready when the transport is closed and the handler has returned.
    pub(in crate::connection) fn poll<H>(
        &mut self,
        mut handler: Handler<'_, H>,
        mut timer: Pin<&mut Sleep>,
        cx: &mut Context<'_>,
    ) -> Poll<()>
    where
        H: Future<Output = CloseFrame>,
    {
        self.now = Instant::now();
        self.set_waker(cx.waker());
        self.inner.driver.start();
        self.budget = FRAMES_PER_POLL;
        loop {
            let mut made_progress = self.drive_reads(cx);
            made_progress |= self.drive_handler(&mut handler);
            // A handler that always has something to do uses up tokio's budget in each poll. Writes then ignore the budget, as
            // otherwise nothing would ever be written.
            let is_budget_used_up = !has_budget_remaining();
            made_progress |= if is_budget_used_up { self.write_without_budget(cx) } else { self.drive_writes(cx) };
            if self.aborted || (self.transport.is_none() && handler.is_done()) {
                return Poll::Ready(());
            }
            let yields = std::mem::take(&mut self.yields);
            if self.budget == 0 || yields || is_budget_used_up {
                return self.poll_later(timer, cx);
            }
            if made_progress || self.progress.is_some() || self.drive_timers(timer.as_mut(), cx) {
                continue;
            }
            // Read after `DriverWaker::run`, as everything that other tasks change: a later change prevents the sleep.
            if !self.inner.is_handler_woken() && self.sleep() {
                return Poll::Pending;
            }
        }
    }

    #[cold]
    fn write_without_budget(&mut self, cx: &mut Context<'_>) -> bool {
        let write = poll_fn(|cx| Poll::Ready(self.drive_writes(cx)));
        pin!(unconstrained(write)).poll(cx) == Poll::Ready(true)
    }

    /// Yields to other tasks. The runtime polls its timers and sockets before it polls this task again.
    #[cold]
    fn poll_later(&mut self, timer: Pin<&mut Sleep>, cx: &mut Context<'_>) -> Poll<()> {
        self.drive_timers(timer, cx);
        self.receiver.park();
        pin!(yield_now()).poll(cx)
    }

    /// Gives the read buffer back and returns whether the task may sleep: not if something has changed since `sync`.
    #[inline]
    fn sleep(&mut self) -> bool {
        self.receiver.park();
        if self.metrics.is_due(self.now) {
            self.count_metrics();
        }
        self.inner.driver.sleep()
    }

    #[cold]
    fn count_metrics(&mut self) {
        self.metrics.count(self.inner.stats(), self.inner.queue_sizes(), self.now);
    }

    fn set_waker(&mut self, waker: &Waker) {
        if !self.waker.as_ref().is_some_and(|known| known.will_wake(waker)) {
            self.waker = Some(waker.clone());
            self.inner.driver.set_waker(Some(waker.clone()));
            // The future has moved to another task: the timer has the waker of the old one.
            self.timer_registered = false;
        }
    }

    /// Reports progress, and reads what handles have changed. Returns whether reading is affected.
    #[inline]
    pub(super) fn sync(&mut self) -> bool {
        self.inner.driver.run();
        let mut state = self.inner.lock();
        let wakers = if self.progress.report(&mut state) { state.take_writers() } else { None };
        if state.ping_requests.latest > self.last_ping_sent {
            self.last_ping_sent = state.ping_requests.latest;
            self.timers.ping_sent(self.last_ping_sent, self.now);
            self.control.push_ping(&self.last_ping_sent.to_be_bytes());
        }
        if std::mem::take(&mut state.deadline_changed) {
            self.timers.set_deadline(state.deadline.as_ref().map(|deadline| deadline.0));
        }
        let encode = !state.feeds.is_idle() && state.refill();
        if self.writing.is_empty() {
            self.control_bytes = gather(&mut state, &mut self.control, &mut self.writing);
        }
        state.sender.charge_unwritten();
        let within_budget = state.incoming.charge_unread();
        let may_receive = may_receive(&mut state, &self.timers);
        let resumes = may_receive && !std::mem::replace(&mut self.may_receive, may_receive);
        self.aborted = state.aborted;
        let phase = state.lifecycle.phase();
        drop(state);
        if let Some(wakers) = wakers {
            wakers.wake();
        }
        if encode {
            self.inner.encode_waiting();
        }
        let phase_changed = phase != self.phase;
        let changed = phase_changed || resumes;
        if phase_changed {
            self.enter(phase);
        }
        if !within_budget && self.phase.is_receiving() {
            self.fail(Failure::BudgetExceeded);
        }
        changed
    }

    /// How messages that arrive are treated now.
    #[inline]
    pub(super) fn intake(&self) -> Intake {
        match self.phase.is_receiving() {
            true if self.may_receive => Intake::Accept,
            true => Intake::Pause,
            false => Intake::Discard,
        }
    }

    /// Called when the lifecycle has reached another phase.
    #[cold]
    fn enter(&mut self, phase: Phase) {
        let before = std::mem::replace(&mut self.phase, phase);
        if phase == Phase::Closing
            && let Some(CloseReason::Closed(frame)) = self.inner.lock().lifecycle.reason()
        {
            tracing::debug!(frame = %OneLine(frame), "closing");
        }
        match phase {
            Phase::Open => {}
            Phase::WriteFailed => {
                self.stop_writing();
                self.inner.release();
                self.timers.set_write_failed(self.now);
            }
            Phase::Closing | Phase::Draining | Phase::ShutDown => {
                self.receiver.discard();
                self.inner.release_compressor();
                self.timers.stop_rate_limit();
                self.timers.set_read_paused(false, self.now);
                // All steps of the end share one deadline.
                if before == Phase::Open {
                    self.timers.set_closing(self.now);
                }
            }
            Phase::Closed => self.close_transport(),
        }
    }

    /// Fails the connection (RFC 6455 §7.1.7).
    #[cold]
    pub(super) fn fail(&mut self, failure: Failure) {
        if !self.phase.is_receiving() {
            // The closing handshake cannot be completed any more.
            return self.end_transport(failure.into_error());
        }
        tracing::debug!(?failure, "connection failed");
        // A silent peer that accepts no data does not accept a close frame either.
        let unreachable = matches!(failure, Failure::KeepaliveTimeout) && self.timers.is_write_blocked();
        match failure.close_frame().filter(|_| !unreachable) {
            Some(frame) => self.change(|state| state.fail(failure.into_error(), &frame)),
            None => self.end_transport(failure.into_error()),
        }
    }

    /// Changes the lifecycle, and wakes all waiters. Progress is reported first, so that what was written counts as written.
    pub(super) fn change(&mut self, change: impl FnOnce(&mut State)) {
        let mut state = self.inner.lock();
        self.progress.report(&mut state);
        change(&mut state);
        let phase = state.lifecycle.phase();
        self.inner.changed(state);
        if phase != self.phase {
            self.enter(phase);
        }
    }

    /// Moves the lifecycle to its last phase, in which the transport is closed.
    #[cold]
    pub(super) fn end_transport(&mut self, error: Error) {
        self.change(|state| state.lifecycle.transport_closed(error));
    }

    /// Frees all memory of the connection except its unread messages.
    fn close_transport(&mut self) {
        let transport = self.transport.take();
        self.receiver.clear();
        self.inner.release();
        self.stop_writing();
        // Dropped last: it may be a user's type, whose drop can panic.
        drop(transport);
    }

    /// Drops what is not yet written: the transport accepts no more data.
    fn stop_writing(&mut self) {
        self.control.stop();
        self.writing.clear();
        self.control_bytes = 0;
        self.unflushed = Unflushed::default();
        self.timers.write_done();
        self.timers.set_pong_due(false, self.now);
    }
}

impl<Io> Drop for Driver<Io> {
    /// If the task is dropped before the connection has ended, at a shutdown's deadline or with its runtime, that ends it.
    fn drop(&mut self) {
        if self.phase != Phase::Closed {
            let mut state = self.inner.lock();
            self.progress.report(&mut state);
            state.lifecycle.transport_closed(Failure::Disconnected(None).into_error());
            self.inner.changed(state);
            self.inner.release();
        }
        // The waker keeps the task's memory allocated, and handles may live longer.
        self.inner.driver.set_waker(None);
        if self.metrics.is_open() {
            let end = self.inner.close_reason().expect("the lifecycle was ended above");
            self.metrics.ended(self.inner.stats(), &end);
        }
    }
}

/// Whether another message may be received: unread messages are below their limit, and the rate limit allows it.
#[inline]
pub(super) fn may_receive(state: &mut State, timers: &Timers) -> bool {
    state.check_capacity() && !timers.is_rate_paused()
}

/// How many frames are handled before the task yields. One read of messages of 64 bytes has about as many, so that their answers
/// are sent with one write.
const FRAMES_PER_POLL: usize = 1024;
