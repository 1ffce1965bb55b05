//! What a connection's task and its handles share: one short lock, never held across an await or a system call.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::lending;
use super::scratch;
use super::signals::Signals;
use super::state::{End, Progress, Requests, State};
use super::wakers::Wakers;
use crate::close::{CloseCode, CloseFrame};
use crate::deflate::Deflater;
use crate::error::{Error, ErrorKind};
use crate::message::Message;
use crate::role::Role;
use crate::stats::Stats;

/// The state of one connection.
#[derive(Debug)]
pub(crate) struct Shared {
    state: Mutex<State>,
    /// Held from compressing to queueing: with context takeover, frames must leave in the order of their compression.
    deflater: Option<Mutex<Deflater>>,
    role: Role,
    outgoing_limit: usize,
    context: OnceLock<CancellationToken>,
    pub(super) signals: Signals,
}

impl Shared {
    pub(super) fn new(role: Role, outgoing_limit: usize, deflater: Option<Deflater>) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::default(),
            deflater: deflater.map(Mutex::new),
            role,
            outgoing_limit,
            context: OnceLock::new(),
            signals: Signals::default(),
        })
    }

    /// A panic elsewhere does not spread: every change to the state is complete in itself.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next message; `None` after a close.
    #[inline]
    pub(crate) fn poll_recv(&self, cx: &mut Context<'_>) -> Poll<Result<Option<Message>, Error>> {
        if !self.signals.inbox_full.get() && !self.signals.over.get() && self.signals.is_handler(cx.waker()) {
            let count = |len| self.signals.count_message(len);
            let Some(message) = lending::borrow(self.id(), |wire| wire.take_whole_message(count)) else {
                return Poll::Pending;
            };
            return Poll::Ready(Ok(Some(message)));
        }
        let mut state = self.lock();
        if let Some(message) = state.inbox.take() {
            self.signals.inbox_full.set(false);
            if state.held_up {
                self.wake_task(&mut state);
            }
            return Poll::Ready(Ok(Some(message)));
        }
        match &state.end {
            Some(End::Closed(_)) => Poll::Ready(Ok(None)),
            Some(End::Failed(error)) => Poll::Ready(Err(error.clone())),
            None => {
                self.register(&mut state.readers, cx.waker());
                Poll::Pending
            }
        }
    }

    /// Room for another message.
    pub(crate) fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.poll_room(cx).map_ok(drop)
    }

    fn poll_room(&self, cx: &mut Context<'_>) -> Poll<Result<MutexGuard<'_, State>, Error>> {
        let mut state = self.lock();
        state.check_open()?;
        if state.pending() < self.outgoing_limit as u64 {
            return Poll::Ready(Ok(state));
        }
        self.await_writing(&mut state, cx.waker());
        Poll::Pending
    }

    /// Queues the message once there is room, and says up to which byte must be written for it to be out.
    #[inline]
    pub(crate) fn poll_send(
        &self,
        message: &mut Option<Message>,
        compress: bool,
        cx: &mut Context<'_>,
    ) -> Poll<Result<u64, Error>> {
        let mut state = std::task::ready!(self.poll_room(cx))?;
        Poll::Ready(match message.take() {
            None => Ok(state.accepted),
            Some(message) if self.deflater.is_none() || !compress => {
                let mark = state.push_message(self.role, message);
                self.wake_task(&mut state);
                Ok(mark)
            }
            Some(message) => {
                drop(state);
                self.queue(message, true)
            }
        })
    }

    /// Queues the message whether there is room or not.
    pub(crate) fn queue(&self, message: Message, compress: bool) -> Result<u64, Error> {
        let Some(deflater) = self.deflater.as_ref().filter(|_| compress) else {
            let mut state = self.lock();
            state.check_open()?;
            let mark = state.push_message(self.role, message);
            self.wake_task(&mut state);
            return Ok(mark);
        };
        let mut compressed = scratch::take_buffer();
        // This lock stays until the frame is queued.
        let mut deflater = deflater.lock().unwrap_or_else(PoisonError::into_inner);
        let smaller = deflater.deflate(message.as_bytes(), &mut compressed);
        let mut state = self.lock();
        state.check_open()?;
        let mark = if smaller {
            state.push_compressed(self.role, message, &compressed)
        } else {
            state.push_message(self.role, message)
        };
        self.wake_task(&mut state);
        drop(state);
        drop(deflater);
        scratch::give_buffer(compressed);
        Ok(mark)
    }

    /// Waits until the operating system has everything up to `mark`.
    pub(crate) fn poll_written(&self, mark: u64, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let mut state = self.lock();
        if state.written >= mark {
            return Poll::Ready(Ok(()));
        }
        if let Some(end) = state.end.as_ref().filter(|end| state.ended || matches!(end, End::Failed(_))) {
            return Poll::Ready(Err(end.to_error()));
        }
        self.await_writing(&mut state, cx.waker());
        Poll::Pending
    }

    /// What has been queued so far.
    pub(crate) fn mark(&self) -> u64 {
        self.lock().accepted
    }

    /// Asks for a close frame behind everything queued. The first reason wins.
    pub(crate) fn close(&self, frame: CloseFrame) {
        let mut state = self.lock();
        if state.end.is_none() {
            self.set_end(&mut state, End::Closed(frame.clone()));
            self.ask(&mut state, |requests| requests.close = Some(frame));
        }
    }

    /// Ends the connection with an error, without a word to the peer.
    pub(crate) fn fail(&self, error: Error) {
        let mut state = self.lock();
        self.set_end(&mut state, End::Failed(error));
        self.ask(&mut state, |requests| requests.fail = true);
    }

    /// Drops the transport and the handler.
    pub(crate) fn abort(&self) {
        let mut state = self.lock();
        self.set_end(&mut state, End::Failed(Error::new(ErrorKind::Aborted)));
        self.ask(&mut state, |requests| requests.abort = true);
    }

    /// Waits for the end of the transport.
    pub(crate) fn poll_ended(&self, cx: &mut Context<'_>) -> Poll<Result<CloseFrame, Error>> {
        let mut state = self.lock();
        if !state.ended {
            self.register(&mut state.watchers, cx.waker());
            return Poll::Pending;
        }
        Poll::Ready(match &state.end {
            Some(End::Closed(frame)) => Ok(frame.clone()),
            Some(End::Failed(error)) => Err(error.clone()),
            None => Ok(CloseFrame::new(CloseCode::NORMAL, "")),
        })
    }

    /// Why the connection is over, if it is.
    pub(crate) fn end(&self) -> Option<Result<CloseFrame, Error>> {
        self.lock().end.clone().map(|end| match end {
            End::Closed(frame) => Ok(frame),
            End::Failed(error) => Err(error),
        })
    }

    /// Asks for a ping and returns its number.
    pub(crate) fn ping(&self) -> Result<u64, Error> {
        let mut state = self.lock();
        state.check_open()?;
        state.pings_asked += 1;
        let number = state.pings_asked;
        self.ask(&mut state, |requests| requests.ping = Some(number));
        Ok(number)
    }

    /// The round trip once the ping with this number is answered.
    pub(crate) fn poll_pong(&self, number: u64, cx: &mut Context<'_>) -> Poll<Result<Duration, Error>> {
        let mut state = self.lock();
        if let Some(round_trip) = state.round_trip.filter(|_| state.pings_answered >= number) {
            return Poll::Ready(Ok(round_trip));
        }
        state.check_open()?;
        self.register(&mut state.watchers, cx.waker());
        Poll::Pending
    }

    /// Whether permessage-deflate was agreed upon.
    pub(crate) fn is_compressed(&self) -> bool {
        self.deflater.is_some()
    }

    pub(crate) fn round_trip(&self) -> Option<Duration> {
        self.lock().round_trip
    }

    pub(crate) fn stats(&self) -> Stats {
        let sent = self.lock().sent_so_far;
        self.signals.stats(sent)
    }

    /// A token that is cancelled when the connection ends. Made when it is first asked for.
    pub(crate) fn context(&self) -> &CancellationToken {
        let token = self.context.get_or_init(CancellationToken::new);
        // The end may have come between the task's look and the making of the token.
        if self.lock().ended {
            token.cancel();
        }
        token
    }

    /// The last handle is gone.
    pub(crate) fn abandon(&self) {
        let mut state = self.lock();
        state.abandoned = true;
        state.watchers.wake();
        self.ask(&mut state, |_| {});
    }

    /// Waits for the last handle to go, as a handler that does nothing else.
    pub(crate) async fn abandoned(&self) {
        poll_fn(|cx| {
            let mut state = self.lock();
            if state.abandoned {
                return Poll::Ready(());
            }
            self.register(&mut state.watchers, cx.waker());
            Poll::Pending
        })
        .await;
    }
}

/// What the handles' side is made of.
impl Shared {
    /// Has the task do this. It polls its handler too, which may wait for what has changed.
    fn ask(&self, state: &mut State, request: impl FnOnce(&mut Requests)) {
        request(&mut state.requests);
        self.signals.asked.set(true);
        self.wake_task(state);
    }

    /// Wakes the task unless it will look by itself before it sleeps.
    fn wake_task(&self, state: &mut State) {
        if !self.signals.awake.get() {
            state.wake_task();
        }
    }

    /// Whoever waits and is not the handler is to be woken.
    fn register(&self, wakers: &mut Wakers, waker: &Waker) {
        if !self.signals.is_handler(waker) {
            wakers.register(waker);
        }
    }

    fn await_writing(&self, state: &mut State, waker: &Waker) {
        self.register(&mut state.writers, waker);
        self.signals.writing_awaited.set(true);
    }

    /// Keeps the first reason.
    fn set_end(&self, state: &mut State, end: End) {
        state.set_end(end);
        self.signals.over.set(true);
    }
}

/// The task's side.
impl Shared {
    /// Whether the transport writes from several places at once.
    pub(super) fn set_vectored(&self, vectored: bool) {
        self.lock().queued.set_vectored(vectored);
    }

    pub(super) fn take_requests(&self) -> Requests {
        let mut state = self.lock();
        self.signals.asked.set(false);
        std::mem::take(&mut state.requests)
    }

    /// Which connection this is. It stays where it is for as long as it is polled.
    pub(super) fn id(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    /// Leaves a message to whoever receives next.
    pub(super) fn deliver(&self, message: Message) {
        self.signals.count_message(message.len());
        let mut state = self.lock();
        state.deliver(message);
        self.signals.inbox_full.set(true);
    }

    /// Counts what was done, and wakes those who wait for it. Whether the handler may be one of them.
    #[inline]
    pub(super) fn advance(&self, state: &mut State, progress: &mut Progress) -> bool {
        let awaited = progress.sent > 0 && self.signals.writing_awaited.get();
        if awaited {
            self.signals.writing_awaited.set(false);
        }
        state.advance(progress);
        awaited
    }

    /// The connection is over for its users. The first reason is kept; what was written before counts as written.
    pub(super) fn end_with(&self, end: End, progress: &mut Progress) {
        let mut state = self.lock();
        state.advance(progress);
        self.set_end(&mut state, end);
    }

    /// The end of the transport: everybody who waits learns of it.
    pub(super) fn set_ended(&self, progress: &mut Progress) {
        let mut state = self.lock();
        state.advance(progress);
        state.ended = true;
        state.wake_all();
        drop(state);
        if let Some(token) = self.context.get() {
            token.cancel();
        }
    }

    /// Whether another message may be queued now.
    pub(super) fn has_room(&self) -> bool {
        self.lock().pending() < self.outgoing_limit as u64
    }

    /// The keepalive's ping.
    pub(super) fn ping_if_open(&self) {
        // A closed connection needs no ping.
        let _ = self.ping();
    }

    /// Waits for an abort, for a task that has no transport yet and sleeps here.
    pub(super) fn poll_aborted(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        if state.is_aborted() {
            return Poll::Ready(());
        }
        state.sleep(cx.waker());
        Poll::Pending
    }
}
