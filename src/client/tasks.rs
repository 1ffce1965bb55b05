//! The tasks behind one client's HTTP connection.

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

/// Runs hyper's tasks until the connection that they serve is over.
#[derive(Clone, Debug)]
pub(super) struct Tasks {
    over: CancellationToken,
    progress: Weak<Notify>,
}

impl Tasks {
    /// The guard ends the tasks. `progress` is told of each step that one of them makes.
    pub(super) fn new(progress: &Arc<Notify>) -> (Self, DropGuard) {
        let over = CancellationToken::new();
        let guard = over.clone().drop_guard();
        (Self { over, progress: Arc::downgrade(progress) }, guard)
    }
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Tasks {
    fn execute(&self, task: F) {
        let Self { over, progress } = self.clone();
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
                // They end by themselves, after telling the server, unless it accepts no more data.
                () = async { over.cancelled().await; sleep(LINGER).await } => {}
            }
        });
    }
}

/// What a client's WebSocket runs over: dropping it ends the tasks.
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

    // A client masks what it sends, and so has no payload to write from where it lies: all of it is in one buffer, which is
    // given whole to a transport that says this.
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

/// How long the tasks may take to tell the server that the connection is over.
const LINGER: Duration = Duration::from_secs(1);
