//! The timers of one connection, and the events that change them. `due` has what they return.

use std::time::Duration;

use tokio::time::Instant;

use super::backlog::Backlog;
use super::deadlines::Deadlines;
use super::keepalive::Keepalive;
use super::liveness::Liveness;
use super::rate_limiter::RateLimiter;
use super::send_queue::SendQueue;
use super::unanswered_pings::UnansweredPings;
use crate::limits::Limits;

/// The timers of one connection. Sans-I/O: the time is passed in.
#[derive(Debug)]
pub(crate) struct Timers {
    pub(super) liveness: Liveness,
    pub(super) deadlines: Deadlines,
    pub(super) unanswered_pings: UnansweredPings,
    /// `None` without a rate limit.
    pub(super) rate_limiter: Option<Box<RateLimiter>>,
    /// Whether the size of the kernel's send queue can be read.
    pub(super) has_send_queue: bool,
    /// Boxed, because it is sampled only while a peer is slow.
    pub(super) send_queue: Option<Box<SendQueue>>,
    pub(super) backlog: Backlog,
    /// The deadline that the user has set for the connection.
    pub(super) deadline: Option<Instant>,
    /// Whether the last result of [`poll`](Self::poll) includes additional time for a backlog.
    pub(super) has_allowance: bool,
    /// Something may be due earlier than at the last [`poll`](Self::poll).
    pub(super) is_earlier: bool,
    /// The peer has answered a ping, so that the next deadline is much later than at the last [`poll`](Self::poll).
    pub(super) is_later: bool,
    /// The minimum rate at which a peer accepts data, in bytes per second.
    pub(super) min_data_rate: u64,
    /// A write has failed, but messages are still received: the limits of an open connection apply too.
    pub(super) has_write_failed: bool,
}

impl Timers {
    pub(crate) fn new(keepalive: Keepalive, limits: &Limits, now: Instant) -> Self {
        Self {
            liveness: Liveness::new(keepalive, now),
            deadlines: Deadlines::new(limits, now),
            unanswered_pings: UnansweredPings::default(),
            rate_limiter: RateLimiter::new(&limits.rate_limit, now),
            has_send_queue: false,
            send_queue: None,
            backlog: Backlog::default(),
            deadline: None,
            has_allowance: false,
            is_earlier: false,
            is_later: false,
            min_data_rate: limits.min_data_rate.into(),
            has_write_failed: false,
        }
    }

    /// Called when bytes have arrived.
    #[inline]
    pub(crate) fn bytes_received(&mut self, now: Instant) {
        self.is_later |= self.liveness.awaits_answer();
        self.liveness.seen(now);
        // After our close frame, data from the peer does not show that it has read everything up to that frame.
        if !self.deadlines.is_closing() {
            self.is_earlier |= self.backlog.peer_seen(now) && self.has_allowance;
            // While a write is blocked, the samples since then are kept: they show whether the peer accepts data.
            if !self.deadlines.is_write_blocked()
                && let Some(queue) = &mut self.send_queue
            {
                queue.reset();
            }
        }
    }

    /// Called when reading stops, because of unread messages or the rate limit, and when it continues.
    #[inline]
    pub(crate) fn set_read_paused(&mut self, paused: bool, now: Instant) {
        if paused != self.is_read_paused() {
            self.liveness.set_read_paused(paused, now);
            self.deadlines.set_read_paused(paused, now);
        }
    }

    #[inline]
    pub(crate) fn is_read_paused(&self) -> bool {
        self.liveness.is_read_paused()
    }

    /// Whether the peer has a rate limit, so that what it sends must be counted.
    #[inline]
    pub(crate) fn is_rate_limited(&self) -> bool {
        self.rate_limiter.is_some()
    }

    /// Counts a message or a ping. Returns whether another may be received now.
    pub(crate) fn count_message(&mut self, now: Instant) -> bool {
        let is_within = self.rate_limiter.as_mut().is_none_or(|limiter| limiter.message_received(now));
        self.is_earlier |= !is_within;
        is_within
    }

    /// Counts bytes that were read. Returns whether more may be read now.
    #[inline]
    pub(crate) fn count_bytes(&mut self, bytes: usize, now: Instant) -> bool {
        let is_within = self.rate_limiter.as_mut().is_none_or(|limiter| limiter.bytes_received(bytes, now));
        self.is_earlier |= !is_within;
        is_within
    }

    /// How many bytes the rate limit allows to be read at once.
    #[inline]
    pub(crate) fn max_bytes(&self, now: Instant) -> usize {
        self.rate_limiter.as_ref().map_or(usize::MAX, |limiter| limiter.max_bytes(now))
    }

    /// Whether the rate limit allows nothing to be read now.
    #[inline]
    pub(crate) fn is_rate_paused(&self) -> bool {
        self.rate_limiter.as_ref().is_some_and(|limiter| limiter.is_paused())
    }

    /// Whether the rate limit allows no message and no ping to be received now, also of what was read already.
    #[inline]
    pub(crate) fn holds_messages(&self, now: Instant) -> bool {
        self.rate_limiter.as_ref().is_some_and(|limiter| limiter.holds_messages(now))
    }

    /// Whether the rate limit is exceeded, and the connection must be closed.
    #[inline]
    pub(crate) fn is_rate_exceeded(&self) -> bool {
        self.rate_limiter.as_ref().is_some_and(|limiter| limiter.is_exceeded())
    }

    /// Called when the connection closes: what the peer sends is discarded and not counted.
    pub(crate) fn stop_rate_limit(&mut self) {
        self.rate_limiter = None;
    }

    /// Called when the transport has accepted bytes.
    #[inline]
    pub(crate) fn bytes_written(&mut self, bytes: usize, now: Instant) {
        let write_delays = self.blocked_write_delays();
        if self.deadlines.write_accepted(now) {
            // A peer that accepts data is alive, even if it cannot answer our ping yet because of the data before the ping.
            self.liveness.seen(now);
            self.backlog.data_accepted(self.min_data_rate);
        }
        // If the backlog has become large, the send queue is sampled.
        self.is_earlier |= self.backlog.written(bytes, now) && self.has_send_queue;
        if let Some(queue) = &mut self.send_queue {
            queue.bytes_written();
        }
        if self.deadlines.is_closing() {
            self.deadlines.set_closing(now);
        }
        self.is_earlier |= write_delays && !self.is_write_blocked();
    }

    /// Whether a blocked write delays something that is due earlier once the write is no longer blocked: the timeout of a silent
    /// peer or of the closing handshake, or a sample of the send queue.
    #[inline]
    fn blocked_write_delays(&self) -> bool {
        self.is_write_blocked()
            && (self.deadlines.is_closing() || self.liveness.expiry().is_some() || self.has_send_queue)
    }

    /// Called when the transport accepts no data.
    pub(crate) fn write_blocked(&mut self, now: Instant) {
        if !self.is_write_blocked() {
            self.reset_samples();
        }
        self.deadlines.write_blocked(now);
    }

    /// Called if the transport can return the size of the kernel's send queue.
    pub(crate) fn set_send_queue_known(&mut self) {
        self.has_send_queue = true;
    }

    /// Called when we begin to wait for the peer: what it has acknowledged before does not count.
    fn reset_samples(&mut self) {
        if let Some(queue) = &mut self.send_queue {
            queue.reset();
        }
    }

    /// Adds a sample of the kernel's send queue, in bytes; `None` if the transport could not return it. Returns whether the peer
    /// has acknowledged data since the last sample: then it is alive, and accepts data.
    pub(crate) fn send_queue_sampled(&mut self, bytes: Option<u32>, now: Instant) -> bool {
        let send_queue = self.send_queue.get_or_insert_default();
        let progress = send_queue.sampled(bytes, self.min_data_rate, now);
        if progress {
            self.liveness.seen(now);
            let step_time = send_queue.step_time(self.min_data_rate).unwrap_or_default();
            self.deadlines.data_acknowledged(step_time, now);
        }
        progress
    }

    /// Called when the transport has accepted all data, but has not flushed its own buffers.
    pub(crate) fn flush_blocked(&mut self, now: Instant) {
        self.deadlines.flush_blocked(now);
    }

    /// Called when everything is written and flushed.
    #[inline]
    pub(crate) fn write_done(&mut self) {
        self.is_earlier |= self.deadlines.has_made_progress() || self.blocked_write_delays();
        self.deadlines.write_done();
    }

    /// Whether something may be due earlier than before, since the last call of this.
    #[inline]
    pub(crate) fn take_earlier(&mut self) -> bool {
        std::mem::take(&mut self.is_earlier)
    }

    /// Whether the peer has answered a ping since the last call of this, so that the timer should be set to a later time.
    #[inline]
    pub(crate) fn take_later(&mut self) -> bool {
        std::mem::take(&mut self.is_later)
    }

    /// Sets whether the peer waits for a pong.
    #[inline]
    pub(crate) fn set_pong_due(&mut self, due: bool, now: Instant) {
        self.deadlines.set_pong_due(due, now);
    }

    #[inline]
    pub(crate) fn set_mid_message(&mut self, mid_message: bool, now: Instant) {
        self.deadlines.set_mid_message(mid_message, now);
    }

    /// Called when the connection begins to close, and when it is seen to make progress with that.
    pub(crate) fn set_closing(&mut self, now: Instant) {
        if !self.deadlines.is_closing() {
            self.reset_samples();
        }
        self.deadlines.set_closing(now);
    }

    /// Called when a write has failed: the connection begins to close, but what the peer has sent is still received.
    pub(crate) fn set_write_failed(&mut self, now: Instant) {
        self.has_write_failed = true;
        self.is_earlier = true;
        self.set_closing(now);
    }

    /// Whether the transport accepts no data, or has not flushed what it accepted.
    #[inline]
    pub(crate) fn is_write_blocked(&self) -> bool {
        self.deadlines.is_write_blocked()
    }

    /// Whether the peer may need more than a second to read what it was sent.
    #[inline]
    pub(crate) fn has_backlog(&self) -> bool {
        self.backlog.bytes() >= self.min_data_rate
    }

    /// Sets or removes the time at which the connection is closed.
    pub(crate) fn set_deadline(&mut self, deadline: Option<Instant>) {
        self.deadline = deadline;
        self.is_earlier = true;
    }

    /// Called when a ping with this number is sent.
    pub(crate) fn ping_sent(&mut self, number: u64, now: Instant) {
        self.unanswered_pings.sent(number, now);
        self.backlog.ping_sent(number);
    }

    /// Called when a pong has arrived. Returns the number of the ping that it answers, and the round trip.
    pub(crate) fn pong_received(&mut self, payload: &[u8], now: Instant) -> Option<(u64, Duration)> {
        // RFC 6455 §5.5.3: a pong with another payload is unsolicited, and needs no answer.
        let number = u64::from_be_bytes(payload.try_into().ok()?);
        let round_trip = self.unanswered_pings.answered(number, now)?;
        if !self.deadlines.is_closing() {
            self.is_earlier |= self.backlog.ping_answered(number, now) && self.has_allowance;
        }
        Some((number, round_trip))
    }

    /// The limits that apply now, a bit for each. While no bit is added, the next deadline can only move to a later time.
    #[inline]
    pub(crate) fn running(&self) -> u8 {
        // One bit each, because both set the timer: for the keepalive while reading, to check an HTTP/2 stream while paused.
        let reading = if self.liveness.is_read_paused() { 1 } else { 2 };
        self.deadlines.running() << 2 | reading
    }
}
