//! When a connection's task reads.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::io::poll_read_buf;

use super::Task;
use crate::connection::closing::Phase;
use crate::connection::fault::Fault;
use crate::connection::scratch;

impl<Io: AsyncRead + AsyncWrite + Unpin> Task<Io> {
    /// One read. Ready when there is something new to look at.
    #[inline]
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(transport) = &mut self.transport else { return Poll::Pending };
        let transport = Pin::new(transport);
        if self.closing.phase() == Phase::Draining {
            return self.poll_drain(cx);
        }
        if self.socket_over {
            return Poll::Pending;
        }
        let wire = self.socket.wire();
        let wants_input = wire.wants_input();
        self.liveness.set_paused(!wants_input, self.now);
        if !wants_input {
            return Poll::Pending;
        }
        match std::task::ready!(wire.poll_fill(transport, cx)) {
            Ok(read) => {
                self.liveness.seen(self.now);
                self.shared.signals.count_read(read);
            }
            Err(error) => self.fail(Fault::Disconnected(Some(error.into()))),
        }
        Poll::Ready(())
    }

    /// Reads the peer's side to its end: dropped before that, TCP would reset the connection and could lose our close
    /// frame, and HTTP/2 would reset the stream, after which browsers fall back to HTTP/1.1.
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(transport) = &mut self.transport else { return Poll::Pending };
        let mut buffer = scratch::take_read_buffer();
        let read = poll_read_buf(Pin::new(transport), cx, &mut buffer);
        scratch::give_read_buffer(buffer);
        if matches!(std::task::ready!(read), Ok(0) | Err(_)) {
            self.end_transport();
        }
        Poll::Ready(())
    }
}
