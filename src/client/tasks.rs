//! The tasks of a client's HTTP connection.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::rt::Executor;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio::time::sleep;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Runs hyper's tasks until their connection has ended.
#[derive(Clone, Debug)]
pub(super) struct Tasks {
    ended: CancellationToken,
    progress: Weak<Notify>,
}

impl Tasks {
    /// Dropping the guard ends the tasks. `progress` is notified whenever one of them was polled.
    pub(super) fn new(progress: &Arc<Notify>) -> (Self, DropGuard) {
        let ended = CancellationToken::new();
        let guard = ended.clone().drop_guard();
        (Self { ended, progress: Arc::downgrade(progress) }, guard)
    }
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Tasks {
    fn execute(&self, task: F) {
        let Self { ended, progress } = self.clone();
        tokio::spawn(async move {
            let mut task = pin!(task);
            let steps = poll_fn(|cx| {
                let poll = task.as_mut().poll(cx);
                if let Some(progress) = progress.upgrade() {
                    progress.notify_one();
                }
                poll
            });
            tokio::select! {
                () = steps => {}
                // The task normally ends by itself, after a message to the server, unless the server accepts no more data.
                () = async { ended.cancelled().await; sleep(LINGER).await } => {}
            }
        });
    }
}

/// The transport of a client's WebSocket. Dropping it ends the tasks.
#[derive(Debug)]
pub(super) struct ClientTransport {
    io: TokioIo<Upgraded>,
    _guard: DropGuard,
}

impl ClientTransport {
    pub(super) fn new(upgraded: Upgraded, guard: DropGuard) -> Self {
        Self { io: TokioIo::new(upgraded), _guard: guard }
    }
}

impl AsyncRead for ClientTransport {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl AsyncWrite for ClientTransport {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    // `poll_write_vectored` is not forwarded: a client masks, so all frames are in one buffer. But a transport that is not
    // vectored gets only a part of it at a time.
    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

/// How long the tasks may need to end the HTTP connection in an orderly way.
const LINGER: Duration = Duration::from_secs(1);
