//! What a connection's task and its handles share: one short lock, never held across an await or a system call.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::scratch;
use super::state::{End, State};
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
    /// The connection's task is polling its handler.
    polling_handler: AtomicBool,
}

impl Shared {
    pub(super) fn new(role: Role, outgoing_limit: usize, deflater: Option<Deflater>) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::default(),
            deflater: deflater.map(Mutex::new),
            role,
            outgoing_limit,
            context: OnceLock::new(),
            polling_handler: AtomicBool::new(false),
        })
    }

    /// A panic elsewhere does not spread: every change to the state is complete in itself.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells of the task, which is polling its handler from now on or no longer.
    pub(super) fn set_polling_handler(&self, polling: bool) {
        // Other threads may see it late: they have other wakers.
        self.polling_handler.store(polling, Ordering::Relaxed);
    }

    /// Whether the handler is what is polled here. Another part of the same task has the same waker, and must be woken by
    /// it: the connection's task polls nothing but the handler.
    fn is_handler(&self, state: &State, waker: &Waker) -> bool {
        self.polling_handler.load(Ordering::Relaxed) && state.is_task(waker)
    }

    /// Whether the transport writes from several places at once.
    pub(super) fn set_vectored(&self, vectored: bool) {
        self.lock().queued.set_vectored(vectored);
    }

    /// The next message; `None` after a close.
    pub(crate) fn poll_recv(&self, cx: &mut Context<'_>) -> Poll<Result<Option<Message>, Error>> {
        let mut state = self.lock();
        if let Some(message) = state.inbox.take() {
            state.ask();
            return Poll::Ready(Ok(Some(message)));
        }
        match &state.end {
            Some(End::Closed(_)) => Poll::Ready(Ok(None)),
            Some(End::Failed(error)) => Poll::Ready(Err(error.clone())),
            None => {
                let is_handler = self.is_handler(&state, cx.waker());
                state.readers.register(cx.waker(), is_handler);
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
        let is_handler = self.is_handler(&state, cx.waker());
        state.writers.register(cx.waker(), is_handler);
        Poll::Pending
    }

    /// Queues the message once there is room, and says up to which byte must be written for it to be out.
    pub(crate) fn poll_send(
        &self,
        message: &mut Option<Message>,
        compress: bool,
        cx: &mut Context<'_>,
    ) -> Poll<Result<u64, Error>> {
        let mut state = std::task::ready!(self.poll_room(cx))?;
        Poll::Ready(match message.take() {
            None => Ok(state.accepted),
            Some(message) if self.deflater.is_none() || !compress => Ok(state.push_message(self.role, message)),
            Some(message) => {
                drop(state);
                self.queue(message, true)
            }
        })
    }

    /// Whether another message may be queued now.
    pub(super) fn has_room(&self) -> bool {
        self.lock().pending() < self.outgoing_limit as u64
    }

    /// Queues the message whether there is room or not.
    pub(crate) fn queue(&self, message: Message, compress: bool) -> Result<u64, Error> {
        let Some(deflater) = self.deflater.as_ref().filter(|_| compress) else {
            let mut state = self.lock();
            state.check_open()?;
            return Ok(state.push_message(self.role, message));
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
        let is_handler = self.is_handler(&state, cx.waker());
        state.writers.register(cx.waker(), is_handler);
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
            state.close = Some(frame.clone());
            state.end_with(End::Closed(frame));
        }
    }

    /// Ends the connection with an error, without a word to the peer.
    pub(crate) fn fail(&self, error: Error) {
        let mut state = self.lock();
        state.fail = true;
        state.end_with(End::Failed(error));
    }

    /// Drops the transport and the handler.
    pub(crate) fn abort(&self) {
        let mut state = self.lock();
        state.abort = true;
        state.end_with(End::Failed(Error::new(ErrorKind::Aborted)));
    }

    /// Waits for an abort, for a task that has no transport yet and sleeps here.
    pub(super) fn poll_aborted(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        if state.abort {
            return Poll::Ready(());
        }
        state.sleep(cx.waker());
        Poll::Pending
    }

    /// Waits for the end of the transport.
    pub(crate) fn poll_ended(&self, cx: &mut Context<'_>) -> Poll<Result<CloseFrame, Error>> {
        let mut state = self.lock();
        if !state.ended {
            let is_handler = self.is_handler(&state, cx.waker());
            state.watchers.register(cx.waker(), is_handler);
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
        state.ping = true;
        state.pings_asked += 1;
        state.ask();
        Ok(state.pings_asked)
    }

    /// The keepalive's ping.
    pub(super) fn ping_if_open(&self) {
        // A closed connection needs no ping.
        let _ = self.ping();
    }

    /// The round trip once the ping with this number is answered.
    pub(crate) fn poll_pong(&self, number: u64, cx: &mut Context<'_>) -> Poll<Result<Duration, Error>> {
        let mut state = self.lock();
        if let Some(round_trip) = state.round_trip.filter(|_| state.pings_answered >= number) {
            return Poll::Ready(Ok(round_trip));
        }
        state.check_open()?;
        let is_handler = self.is_handler(&state, cx.waker());
        state.watchers.register(cx.waker(), is_handler);
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
        self.lock().stats
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

    /// The end of the transport: everybody who waits learns of it.
    pub(super) fn set_ended(&self) -> bool {
        let mut state = self.lock();
        state.ended = true;
        let handler_waits = state.wake_all();
        drop(state);
        if let Some(token) = self.context.get() {
            token.cancel();
        }
        handler_waits
    }

    /// The last handle is gone.
    pub(crate) fn abandon(&self) {
        self.lock().abandon();
    }

    /// Waits for the last handle to go, as a handler that does nothing else.
    pub(crate) async fn abandoned(&self) {
        poll_fn(|cx| {
            let mut state = self.lock();
            if state.abandoned {
                return Poll::Ready(());
            }
            let is_handler = self.is_handler(&state, cx.waker());
            state.watchers.register(cx.waker(), is_handler);
            Poll::Pending
        })
        .await;
    }
}
