//! A handler as its connection has it: its failure is logged, and what it returns becomes a close frame.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

use crate::close::CloseFrame;
use crate::connection::Inner;
use crate::handler::{HandlerOutput, close_frame, log_failure};
use crate::metrics::HandlerTimer;

pin_project! {
    /// The future of a handler, and the connection, whose end tells whether its error is a failure.
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
        let output = output.inspect_err(|error| log_failure(error, this.connection.close_reason()));
        Poll::Ready(close_frame(output))
    }
}
