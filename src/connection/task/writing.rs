//! What a connection's task writes, in which order, and when that counts as written.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite};

use super::Task;
use crate::connection::closing::Phase;
use crate::connection::fault::Fault;
use crate::connection::transport::Transport;

/// What the transport took and may still hold back: all bytes, and those of data frames.
#[derive(Debug, Default)]
pub(super) struct Unflushed {
    bytes: usize,
    data: usize,
}

impl<Io: AsyncRead + AsyncWrite + Unpin> Task<Io> {
    /// Writes all that is there.
    #[inline]
    pub(super) fn write(&mut self, cx: &mut Context<'_>) {
        let mut more = self.gather();
        while more {
            let Some(transport) = &mut self.transport else { return };
            let is_last = self.closing.phase() == Phase::Flushing
                && self.close_frame.is_none()
                && self.socket.replies().is_empty()
                && self.writing.is_in_one_piece();
            let written = match transport {
                Transport::Left(stream) if is_last => self.writing.poll_write_last(Pin::new(stream), cx),
                transport => self.writing.poll_write(Pin::new(transport), cx),
            };
            match written {
                Poll::Pending => {
                    self.deadlines.set_refused(self.now);
                    return self.flush(cx);
                }
                Poll::Ready(Ok(written)) if written > 0 => {
                    if self.deadlines.end_stall(self.now) {
                        // A peer that takes data is alive, even where our ping waits behind that.
                        self.liveness.seen(self.now);
                    }
                    let control = written.min(self.overhead);
                    self.overhead -= control;
                    self.unflushed.bytes += written;
                    self.unflushed.data += written - control;
                    if self.close_frame.is_some() {
                        // The close frame waits for what was sent before it, and the peer takes that.
                        self.closing.progress(self.now);
                    }
                    if self.overhead == 0 && self.socket.replies().is_empty() {
                        self.deadlines.set_owing_pong(false, self.now);
                    }
                    // What was queued meanwhile is seen before the task sleeps.
                    let more_replies = self.close_frame.is_some() || !self.socket.replies().is_empty();
                    more = !self.writing.is_empty() || (more_replies && self.gather());
                }
                Poll::Ready(result) => {
                    let source = result.err().unwrap_or_else(|| io::ErrorKind::WriteZero.into());
                    return self.fail(Fault::Disconnected(Some(source.into())));
                }
            }
        }
        self.flush(cx);
        self.finish_writing(cx);
    }

    /// Puts together what is written next, once the last of it is out: pings and pongs, then data, then the close frame.
    #[inline]
    fn gather(&mut self) -> bool {
        if !self.writing.is_empty() {
            return true;
        }
        let replies = self.socket.replies();
        self.overhead = replies.len();
        if self.overhead > 0 {
            self.writing.push_raw(replies);
            *replies = Vec::new();
        }
        self.shared.lock().take_queued(&mut self.writing);
        if self.writing.is_empty()
            && let Some(frame) = self.close_frame.take()
        {
            self.writing.push_close(self.socket.role(), &frame);
            self.overhead = self.writing.len();
        }
        !self.writing.is_empty()
    }

    /// Has the transport pass on what it took; TLS and HTTP/2 keep it in buffers of their own. Then it counts as written.
    #[inline]
    fn flush(&mut self, cx: &mut Context<'_>) {
        let Some(transport) = &mut self.transport else { return };
        // Where nothing is read, an HTTP/2 stream says only here that it was reset.
        if self.unflushed.bytes == 0 && !(self.read_to_end && self.liveness.is_paused()) {
            return;
        }
        match Pin::new(transport).poll_flush(cx) {
            Poll::Pending => self.deadlines.set_stalled(true, self.now),
            Poll::Ready(Ok(())) => {
                if self.writing.is_empty() {
                    self.deadlines.set_stalled(false, self.now);
                }
                let Unflushed { bytes, data } = std::mem::take(&mut self.unflushed);
                self.progress.sent += bytes as u64;
                self.progress.written += data as u64;
                // What nobody waits for is told at the end of the turn.
                if self.shared.signals.writing_awaited.get() {
                    self.handler_due |= self.shared.advance(&mut self.shared.lock(), &mut self.progress);
                }
            }
            Poll::Ready(Err(error)) => self.fail(Fault::Disconnected(Some(error.into()))),
        }
    }

    /// Everything is written: after the closing handshake our side is shut down.
    fn finish_writing(&mut self, cx: &mut Context<'_>) {
        let Some(transport) = &mut self.transport else { return };
        if self.closing.phase() != Phase::Flushing || self.unflushed.bytes > 0 {
            return;
        }
        let transport = Pin::new(transport);
        // Closing a TCP stream with unread input would do no more than reset it.
        match transport.poll_shutdown(cx) {
            Poll::Pending => {}
            // Both close frames have passed: over HTTP/1.1 nothing more can come.
            Poll::Ready(Ok(())) if self.peer_closed && !self.read_to_end => self.end_transport(),
            Poll::Ready(Ok(())) => {
                self.closing.flushed(self.now);
                self.set_ended();
            }
            Poll::Ready(Err(_)) => self.end_transport(),
        }
    }
}
