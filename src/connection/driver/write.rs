//! What a connection's task writes, in which order, and when that counts as written.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite};

use super::Driver;
use crate::connection::state::State;
use crate::connection::transport::{Transport, limit_unsent, poll_write_last, socket};
use crate::error::BoxError;
use crate::protocol::{ControlFrames, Failure, Phase, WriteBuffer};

/// Bytes that the transport has accepted and may still buffer: all of them, and those that handles have queued.
#[derive(Debug, Default)]
pub(super) struct Unflushed {
    bytes: usize,
    queued: usize,
}

impl<Io: AsyncRead + AsyncWrite + Unpin + 'static> Driver<Io> {
    /// Writes all that is there. Whether handles have changed what is to be read.
    #[inline]
    pub(super) fn drive_writes(&mut self, cx: &mut Context<'_>) -> bool {
        if !self.has_writes() {
            return false;
        }
        // Not more often: reads and the handler have their share while others go on sending.
        let mut changed = self.write_once(cx);
        if self.progress.is_some() {
            changed |= self.write_once(cx);
        }
        changed
    }

    /// Whether there is anything to write, to flush, or to look at.
    #[inline]
    fn has_writes(&self) -> bool {
        self.inner.driver.is_notified()
            || self.progress.is_some()
            || !self.writing.is_empty()
            || !self.control.is_empty()
            || self.must_flush()
            || self.phase == Phase::Draining
    }

    // Apart, or else the compiler keeps the address of each field that it may need ready for the next time round.
    #[inline(never)]
    fn write_once(&mut self, cx: &mut Context<'_>) -> bool {
        let changed = (self.inner.driver.is_notified() || self.progress.is_some()) && self.sync();
        self.write(cx);
        if self.progress.is_some() {
            self.report_written();
        }
        changed
    }

    /// Reports what was written at once: a task that was woken to write need not try to read for that again, which is a fifth
    /// of its instructions (callgrind, `compare`'s fan-out). Where there is more to write, that is left to `sync`, which takes it.
    #[inline]
    fn report_written(&mut self) {
        let mut state = self.inner.lock();
        if !state.feeds.is_idle() || state.sender.has_queued() {
            return;
        }
        let wakers = if self.progress.report(&mut state) { state.take_writers() } else { None };
        state.sender.charge_unwritten();
        drop(state);
        if let Some(wakers) = wakers {
            wakers.wake();
        }
    }

    #[inline]
    fn write(&mut self, cx: &mut Context<'_>) {
        if self.transport.is_none() || self.phase == Phase::WriteFailed {
            return;
        }
        while !self.writing.is_empty() || !self.control.is_empty() {
            match self.write_some(cx) {
                Poll::Pending => {
                    self.timers.write_blocked(self.now);
                    break;
                }
                Poll::Ready(Ok(written)) if written > 0 => self.count_written(written),
                Poll::Ready(result) => {
                    let source = result.err().unwrap_or_else(|| io::ErrorKind::WriteZero.into());
                    return self.write_failed(source.into());
                }
            }
        }
        self.flush(cx);
        if self.phase == Phase::Draining {
            self.finish_writing(cx);
        }
    }

    /// Limits what the kernel takes of a TCP stream's data before it is on its way, once.
    #[cold]
    fn limit_unsent(&mut self) {
        self.written_before_limit = MUCH;
        if let Some(stream) = self.transport.as_ref().and_then(socket)
            && let Err(error) = limit_unsent(stream, MOST_UNSENT)
        {
            // The socket is over, which the next read or write reports.
            tracing::trace!(%error, "could not set TCP_NOTSENT_LOWAT");
        }
    }

    #[inline(never)]
    fn write_some(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.writing.is_empty() {
            self.control_bytes = gather(&mut self.inner.lock(), &mut self.control, &mut self.writing);
        }
        if self.written_before_limit < MUCH && self.written_before_limit + self.writing.len() >= MUCH {
            self.limit_unsent();
        }
        let Some(transport) = &mut self.transport else { return Poll::Pending };
        match transport {
            Transport::Left(stream)
                if self.phase == Phase::Draining && self.control.is_stopped() && self.writing.is_contiguous() =>
            {
                poll_write_last(Pin::new(stream), cx, self.writing.front())
            }
            transport => poll_write(Pin::new(transport), &self.writing, cx),
        }
    }

    #[inline]
    fn count_written(&mut self, written: usize) {
        self.writing.consume(written);
        let control = written.min(self.control_bytes);
        self.control_bytes -= control;
        self.unflushed.bytes += written;
        self.written_before_limit = (self.written_before_limit + written).min(MUCH);
        self.unflushed.queued += written - control;
        self.timers.bytes_written(written, self.now);
        if self.control_bytes == 0 && self.control.is_empty() {
            self.timers.set_pong_due(false, self.now);
        }
    }

    /// Whether the transport is to be flushed: it may still buffer data. While reading is paused, an HTTP/2 stream reports only here
    /// that it was reset.
    #[inline]
    fn must_flush(&self) -> bool {
        self.unflushed.bytes > 0 || (self.read_to_end && self.timers.is_read_paused())
    }

    /// Has the transport pass on what it took; TLS and HTTP/2 keep it in buffers of their own. Then it counts as written.
    #[inline]
    fn flush(&mut self, cx: &mut Context<'_>) {
        if !self.must_flush() {
            return;
        }
        let Some(transport) = &mut self.transport else { return };
        match Pin::new(transport).poll_flush(cx) {
            Poll::Pending => self.timers.flush_blocked(self.now),
            Poll::Ready(Ok(())) => {
                if self.writing.is_empty() {
                    self.timers.write_done();
                }
                let Unflushed { bytes, queued } = std::mem::take(&mut self.unflushed);
                self.progress.bytes_written += bytes as u64;
                self.progress.queued_written += queued as u64;
            }
            Poll::Ready(Err(error)) => self.write_failed(error.into()),
        }
    }

    /// The transport accepts no data any more. What the peer has sent is still received.
    #[cold]
    fn write_failed(&mut self, source: BoxError) {
        tracing::debug!(error = source, "could not write");
        let error = Failure::Disconnected(Some(source)).into_error();
        if self.phase == Phase::Open {
            self.change(|state| state.lifecycle.write_failed(error));
        } else {
            self.end_transport(error);
        }
    }

    /// Once everything is written: after the closing handshake our side is shut down.
    #[cold]
    fn finish_writing(&mut self, cx: &mut Context<'_>) {
        let Some(transport) = &mut self.transport else { return };
        // Our close frame is in what is written once nothing may follow it.
        if self.unflushed.bytes > 0 || !self.writing.is_empty() || !self.control.is_stopped() {
            return;
        }
        // Closing a TCP stream with unread input would do no more than reset it.
        match Pin::new(transport).poll_shutdown(cx) {
            Poll::Pending => {}
            // Both close frames have passed: over HTTP/1.1 nothing of interest can come. But a peer that is still to get through
            // much may answer pings meanwhile (RFC 6455 §5.5.2), and those would have a closed socket drop the rest.
            Poll::Ready(Ok(()))
                if !self.read_to_end
                    && !self.timers.has_backlog()
                    && self.inner.lock().lifecycle.is_handshake_complete() =>
            {
                self.end_transport(Failure::Disconnected(None).into_error());
            }
            Poll::Ready(Ok(())) => self.change(|state| state.lifecycle.shut_down()),
            Poll::Ready(Err(error)) => self.end_transport(Failure::Disconnected(Some(error.into())).into_error()),
        }
    }
}

/// Puts together what is written next, once the last of it is out: pings and pongs, then what handles have queued. Says how
/// many bytes of it are control frames.
#[inline]
pub(super) fn gather(state: &mut State, control: &mut ControlFrames, writing: &mut WriteBuffer) -> usize {
    let control_bytes = control.take(writing);
    state.sender.take_queued(writing);
    if !state.lifecycle.is_writable() {
        // A close frame is the last of it.
        control.stop();
    }
    control_bytes
}

/// Writes as much as the transport takes in one call.
#[inline]
fn poll_write(
    transport: Pin<&mut impl AsyncWrite>,
    buffer: &WriteBuffer,
    cx: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    if !buffer.is_vectored() {
        let front = buffer.front();
        return transport.poll_write(cx, &front[..front.len().min(COPIED)]);
    }
    if buffer.is_contiguous() {
        return transport.poll_write(cx, buffer.front());
    }
    let mut slices = [IoSlice::new(&[]); SLICES];
    let count = buffer.slices(&mut slices);
    transport.poll_write_vectored(cx, &slices[..count])
}

/// The most that a transport gets at a time which copies what it gets. hyper's streams of HTTP/2 take any amount, call it
/// written while the peer's window is closed, and show no progress before all of it has passed: a slow peer would seem to
/// take nothing. It is also the most that a frame of HTTP/2 carries unless the peer allows more (RFC 9113 §4.2), with room for
/// the longest header before a message of 16 KiB.
const COPIED: usize = 14 + 16 * 1024;
/// From so many bytes on the kernel's share of what is written is limited: most connections never send so much, and are spared a
/// system call.
const MUCH: usize = 256 * 1024;
/// Bytes in the kernel that are not on their way yet, where its send queue is sampled. So a message of 1 MiB goes out in one
/// call: with 128 KiB it costs 1.8 times as much, with 512 KiB 1.25 (`benches/compare`).
const MOST_UNSENT: u32 = 1024 * 1024;
/// Segments given to one system call.
const SLICES: usize = 16;
