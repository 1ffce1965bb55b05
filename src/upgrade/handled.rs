//! A handler whose failure is logged.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

use crate::close::CloseFrame;
use crate::connection::Inner;
use crate::error::BoxError;
use crate::handler::{HandlerOutput, log_failure};
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
    type Output = Result<CloseFrame, BoxError>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let output = ready!(this.handler.poll(cx)).into_result();
        Poll::Ready(output.inspect_err(|error| log_failure(error, this.connection.close_reason())))
    }
}
