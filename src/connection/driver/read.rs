//! How a connection's task reads, and how it handles messages and events.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::io::poll_read_buf;

use super::Driver;
use crate::connection::state::Waiting;
use crate::connection::waker_set::Wakers;
use crate::log_text::OneLine;
use crate::protocol::{Event, Failure, Intake, Phase, Received, give_read_buffer, take_read_buffer};

impl<Io: AsyncRead + AsyncWrite + Unpin + 'static> Driver<Io> {
    /// Handles input that was read before, or else reads once. Returns whether it made progress.
    #[inline]
    pub(super) fn drive_reads(&mut self, cx: &mut Context<'_>) -> bool {
        match self.phase {
            Phase::ShutDown => return self.drain(cx),
            // What the peer sends does not matter any more. It is read, and discarded, once our side is shut down.
            Phase::Draining | Phase::Closed => return false,
            Phase::Open | Phase::WriteFailed | Phase::Closing => {}
        }
        if std::mem::take(&mut self.answer_due) {
            // Nothing is read before the answer is written: it could be the end of the transport.
            self.answer();
            return true;
        }
        if !self.receiver.is_waiting_for_input() && self.process_input() {
            return true;
        }
        if self.poll_read(cx).is_pending() {
            return false;
        }
        self.process_input();
        true
    }

    /// Handles input, as far as messages may be received now. Returns whether it made progress.
    #[inline]
    fn process_input(&mut self) -> bool {
        let mut made_progress = false;
        while let Some(event) = self.receive_messages(&mut made_progress) {
            if made_progress && self.phase == Phase::Open && matches!(event, Event::Close(_)) {
                self.answer_later(event);
                return true;
            }
            made_progress = true;
            self.on_event(event);
            if matches!(self.phase, Phase::Draining | Phase::ShutDown | Phase::Closed) {
                return true;
            }
        }
        self.timers.set_mid_message(self.receiver.is_mid_message(), self.now);
        if self.timers.is_rate_exceeded() {
            self.fail(Failure::RateLimitExceeded);
            return true;
        }
        made_progress
    }

    /// Makes messages available to handles, up to the next event, which it returns.
    #[inline]
    fn receive_messages(&mut self, made_progress: &mut bool) -> Option<Event> {
        // The lock is taken once for several small messages; it is released before anything that may take long.
        let mut lock = None;
        let mut wakers = Wakers::default();
        let mut received = false;
        let event = loop {
            // Control frames wait too: each ping would be answered.
            if self.timers.holds_messages(self.now) {
                break None;
            }
            let intake = self.intake();
            let whole = if intake == Intake::Accept { self.receiver.whole_message(&mut self.budget) } else { None };
            let message = match whole {
                Some(Ok(message)) => message,
                Some(Err(failure)) => break Some(Event::Failed(failure)),
                None if self.receiver.is_waiting_for_input() => break None,
                None => match self.receiver.next(intake, &mut self.budget) {
                    Some(Received::Message(message)) => message,
                    Some(Received::Event(event)) => break Some(event),
                    None => break None,
                },
            };
            received = true;
            if self.timers.is_rate_limited() {
                self.may_receive &= self.timers.count_message(self.now);
            }
            if self.text_heartbeat && message.as_text() == Some("ping") {
                // The answer is queued in the next poll, after the handler's answers to the messages before it.
                self.answer_due = true;
                break None;
            }
            let len = message.len();
            let (state, is_wanted) = lock.get_or_insert_with(|| {
                let mut state = self.inner.lock();
                state.take_wakers(Waiting::Reader, &mut wakers);
                let is_wanted = state.is_wanted();
                (state, is_wanted)
            });
            if *is_wanted {
                state.incoming.push(message, len);
                if !state.check_capacity() {
                    self.may_receive = false;
                }
            } else {
                state.incoming.count(len);
            }
            if len > SMALL || self.inner.is_compressed() {
                lock = None;
            }
        };
        drop(lock);
        if received {
            *made_progress = true;
            // The next message may have begun in the same read.
            self.timers.set_mid_message(false, self.now);
            wakers.wake();
        }
        event
    }

    /// Has a close frame that arrived together with messages wait, which RFC 6455 §5.5.1 allows: the tasks that receive the messages
    /// run first, and can still send.
    #[cold]
    fn answer_later(&mut self, close: Event) {
        self.close_due = Some(Box::new(close));
        self.answer_due = true;
        self.yields = true;
    }

    /// Answers what had to wait until the handler was polled.
    #[cold]
    fn answer(&mut self) {
        match self.close_due.take() {
            Some(close) => self.on_event(*close),
            None => self.inner.answer_heartbeat(),
        }
    }

    // Not inlined: the code that runs for every message stays short.
    #[inline(never)]
    fn on_event(&mut self, event: Event) {
        match event {
            Event::Ping(payload) => {
                self.may_receive &= self.timers.count_message(self.now);
                self.control.push_pong(&payload);
                self.timers.set_pong_due(!self.control.is_empty(), self.now);
            }
            Event::Pong(payload) => {
                if let Some((number, round_trip)) = self.timers.pong_received(&payload, self.now) {
                    self.metrics.round_trip(round_trip);
                    let wakers = self.inner.lock().set_round_trip(number, round_trip);
                    wakers.wake();
                }
            }
            Event::Close(frame) => {
                tracing::debug!(frame = %OneLine(&frame), "peer closes");
                // RFC 6455 §5.5.1: the answer echoes the peer's frame.
                self.change(|state| {
                    if state.lifecycle.peer_closed(frame.clone()) {
                        state.sender.push_close(&frame);
                    }
                });
            }
            // After our close frame, an error changes nothing: the frame is still written.
            Event::End(_) if self.phase == Phase::Closing => self.change(|state| state.lifecycle.handshake_over()),
            Event::Failed(failure) if self.phase == Phase::Closing => {
                tracing::debug!(?failure, "while closing");
                self.change(|state| state.lifecycle.handshake_over());
            }
            Event::End(error) => {
                let source = error.map_or_else(|| NO_CLOSE_FRAME.into(), Into::into);
                self.fail(Failure::Disconnected(Some(source)));
            }
            Event::Failed(failure) => self.fail(failure),
        }
    }

    /// Reads once from the transport. Ready when there is new input, its end, or a failure.
    #[inline]
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let intake = self.intake();
        let wants_input = self.receiver.wants_input(intake) && !self.timers.is_rate_paused();
        self.timers.set_read_paused(!wants_input, self.now);
        let Some(transport) = &mut self.transport else { return Poll::Pending };
        if !wants_input {
            return Poll::Pending;
        }
        self.budget = self.budget.saturating_sub(1);
        let mut space = match self.receiver.read_space(intake) {
            Ok(space) => space,
            Err(failure) => {
                self.fail(failure);
                return Poll::Ready(());
            }
        };
        let limit = self.timers.max_bytes(self.now).min(space.limit());
        space.set_limit(limit);
        match ready!(poll_read_buf(Pin::new(transport), cx, &mut space)) {
            Ok(0) => self.receiver.input_ended(None),
            Ok(read) => {
                self.receiver.bytes_read(read, intake);
                self.progress.bytes_read += read as u64;
                self.timers.bytes_received(self.now);
                self.timers.count_bytes(read, self.now);
                if self.phase == Phase::WriteFailed {
                    self.timers.set_closing(self.now);
                }
            }
            // The receiver returns everything that arrived before the error first.
            Err(error) => self.receiver.input_ended(Some(error)),
        }
        Poll::Ready(())
    }

    /// Reads and discards what the peer sends, to the end. If the transport were dropped before that, TCP would reset the
    /// connection and could lose our close frame, and HTTP/2 would reset the stream, after which browsers fall back to HTTP/1.1.
    #[cold]
    fn drain(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(transport) = &mut self.transport else { return false };
        self.budget = self.budget.saturating_sub(1);
        let mut buffer = take_read_buffer();
        let read = poll_read_buf(Pin::new(transport), cx, &mut buffer);
        give_read_buffer(buffer);
        match read {
            Poll::Pending => false,
            Poll::Ready(Ok(1..)) => true,
            Poll::Ready(_) => {
                self.end_transport(Failure::Disconnected(None).into_error());
                true
            }
        }
    }
}

/// After a message of up to this size, the lock stays for the next message.
const SMALL: usize = 4 * 1024;
const NO_CLOSE_FRAME: &str = "the transport ended, or the stream was reset, without a close frame";
