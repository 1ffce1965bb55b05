//! How handles, a deadline or the task end a connection, and how handles wait for the end.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll};

use tokio::task::coop::consume_budget;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::inner::Inner;
use super::waker_set::WakerKey;
use crate::close::CloseFrame;
use crate::error::{Error, ErrorKind};
use crate::protocol::CloseReason;

impl Inner {
    /// Queues a close frame after everything else. The first reason stays.
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

    /// Ends the connection with an error, without a close frame.
    pub(crate) fn fail(&self, error: Error) {
        let mut state = self.lock();
        state.lifecycle.give_up(error);
        self.changed(state);
    }

    /// Has the task end at once, without a close frame, and drop the handler.
    pub(crate) fn abort(&self) {
        let mut state = self.lock();
        state.lifecycle.give_up(Error::new(ErrorKind::Aborted));
        state.aborted = true;
        self.changed(state);
    }

    /// Sets or removes a deadline: the time at which the connection is closed with a frame.
    pub(crate) fn set_deadline(&self, deadline: Option<(Instant, CloseFrame)>) {
        let mut state = self.lock();
        state.deadline = deadline.map(Box::new);
        state.deadline_changed = true;
        drop(state);
        self.driver.notify();
    }

    /// Called when the last handle was dropped.
    pub(crate) fn drop_handles(&self) {
        let mut state = self.lock();
        state.handles_dropped = true;
        // No handle is left that could receive the messages.
        state.incoming.clear();
        self.changed(state);
    }

    /// Whether nothing more can be sent.
    pub(crate) fn is_closed(&self) -> bool {
        self.lock().lifecycle.check_writable().is_err()
    }

    /// Why messages can be neither sent nor received any more; `None` while they can.
    pub(crate) fn close_reason(&self) -> Option<Result<CloseFrame, Error>> {
        self.lock().lifecycle.reason().map(CloseReason::to_result)
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

    /// Waits for an abort. For a task that has no transport yet.
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

    /// A token that is cancelled when the connection ends. The first call creates it.
    pub(crate) fn context(&self) -> &CancellationToken {
        let token = self.context.get_or_init(CancellationToken::new);
        // The connection may have ended before the token was created.
        if self.lock().lifecycle.ended().is_some() {
            token.cancel();
        }
        token
    }

    /// Frees what was queued, and the compressor: nothing more will be sent. Unread messages stay until they are received.
    pub(super) fn release(&self) {
        let _queued = self.lock().sender.clear();
        self.release_compressor();
    }

    /// Frees the compressor: no message is sent any more.
    pub(super) fn release_compressor(&self) {
        // If a handle is compressing now, it frees the compressor itself: see `queue_compressed`.
        if self.is_compressed
            && let Ok(mut deflater) = self.deflater.try_lock()
        {
            *deflater = None;
        }
    }
}

/// Ready at once, unless tokio's budget is used up: so a caller that ignores the end of the connection in a loop yields.
#[cold]
pub(super) fn poll_after_end(cx: &mut Context<'_>) -> Poll<()> {
    pin!(consume_budget()).poll(cx)
}
