//! What a connection's task writes, in which order, and when bytes count as written.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite};

use super::Driver;
use crate::connection::state::State;
use crate::connection::transport::{Transport, limit_unsent, poll_write_last, socket};
use crate::error::BoxError;
use crate::protocol::{ControlFrames, Failure, Phase, WriteBuffer};

/// Bytes that the transport has accepted and may still buffer. `queued` of them were queued by handles.
#[derive(Debug, Default)]
pub(super) struct Unflushed {
    bytes: usize,
    queued: usize,
}

impl<Io: AsyncRead + AsyncWrite + Unpin + 'static> Driver<Io> {
    /// Writes everything that is queued. Returns whether reading is affected by what handles have changed.
    #[inline]
    pub(super) fn drive_writes(&mut self, cx: &mut Context<'_>) -> bool {
        if !self.has_writes() {
            return false;
        }
        // At most twice, so that other tasks that keep sending do not delay reads and the handler.
        let mut changed = self.write_once(cx);
        if self.progress.is_some() {
            changed |= self.write_once(cx);
        }
        changed
    }

    /// Whether there is anything to write, to flush, to report, or to `sync`.
    #[inline]
    fn has_writes(&self) -> bool {
        self.inner.driver.is_notified()
            || self.progress.is_some()
            || !self.writing.is_empty()
            || !self.control.is_empty()
            || self.must_flush()
            || self.phase == Phase::Draining
    }

    // Not inlined: in the loop of `drive_writes` the compiler would compute the addresses of all fields in advance.
    #[inline(never)]
    fn write_once(&mut self, cx: &mut Context<'_>) -> bool {
        let changed = (self.inner.driver.is_notified() || self.progress.is_some()) && self.sync();
        self.write(cx);
        if self.progress.is_some() {
            self.report_written();
        }
        changed
    }

    /// Reports written bytes at once, so that a task that was woken to write does not need another round of the loop with a read:
    /// that is a fifth of its instructions (callgrind, `compare`'s fan-out). If more is queued, `sync` reports them and takes it.
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

    /// Limits how many unsent bytes of a TCP stream the kernel buffers. Called once.
    #[cold]
    fn limit_unsent(&mut self) {
        self.written_before_limit = LIMIT_UNSENT_AFTER;
        if let Some(stream) = self.transport.as_ref().and_then(socket)
            && let Err(error) = limit_unsent(stream, MAX_UNSENT)
        {
            // The socket is closed, which the next read or write reports.
            tracing::trace!(%error, "could not set TCP_NOTSENT_LOWAT");
        }
    }

    #[inline(never)]
    fn write_some(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.writing.is_empty() {
            self.control_bytes = gather(&mut self.inner.lock(), &mut self.control, &mut self.writing);
        }
        if self.written_before_limit < LIMIT_UNSENT_AFTER
            && self.written_before_limit + self.writing.len() >= LIMIT_UNSENT_AFTER
        {
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
        self.written_before_limit = (self.written_before_limit + written).min(LIMIT_UNSENT_AFTER);
        self.unflushed.queued += written - control;
        self.timers.bytes_written(written, self.now);
        if self.control_bytes == 0 && self.control.is_empty() {
            self.timers.set_pong_due(false, self.now);
        }
    }

    /// Whether the transport must be flushed: it may still buffer data. While an HTTP/2 stream is not read, flushing is also the
    /// only way to learn that it was reset.
    #[inline]
    fn must_flush(&self) -> bool {
        self.unflushed.bytes > 0 || (self.read_to_end && self.timers.is_read_paused())
    }

    /// Flushes the transport: TLS and HTTP/2 buffer what they accept. Bytes count as written after that.
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

    /// Called when the transport accepts no data any more. What the peer has sent is still received.
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

    /// Shuts our side down, once everything is written up to our close frame.
    #[cold]
    fn finish_writing(&mut self, cx: &mut Context<'_>) {
        let Some(transport) = &mut self.transport else { return };
        // Control frames are stopped when our close frame is gathered, so it has been written if nothing is left.
        if self.unflushed.bytes > 0 || !self.writing.is_empty() || !self.control.is_stopped() {
            return;
        }
        // Shut down first: dropping a TCP stream with unread input would only reset it.
        match Pin::new(transport).poll_shutdown(cx) {
            Poll::Pending => {}
            // The closing handshake is complete: over HTTP/1.1 nothing that matters can arrive. But while a peer still reads a
            // lot of data it may answer pings (RFC 6455 §5.5.2): for input, a closed socket sends a reset, which drops the rest.
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

/// Gathers what is written next, when `writing` is empty: pings and pongs, then what handles have queued. Returns how many bytes
/// are control frames.
#[inline]
pub(super) fn gather(state: &mut State, control: &mut ControlFrames, writing: &mut WriteBuffer) -> usize {
    let control_bytes = control.take(writing);
    state.sender.take_queued(writing);
    if !state.lifecycle.is_writable() {
        // A close frame is the last frame that is queued: no control frame may follow it.
        control.stop();
    }
    control_bytes
}

/// Writes as much as the transport accepts in one call.
#[inline]
fn poll_write(
    transport: Pin<&mut impl AsyncWrite>,
    buffer: &WriteBuffer,
    cx: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    if !buffer.is_vectored() {
        let front = buffer.front();
        return transport.poll_write(cx, &front[..front.len().min(MAX_COPIED)]);
    }
    if buffer.is_contiguous() {
        return transport.poll_write(cx, buffer.front());
    }
    let mut slices = [IoSlice::new(&[]); SLICES];
    let count = buffer.slices(&mut slices);
    transport.poll_write_vectored(cx, &slices[..count])
}

/// The maximum that is passed at once to a transport that copies. hyper's streams of HTTP/2 accept any amount, report it as written
/// while the peer's window is closed, and show no progress before all of it is sent: a slow peer would seem to accept nothing. The
/// value is the default maximum of an HTTP/2 frame (RFC 9113 §4.2), plus the longest header of a message of 16 KiB.
const MAX_COPIED: usize = 14 + 16 * 1024;
/// After so many bytes, `TCP_NOTSENT_LOWAT` is set: most connections never send so much, and need no system call for it.
const LIMIT_UNSENT_AFTER: usize = 256 * 1024;
/// How many bytes the kernel may buffer that are not sent yet. A message of 1 MiB is written with one call: with 128 KiB it costs
/// 1.8 times as much, with 512 KiB 1.25 (`benches/compare`).
const MAX_UNSENT: u32 = 1024 * 1024;
/// How many slices are passed to one system call.
const SLICES: usize = 16;
