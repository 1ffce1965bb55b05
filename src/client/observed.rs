//! A transport that remembers how it failed.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A transport, and the first failure of it.
///
/// hyper tells a request's sender why its connection failed only where the request was under way, and in words that depend on
/// how far it was; the transport itself knows.
#[derive(Debug)]
pub(super) struct Observed<Io> {
    io: Io,
    failure: Failure,
}

/// How a transport failed, if it did.
#[derive(Clone, Debug, Default)]
pub(super) struct Failure(Arc<Mutex<Option<io::Error>>>);

impl Failure {
    pub(super) fn take(&self) -> Option<io::Error> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Keeps the first error, and returns another that says the same.
    fn keep(&self, error: io::Error) -> io::Error {
        let copy = match error.raw_os_error() {
            Some(code) => io::Error::from_raw_os_error(code),
            None => io::Error::new(error.kind(), error.to_string()),
        };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        copy
    }
}

impl<Io: AsyncRead + AsyncWrite + Unpin> Observed<Io> {
    pub(super) fn new(io: Io) -> (Self, Failure) {
        let failure = Failure::default();
        (Self { io, failure: failure.clone() }, failure)
    }

    /// What the peer said before it ended the connection, such as an alert of TLS, says more than that nothing can be written
    /// any more.
    fn write_failed(&mut self, error: io::Error, cx: &mut Context<'_>) -> io::Error {
        let mut byte = [0];
        let said = match Pin::new(&mut self.io).poll_read(cx, &mut ReadBuf::new(&mut byte)) {
            Poll::Ready(Err(said)) => Some(said),
            _ => None,
        };
        self.failure.keep(said.unwrap_or(error))
    }
}

impl<Io: AsyncRead + AsyncWrite + Unpin> AsyncRead for Observed<Io> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.io).poll_read(cx, buf);
        read.map_err(|error| self.failure.keep(error))
    }
}

impl<Io: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Observed<Io> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write(cx, buf);
        written.map_err(|error| self.write_failed(error, cx))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write_vectored(cx, bufs);
        written.map_err(|error| self.write_failed(error, cx))
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.io).poll_flush(cx);
        flushed.map_err(|error| self.write_failed(error, cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
