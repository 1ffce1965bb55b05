//! When a connection's task polls its handler.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite};

use super::Task;
use crate::close::{CloseCode, CloseFrame};
use crate::handler::{HandlerOutput, close_frame};

impl<Io: AsyncRead + AsyncWrite + Unpin> Task<Io> {
    #[inline]
    pub(super) fn poll_handler<H: Future<Output: HandlerOutput>>(
        &mut self,
        handler: &mut Handler<'_, H>,
        cx: &mut Context<'_>,
    ) {
        self.handler_due = false;
        self.shared.signals.set_polling_handler(true);
        let mut returned = Poll::Pending;
        let mut poll = || returned = handler.poll(cx);
        if self.text_heartbeat {
            // The handler does not see all messages.
            poll();
        } else {
            self.socket.lend_wire(self.shared.id(), poll);
        }
        self.shared.signals.set_polling_handler(false);
        if let Poll::Ready(frame) = returned {
            self.shared.close(frame);
        }
    }
}

/// The user's part of the task.
pub(in crate::connection) struct Handler<'a, H>(Pin<&'a mut Option<H>>);

impl<'a, H: Future<Output: HandlerOutput>> Handler<'a, H> {
    pub(in crate::connection) fn new(future: Pin<&'a mut Option<H>>) -> Self {
        Self(future)
    }

    pub(super) fn is_done(&self) -> bool {
        self.0.is_none()
    }

    /// Ready with the close frame to send, once.
    #[inline]
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<CloseFrame> {
        let Some(future) = self.0.as_mut().as_pin_mut() else { return Poll::Pending };
        // A panic ends this connection alone. The future is not polled again.
        let frame = match catch_unwind(AssertUnwindSafe(|| future.poll(cx).map(close_frame))) {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(frame)) => frame,
            Err(_) => panicked(),
        };
        // Dropping it may panic too.
        match catch_unwind(AssertUnwindSafe(|| self.0.set(None))) {
            Ok(()) => Poll::Ready(frame),
            Err(_) => Poll::Ready(panicked()),
        }
    }
}

/// What the peer is told of a panic, which its own thread has reported.
pub(in crate::connection) fn panicked() -> CloseFrame {
    tracing::error!("handler panicked");
    CloseFrame::new(CloseCode::INTERNAL_ERROR, "internal error")
}
