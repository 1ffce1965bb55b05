//! A connection's driver and its handler in one future.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use pin_project_lite::pin_project;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::unconstrained;
use tokio::time::{Instant, Sleep, sleep_until};

use super::config::ConnectionConfig;
use super::driver::{Driver, Handler};
use super::inner::Inner;
use super::panicked::panicked;
use super::transport::Transport;
use crate::close::CloseFrame;

pin_project! {
    /// A connection's task: its driver and its handler.
    pub(crate) struct ConnectionFuture<Io, H> {
        driver: Driver<Io>,
        // None once it has returned.
        #[pin]
        handler: Option<H>,
        #[pin]
        timer: Sleep,
        handshake_deadline: Instant,
    }
}

impl<Io, H> ConnectionFuture<Io, H>
where
    Io: AsyncRead + AsyncWrite + Unpin + 'static,
    H: Future<Output = CloseFrame>,
{
    /// A connection that waits for its transport.
    #[inline]
    pub(crate) fn new(inner: Arc<Inner>, config: ConnectionConfig<'_>) -> Self {
        let (now, handshake_time) = (Instant::now(), config.limits.handshake_time);
        // If the first ping is due sooner, the timer is set to that: it need not be set again when the connection opens.
        let first_due = config.keepalive.first_due().map_or(handshake_time, |due| due.min(handshake_time));
        let timer = sleep_until(now + first_due);
        let handshake_deadline = now + handshake_time;
        Self { driver: Driver::new(inner, config, now), handler: None, timer, handshake_deadline }
    }

    /// Waits until the connection cannot open any more: the handshake took too long, or the connection was aborted.
    pub(crate) fn poll_open_error(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<OpenError> {
        let mut this = self.project();
        while pin!(unconstrained(this.timer.as_mut())).poll(cx).is_ready() {
            if this.timer.deadline() >= *this.handshake_deadline {
                return Poll::Ready(OpenError::TimedOut);
            }
            this.timer.as_mut().reset(*this.handshake_deadline);
        }
        this.driver.timer_registered = true;
        this.driver.inner.poll_aborted(cx).map(|()| OpenError::Aborted)
    }

    /// Begins to use a transport. `early` are bytes that were read together with the opening handshake. `handler` makes the
    /// handler's future; if it panics, that is handled as a panic of the handler.
    pub(crate) fn open(self: Pin<&mut Self>, transport: Transport<Io>, early: &Bytes, handler: impl FnOnce() -> H) {
        let mut this = self.project();
        this.driver.open(transport, early);
        let start = AssertUnwindSafe(|| this.handler.set(Some(handler())));
        if let Err(payload) = catch_unwind(start) {
            this.driver.inner.close(panicked(payload));
        }
    }
}

impl<Io, H> Future for ConnectionFuture<Io, H>
where
    Io: AsyncRead + AsyncWrite + Unpin + 'static,
    H: Future<Output = CloseFrame>,
{
    type Output = ();

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        this.driver.poll(Handler::new(this.handler), this.timer, cx)
    }
}

/// Why a connection did not open.
#[derive(Debug)]
pub(crate) enum OpenError {
    Aborted,
    TimedOut,
}
