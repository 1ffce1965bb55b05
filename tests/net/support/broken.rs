//! A transport in memory that cannot be written to.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf, duplex};
use tower_websocket::Role;

use super::Peer;

/// What fails, always.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    Flush,
    Shutdown,
    Write,
}

/// Our end.
pub(crate) struct Broken {
    io: DuplexStream,
    fault: Fault,
}

/// Both ends, past the opening handshake.
pub(crate) fn broken(fault: Fault, peer: Role) -> (Broken, Peer) {
    let (near, far) = duplex(64 * 1024);
    (Broken { io: far, fault }, Peer::new(Box::new(near), peer))
}

fn failed<T>() -> Poll<io::Result<T>> {
    Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
}

impl AsyncRead for Broken {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl AsyncWrite for Broken {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if let Fault::Write = self.fault { failed() } else { Pin::new(&mut self.io).poll_write(cx, bytes) }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Fault::Flush = self.fault { failed() } else { Pin::new(&mut self.io).poll_flush(cx) }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Fault::Shutdown = self.fault {
            // Or the peer would wait for ever.
            let _ = Pin::new(&mut self.io).poll_shutdown(cx);
            return failed();
        }
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
