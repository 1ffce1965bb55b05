//! The server's transport, with knobs.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf, duplex};

use super::Peer;

/// What a test turns and reads.
#[derive(Debug, Default)]
pub(crate) struct Knobs {
    writes: AtomicUsize,
    reset: AtomicBool,
    single_bytes: AtomicBool,
    flush_stuck: AtomicBool,
}

impl Knobs {
    /// How many times the server has written since the last look.
    pub(crate) fn take_writes(&self) -> usize {
        self.writes.swap(0, Ordering::Relaxed)
    }

    /// From here on reading fails, as after a TCP reset. It shows at the next read.
    pub(crate) fn reset(&self) {
        self.reset.store(true, Ordering::Relaxed);
    }

    /// From here on each read returns one byte.
    pub(crate) fn single_bytes(&self) {
        self.single_bytes.store(true, Ordering::Relaxed);
    }

    /// From here on what was written is never flushed, as by TLS to a peer that accepts no data.
    pub(crate) fn flush_stuck(&self) {
        self.flush_stuck.store(true, Ordering::Relaxed);
    }
}

/// The server's end.
#[derive(Debug)]
pub(crate) struct Tap {
    io: DuplexStream,
    knobs: Arc<Knobs>,
}

/// Both ends, with so much room in between.
pub(crate) fn tap(buffer: usize) -> (Peer, Tap, Arc<Knobs>) {
    let (near, far) = duplex(buffer);
    let knobs = Arc::new(Knobs::default());
    (Peer::new(near), Tap { io: far, knobs: knobs.clone() }, knobs)
}

impl AsyncRead for Tap {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let result = if self.knobs.single_bytes.load(Ordering::Relaxed) && buf.remaining() > 1 {
            let mut byte = [0];
            let mut one = ReadBuf::new(&mut byte);
            let result = Pin::new(&mut self.io).poll_read(cx, &mut one);
            buf.put_slice(one.filled());
            result
        } else {
            Pin::new(&mut self.io).poll_read(cx, buf)
        };
        if result.is_ready() && self.knobs.reset.load(Ordering::Relaxed) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        result
    }
}

impl AsyncWrite for Tap {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.knobs.writes.fetch_add(1, Ordering::Relaxed);
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.knobs.writes.fetch_add(1, Ordering::Relaxed);
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.knobs.flush_stuck.load(Ordering::Relaxed) {
            return Poll::Pending;
        }
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
