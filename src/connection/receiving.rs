//! How handles receive messages.

use std::task::{Context, Poll, ready};

use super::ending::poll_after_end;
use super::inner::Inner;
use super::waker_set::WakerKey;
use crate::error::Error;
use crate::message::Message;
use crate::protocol::CloseReason;

impl Inner {
    /// Receives the next message; `None` after a close frame.
    #[inline]
    pub(crate) fn poll_recv(&self, key: &mut WakerKey, cx: &mut Context<'_>) -> Poll<Result<Option<Message>, Error>> {
        ready!(self.poll_budget(cx));
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
        ready!(poll_after_end(cx));
        Poll::Ready(end)
    }

    /// Called when a future of `ignore_incoming` begins (`true`) or ends. Messages are discarded while there is at least one.
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
}
