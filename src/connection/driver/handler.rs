//! When a connection's task polls its handler.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite};

use super::Driver;
use crate::close::CloseFrame;
use crate::connection::panicked::panicked;

impl<Io: AsyncRead + AsyncWrite + Unpin + 'static> Driver<Io> {
    /// Polls the handler if it was woken. Returns whether it was.
    #[inline]
    pub(super) fn drive_handler<H: Future<Output = CloseFrame>>(&mut self, handler: &mut Handler<'_, H>) -> bool {
        if !self.inner.is_handler_woken() || !self.inner.take_handler_woken() {
            return false;
        }
        if let Poll::Ready(frame) = handler.poll(&mut Context::from_waker(&self.handler_waker)) {
            self.inner.close(frame);
        }
        self.yields |= self.inner.is_handler_woken();
        true
    }
}

/// The handler's future, until it has returned.
pub(in crate::connection) struct Handler<'a, H>(Pin<&'a mut Option<H>>);

impl<'a, H: Future<Output = CloseFrame>> Handler<'a, H> {
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
        // A panic ends this connection only. The future is not polled again.
        let frame = match catch_unwind(AssertUnwindSafe(|| future.poll(cx))) {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(frame)) => frame,
            Err(payload) => panicked(payload),
        };
        // Dropping the future can panic, too.
        match catch_unwind(AssertUnwindSafe(|| self.0.set(None))) {
            Ok(()) => Poll::Ready(frame),
            Err(payload) => Poll::Ready(panicked(payload)),
        }
    }
}
