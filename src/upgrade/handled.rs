//! The future of a handler, with its output converted into a close frame and its error logged.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

use crate::close::CloseFrame;
use crate::connection::Inner;
use crate::handler::{HandlerOutput, close_frame, log_error};
use crate::metrics::HandlerTimer;

pin_project! {
    /// The future of a handler, and its connection: an error that only reports the end of that connection is not logged as a
    /// failure.
    pub(super) struct Handled<F> {
        #[pin]
        handler: F,
        connection: Arc<Inner>,
        _timer: HandlerTimer,
    }
}

impl<F> Handled<F> {
    pub(super) fn new(handler: F, connection: Arc<Inner>) -> Self {
        Self { handler, connection, _timer: HandlerTimer::start() }
    }
}

impl<F: Future<Output: HandlerOutput>> Future for Handled<F> {
    type Output = CloseFrame;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let output = ready!(this.handler.poll(cx)).into_result();
        let output = output.inspect_err(|error| log_error(error, this.connection.close_reason()));
        Poll::Ready(close_frame(output))
    }
}
