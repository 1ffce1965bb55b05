//! A transport that records how it has failed.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// A transport, and its failure that explains most.
///
/// hyper reports the error of a connection only for a request that was sent already, with an error that depends on the stage. So
/// the transport's own error is recorded.
///
/// In the beginning, a failed write is not reported: what the peer has sent before it ended the connection, such as a TLS alert
/// or an early response, can still be read, and explains why.
#[derive(Debug)]
pub(super) struct Observed<Io> {
    io: Io,
    failure: Failure,
    /// Whether a failed write is reported.
    reports_writes: Arc<AtomicBool>,
    reports_after_first_read: bool,
    /// Started by a failed write that was not reported: how long to wait for a read that explains it.
    read_timeout: Option<Pin<Box<Sleep>>>,
}

/// How a transport failed, if it did.
#[derive(Clone, Debug, Default)]
pub(super) struct Failure(Arc<Mutex<Errors>>);

#[derive(Debug, Default)]
struct Errors {
    read: Option<io::Error>,
    write: Option<io::Error>,
    /// The peer has ended the transport.
    is_ended: bool,
}

impl Failure {
    pub(super) fn take(&self) -> Option<io::Error> {
        let Errors { read, write, .. } = std::mem::take(&mut *self.lock());
        read.or(write)
    }

    /// As [`take`](Self::take), but the end of the transport is a failure, too.
    pub(super) fn take_or_end(&self) -> Option<io::Error> {
        let is_ended = self.lock().is_ended;
        self.take().or_else(|| is_ended.then(|| io::ErrorKind::UnexpectedEof.into()))
    }

    fn lock(&self) -> MutexGuard<'_, Errors> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Stores the first error, and returns a copy.
fn keep(kept: &mut Option<io::Error>, error: io::Error) -> io::Error {
    let copy = match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => io::Error::new(error.kind(), error.to_string()),
    };
    kept.get_or_insert(error);
    copy
}

impl<Io> Observed<Io> {
    pub(super) fn new(io: Io) -> (Self, Failure) {
        let failure = Failure::default();
        let observed = Self {
            io,
            failure: failure.clone(),
            reports_writes: Arc::default(),
            reports_after_first_read: true,
            read_timeout: None,
        };
        (observed, failure)
    }

    /// The transport, whose failures are no longer recorded.
    #[cfg(feature = "proxy")]
    pub(super) fn into_inner(self) -> Io {
        self.io
    }

    /// A transport for a TLS handshake. The caller sets the flag when that is complete: from then on failed writes are reported.
    #[cfg(feature = "rustls")]
    pub(super) fn under_handshake(io: Io) -> (Self, Arc<AtomicBool>) {
        let reports_writes = Arc::<AtomicBool>::default();
        let observed = Self {
            io,
            failure: Failure::default(),
            reports_writes: reports_writes.clone(),
            reports_after_first_read: false,
            read_timeout: None,
        };
        (observed, reports_writes)
    }

    /// The result to return for a write. `as_if`: what a successful write would return.
    fn written<T>(&mut self, result: io::Result<T>, as_if: T, cx: &mut Context<'_>) -> io::Result<T> {
        match result {
            Err(error) => {
                let copy = keep(&mut self.failure.lock().write, error);
                if self.reports_writes.load(Ordering::Relaxed) {
                    return Err(copy);
                }
                self.read_timeout.get_or_insert_with(|| Box::pin(sleep(READ_TIME)));
                // The task must poll a read next.
                cx.waker().wake_by_ref();
                Ok(as_if)
            }
            written => written,
        }
    }
}

impl<Io: AsyncRead + AsyncWrite + Unpin> AsyncRead for Observed<Io> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.io).poll_read(cx, buf);
        let len = buf.filled().len() - before;
        if self.reports_after_first_read && len > 0 {
            self.reports_writes.store(true, Ordering::Relaxed);
            self.reports_after_first_read = false;
        }
        if matches!(read, Poll::Ready(Ok(()))) && len == 0 {
            self.failure.lock().is_ended = true;
        }
        if read.is_pending()
            && let Some(read_timeout) = &mut self.read_timeout
            && read_timeout.as_mut().poll(cx).is_ready()
        {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        read.map_err(|error| keep(&mut self.failure.lock().read, error))
    }
}

impl<Io: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Observed<Io> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write(cx, buf);
        written.map(|result| self.written(result, buf.len(), cx))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write_vectored(cx, bufs);
        written.map(|result| self.written(result, bufs.iter().map(|buf| buf.len()).sum(), cx))
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.io).poll_flush(cx);
        flushed.map(|result| self.written(result, (), cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

/// How long to wait for a read after a failed write.
const READ_TIME: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// A transport that can be read, and to which writing fails. It says what was done with it.
    #[derive(Default)]
    struct Broken {
        input: Vec<u8>,
        is_vectored: bool,
        done: Vec<&'static str>,
    }

    impl AsyncRead for Broken {
        fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            if self.input.is_empty() {
                return Poll::Pending;
            }
            buf.put_slice(&std::mem::take(&mut self.input));
            Poll::Ready(Ok(()))
        }
    }

    impl AsyncWrite for Broken {
        fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
            Poll::Ready(Err(io::Error::other("write")))
        }

        fn is_write_vectored(&self) -> bool {
            self.is_vectored
        }

        fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.done.push("flush");
            Poll::Ready(Err(io::Error::other("flush")))
        }

        fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.done.push("shutdown");
            Poll::Ready(Ok(()))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_write_that_fails_is_told_once_something_was_read() {
        let (mut io, failure) = Observed::new(Broken::default());
        assert_eq!(io.write(b"request").await.unwrap(), 7);
        assert_eq!(io.write_vectored(&[IoSlice::new(b"re"), IoSlice::new(b"quest")]).await.unwrap(), 7);
        io.flush().await.unwrap();
        let polled = poll_fn(|cx| Poll::Ready(Pin::new(&mut io).poll_read(cx, &mut ReadBuf::new(&mut [0; 10])))).await;
        assert!(polled.is_pending());
        assert!(io.write(b"more").await.is_ok(), "nothing was read yet");
        io.io.input = b"answer".to_vec();
        assert_eq!(io.read(&mut [0; 10]).await.unwrap(), 6);
        for told in [io.write(b"more").await.map(drop), io.flush().await] {
            assert_eq!(told.unwrap_err().kind(), io::ErrorKind::Other);
        }
        io.shutdown().await.unwrap();
        assert_eq!(io.io.done, ["flush", "flush", "shutdown"]);
        // The first of them is the reason.
        assert_eq!(failure.take().unwrap().to_string(), "write");
        assert!(failure.take().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_to_a_write_that_failed_is_waited_for_a_second() {
        let (mut io, failure) = Observed::new(Broken::default());
        io.write_all(b"request").await.unwrap();
        let start = tokio::time::Instant::now();
        assert_eq!(io.read(&mut [0; 10]).await.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        assert_eq!(start.elapsed().as_millis() / 10, 100);
        assert_eq!(failure.take().unwrap().to_string(), "write");
    }

    #[test]
    fn writes_from_several_places_as_the_transport_does() {
        for is_vectored in [false, true] {
            let (io, _) = Observed::new(Broken { is_vectored, ..Broken::default() });
            assert_eq!(io.is_write_vectored(), is_vectored);
        }
    }
}
