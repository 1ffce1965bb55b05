//! The timers of one connection in one place, and what they are told.

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

/// The timers of one connection.
#[derive(Debug)]
pub(crate) struct Timers {
    pub(super) liveness: Liveness,
    pub(super) deadlines: Deadlines,
    pub(super) unanswered_pings: UnansweredPings,
    /// None where the peer may send what it likes.
    pub(super) rate_limiter: Option<Box<RateLimiter>>,
    /// The transport knows it.
    pub(super) has_send_queue: bool,
    /// Sampled for few peers, so that most need no memory for it.
    pub(super) send_queue: Option<Box<SendQueue>>,
    pub(super) backlog: Backlog,
    /// When the caller wants the connection to be closed.
    pub(super) deadline: Option<Instant>,
    /// What is due next was found with time for a backlog in it.
    pub(super) has_allowance: bool,
    /// Something may be due earlier than it was.
    pub(super) is_earlier: bool,
    /// The peer has answered a ping: what would have been due without the answer is far from what is due now.
    pub(super) is_later: bool,
    /// The least that a peer takes, in bytes per second.
    pub(super) min_data_rate: u64,
    /// Nothing is written any more, but messages are received until the end: the limits of an open connection count too.
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

    /// Bytes have arrived.
    #[inline]
    pub(crate) fn bytes_received(&mut self, now: Instant) {
        self.is_later |= self.liveness.awaits_answer();
        self.liveness.seen(now);
        // A peer that is to close shows by pings that it is there, not that it has come to our close frame.
        if !self.deadlines.is_closing() {
            self.is_earlier |= self.backlog.peer_seen(now) && self.has_allowance;
            // While a write is blocked, all samples are of that time.
            if !self.deadlines.is_write_blocked()
                && let Some(queue) = &mut self.send_queue
            {
                queue.reset();
            }
        }
    }

    /// Reading stops, because messages are unread up to their limit or the rate limit is reached, or goes on.
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

    /// Counts a message or a ping. Whether another may be received now.
    pub(crate) fn count_message(&mut self, now: Instant) -> bool {
        let is_within = self.rate_limiter.as_mut().is_none_or(|limiter| limiter.message_received(now));
        self.is_earlier |= !is_within;
        is_within
    }

    /// Counts bytes that were read. Whether more may be read now.
    #[inline]
    pub(crate) fn count_bytes(&mut self, bytes: usize, now: Instant) -> bool {
        let is_within = self.rate_limiter.as_mut().is_none_or(|limiter| limiter.bytes_received(bytes, now));
        self.is_earlier |= !is_within;
        is_within
    }

    /// How many bytes the rate limit allows to be read at once.
    #[inline]
    pub(crate) fn most_bytes(&self, now: Instant) -> usize {
        self.rate_limiter.as_ref().map_or(usize::MAX, |limiter| limiter.most_bytes(now))
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

    /// Whether the rate limit wants the connection to be closed.
    #[inline]
    pub(crate) fn is_rate_exceeded(&self) -> bool {
        self.rate_limiter.as_ref().is_some_and(|limiter| limiter.is_exceeded())
    }

    /// From here on what the peer sends is discarded, up to its close frame.
    pub(crate) fn stop_rate_limit(&mut self) {
        self.rate_limiter = None;
    }

    /// The transport has accepted so many bytes.
    #[inline]
    pub(crate) fn bytes_written(&mut self, bytes: usize, now: Instant) {
        let puts_off = self.write_puts_off();
        if self.deadlines.write_accepted(now) {
            // A peer that takes data is alive, even where our ping waits behind that.
            self.liveness.seen(now);
            self.backlog.data_taken(self.min_data_rate);
        }
        // What the peer acknowledges is then looked at.
        self.is_earlier |= self.backlog.written(bytes, now) && self.has_send_queue;
        if let Some(queue) = &mut self.send_queue {
            queue.bytes_written();
        }
        if self.deadlines.is_closing() {
            self.deadlines.set_closing(now);
        }
        self.is_earlier |= puts_off && !self.is_write_blocked();
    }

    /// Whether a blocked write puts something off that is due earlier once it is not blocked any more: the end of a silent
    /// peer, or of the closing handshake, or a sample of the send queue.
    #[inline]
    fn write_puts_off(&self) -> bool {
        self.is_write_blocked()
            && (self.deadlines.is_closing() || self.liveness.expiry().is_some() || self.has_send_queue)
    }

    /// The transport accepts no data.
    pub(crate) fn write_blocked(&mut self, now: Instant) {
        if !self.is_write_blocked() {
            self.wait_begins();
        }
        self.deadlines.write_blocked(now);
    }

    /// The transport knows what the peer has not acknowledged.
    pub(crate) fn set_send_queue_known(&mut self) {
        self.has_send_queue = true;
    }

    /// The peer is waited for from here on: what it acknowledged before does not count.
    fn wait_begins(&mut self) {
        if let Some(queue) = &mut self.send_queue {
            queue.reset();
        }
    }

    /// The size of the kernel's send queue, where the transport knows it. Whether the peer has acknowledged data since the
    /// last sample: then it is alive, and takes what is written.
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

    /// The transport keeps data in buffers of its own.
    pub(crate) fn flush_blocked(&mut self, now: Instant) {
        self.deadlines.flush_blocked(now);
    }

    /// Everything is written and passed on.
    #[inline]
    pub(crate) fn write_done(&mut self) {
        self.is_earlier |= self.deadlines.has_made_progress() || self.write_puts_off();
        self.deadlines.write_done();
    }

    /// Whether something may be due earlier than at the last call.
    #[inline]
    pub(crate) fn take_earlier(&mut self) -> bool {
        std::mem::take(&mut self.is_earlier)
    }

    /// Whether what is due has moved to later for good since the last call, and the timer should too.
    #[inline]
    pub(crate) fn take_later(&mut self) -> bool {
        std::mem::take(&mut self.is_later)
    }

    /// The peer waits for a pong, or no longer.
    #[inline]
    pub(crate) fn set_pong_due(&mut self, due: bool, now: Instant) {
        self.deadlines.set_pong_due(due, now);
    }

    #[inline]
    pub(crate) fn set_mid_message(&mut self, mid_message: bool, now: Instant) {
        self.deadlines.set_mid_message(mid_message, now);
    }

    /// The end of the connection begins, or is seen to go on.
    pub(crate) fn set_closing(&mut self, now: Instant) {
        if !self.deadlines.is_closing() {
            self.wait_begins();
        }
        self.deadlines.set_closing(now);
    }

    /// The end of the connection begins, for a write has failed: what the peer has sent is still received.
    pub(crate) fn set_write_failed(&mut self, now: Instant) {
        self.has_write_failed = true;
        self.is_earlier = true;
        self.set_closing(now);
    }

    /// Whether the transport accepts no data, or passes none on.
    #[inline]
    pub(crate) fn is_write_blocked(&self) -> bool {
        self.deadlines.is_write_blocked()
    }

    /// Whether the peer may need more than a moment to get through what it was sent.
    #[inline]
    pub(crate) fn has_backlog(&self) -> bool {
        self.backlog.bytes() >= self.min_data_rate
    }

    /// The connection is to be closed at this time, or at none.
    pub(crate) fn set_deadline(&mut self, deadline: Option<Instant>) {
        self.deadline = deadline;
        self.is_earlier = true;
    }

    /// A ping with this number is sent.
    pub(crate) fn ping_sent(&mut self, number: u64, now: Instant) {
        self.unanswered_pings.sent(number, now);
        self.backlog.ping_sent(number);
    }

    /// A pong with this payload has arrived: the number of the ping that it answers, and the round trip.
    pub(crate) fn pong_received(&mut self, payload: &[u8], now: Instant) -> Option<(u64, Duration)> {
        // RFC 6455 §5.5.3: an unsolicited pong is a heartbeat that wants no answer.
        let number = u64::from_be_bytes(payload.try_into().ok()?);
        let round_trip = self.unanswered_pings.answered(number, now)?;
        if !self.deadlines.is_closing() {
            self.is_earlier |= self.backlog.ping_answered(number, now) && self.has_allowance;
        }
        Some((number, round_trip))
    }

    /// Which limits count at the moment, a bit for each. While none is added, what is due next can only move to later.
    #[inline]
    pub(crate) fn running(&self) -> u8 {
        // Either way there is something to look at in time: silence, or whether the stream is still there.
        let reading = if self.liveness.is_read_paused() { 1 } else { 2 };
        self.deadlines.running() << 2 | reading
    }
}
