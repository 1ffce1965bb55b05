//! A connection's task and its handler in one future.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use pin_project_lite::pin_project;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::unconstrained;
use tokio::time::{Instant, Sleep, sleep_until};

use super::task::{Handler, Task, panicked};
use super::transport::Transport;
use crate::handler::HandlerOutput;

pin_project! {
    /// A task with the user's part of it: the future of one connection, in one piece of memory.
    pub(crate) struct Running<Io, H> {
        task: Task<Io>,
        // None once it has returned.
        #[pin]
        handler: Option<H>,
        #[pin]
        timer: Sleep,
        overdue: Instant,
    }
}

impl<Io, H> Running<Io, H>
where
    Io: AsyncRead + AsyncWrite + Unpin,
    H: Future<Output: HandlerOutput>,
{
    /// A connection that waits for its transport.
    #[inline]
    pub(super) fn new(task: Task<Io>, handshake_time: Duration) -> Self {
        let overdue = task.now + handshake_time;
        // Where the first ping is due sooner, the timer can stay as it is once the connection is open.
        let timer = sleep_until(overdue.min(task.liveness.first_due().unwrap_or(overdue)));
        Self { task, handler: None, timer, overdue }
    }

    /// Waits for the transport to come no more: it is overdue, or the connection was aborted.
    pub(crate) fn poll_given_up(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<GivenUp> {
        let mut this = self.project();
        while pin!(unconstrained(this.timer.as_mut())).poll(cx).is_ready() {
            if this.timer.deadline() >= *this.overdue {
                return Poll::Ready(GivenUp::Overdue);
            }
            this.timer.as_mut().reset(*this.overdue);
        }
        this.task.timer_polled = true;
        this.task.shared.poll_aborted(cx).map(|()| GivenUp::Aborted)
    }

    /// The transport is there, and `early` was read from it already. `handler` makes the handler's future; a panic in it is
    /// the handler's.
    pub(crate) fn open(self: Pin<&mut Self>, transport: Transport<Io>, early: Bytes, handler: impl FnOnce() -> H) {
        let mut this = self.project();
        this.task.open(transport, early);
        let start = AssertUnwindSafe(|| this.handler.set(Some(handler())));
        if catch_unwind(start).is_err() {
            this.task.shared.close(panicked());
        }
    }
}

impl<Io, H> Future for Running<Io, H>
where
    Io: AsyncRead + AsyncWrite + Unpin,
    H: Future<Output: HandlerOutput>,
{
    type Output = ();

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        this.task.poll(Handler::new(this.handler), this.timer, cx)
    }
}

/// Why a connection is given up before it had a transport.
#[derive(Debug)]
pub(crate) enum GivenUp {
    Aborted,
    Overdue,
}
