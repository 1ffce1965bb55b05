//! The timers of one connection in one place, and what they are told.

use std::time::Duration;

use tokio::time::Instant;

use super::backlog::Backlog;
use super::deadlines::Deadlines;
use super::keepalive::{Keepalive, Liveness};
use super::pings::Pings;
use super::rate_limiter::RateLimiter;
use super::send_queue::SendQueue;
use crate::limits::Limits;

/// The timers of one connection.
#[derive(Debug)]
pub(crate) struct Timers {
    pub(super) liveness: Liveness,
    pub(super) deadlines: Deadlines,
    pub(super) pings: Pings,
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
            pings: Pings::default(),
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
            if let Some(queue) = &mut self.send_queue {
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

    /// Whether something may be due earlier than it was when this was last asked.
    #[inline]
    pub(crate) fn take_earlier(&mut self) -> bool {
        std::mem::take(&mut self.is_earlier)
    }

    /// Whether what is due has moved to later for good, and the timer should too, since this was last asked.
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

    /// The connection is to be closed at this time, or at none.
    pub(crate) fn set_deadline(&mut self, deadline: Option<Instant>) {
        self.deadline = deadline;
        self.is_earlier = true;
    }

    /// A ping with this number is sent.
    pub(crate) fn ping_sent(&mut self, number: u64, now: Instant) {
        self.pings.sent(number, now);
        self.backlog.ping_sent(number);
    }

    /// A pong with this payload has arrived: the number of the ping that it answers, and the round trip.
    pub(crate) fn pong_received(&mut self, payload: &[u8], now: Instant) -> Option<(u64, Duration)> {
        // RFC 6455 §5.5.3: an unsolicited pong is a heartbeat that wants no answer.
        let number = u64::from_be_bytes(payload.try_into().ok()?);
        let round_trip = self.pings.answered(number, now)?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RateLimit;
    use crate::protocol::failure::Failure;
    use crate::protocol::timers::Due;

    fn timers() -> (Timers, impl Fn(u64) -> Instant) {
        let start = Instant::now();
        let timers = Timers::new(Keepalive::default(), &Limits::default(), start);
        (timers, move |millis| start + Duration::from_millis(millis))
    }

    /// When the peer times out if it is silent from now on.
    #[track_caller]
    fn check_timeout(mut timers: Timers, from: Instant, expected: Instant) {
        let mut now = from;
        for _ in 0..100 {
            match timers.poll(now) {
                Due::Ping => {}
                Due::Nothing(Some(next)) => now = next,
                Due::Failed(Failure::KeepaliveTimeout) => return assert_eq!(now - from, expected - from),
                due => panic!("{due:?}"),
            }
        }
        panic!("never");
    }

    #[test]
    fn a_peer_that_takes_what_was_blocked_is_alive() {
        // However little was still to be written: what was before lies in buffers, and the peer has not come to our ping.
        for (before, silence) in [(900, 5), (2000, 7), (2 * 1024 * 1024, 10)] {
            let (mut timers, at) = timers();
            timers.bytes_written(before, at(0));
            timers.write_blocked(at(1000));
            timers.bytes_written(100, at(4000));
            timers.flush_blocked(at(4000));
            assert!(timers.is_write_blocked());
            timers.write_done();
            assert!(!timers.is_write_blocked());
            check_timeout(timers, at(4000), at(4000 + silence * 1000));
        }
    }

    #[test]
    fn what_was_blocked_does_not_shorten_the_close() {
        let (mut timers, at) = timers();
        timers.bytes_written(2 * 1024 * 1024, at(0));
        timers.set_closing(at(1000));
        timers.write_blocked(at(1000));
        timers.bytes_written(100, at(4000));
        timers.write_done();
        let mut now = at(4000);
        while let Due::Nothing(Some(next)) = timers.poll(now) {
            now = next;
        }
        assert_eq!(now, at(14_000));
    }

    #[test]
    fn a_pong_that_is_due_has_its_time() {
        let (mut timers, at) = timers();
        timers.write_blocked(at(0));
        timers.set_pong_due(true, at(4000));
        timers.bytes_received(at(4000));
        let Due::Nothing(Some(due)) = timers.poll(at(4000)) else { panic!("something is due") };
        assert_eq!(due, at(6000));
        assert!(matches!(timers.poll(due), Due::Failed(Failure::WriteTimeout)));
    }

    #[test]
    fn a_deadline_comes_once() {
        let (mut timers, at) = timers();
        timers.set_deadline(Some(at(1000)));
        assert!(matches!(timers.poll(at(999)), Due::Nothing(Some(due)) if due == at(1000)));
        assert!(matches!(timers.poll(at(1000)), Due::Deadline));
        assert!(matches!(timers.poll(at(1000)), Due::Nothing(Some(due)) if due == at(3000)));
    }

    #[test]
    fn a_peer_that_has_timed_out_gets_no_more_time_for_the_close() {
        let (mut timers, at) = timers();
        timers.bytes_written(10 * 1024, at(0));
        assert!(matches!(timers.poll(at(3000)), Due::Ping));
        assert!(matches!(timers.poll(at(15_000)), Due::Failed(Failure::KeepaliveTimeout)));
        timers.set_closing(at(15_000));
        assert!(matches!(timers.poll(at(15_000)), Due::Nothing(Some(due)) if due == at(20_000)));
    }

    #[test]
    fn a_silent_peer_times_out_after_five_seconds() {
        let (timers, at) = timers();
        check_timeout(timers, at(0), at(5000));
    }

    #[test]
    fn the_timer_is_set_anew_for_what_follows_the_answer_to_a_ping() {
        let (mut timers, at) = timers();
        timers.bytes_received(at(1));
        assert!(!timers.take_later());
        assert!(matches!(timers.poll(at(3001)), Due::Ping));
        assert!(matches!(timers.poll(at(3001)), Due::Nothing(Some(next)) if next == at(5001)));
        timers.bytes_received(at(3002));
        assert!(timers.take_later() && !timers.take_later());
        assert!(matches!(timers.poll(at(3002)), Due::Nothing(Some(next)) if next == at(6002)));
        timers.bytes_received(at(3003));
        assert!(!timers.take_later());
    }

    #[test]
    fn a_peer_that_was_sent_much_has_time_to_get_through_it() {
        for (bytes, millis) in [(512, 5000), (10 * 1024, 15_000), (2 * 1024 * 1024, 29_000)] {
            let (mut timers, at) = timers();
            timers.bytes_written(bytes, at(0));
            check_timeout(timers, at(0), at(millis));
        }
    }

    #[test]
    fn a_sign_of_life_ends_that_time_where_the_peer_got_through_it() {
        let answered = |timers: &mut Timers, number: u64, now| {
            timers.bytes_received(now);
            assert!(timers.pong_received(&number.to_be_bytes(), now).is_some());
        };
        let (mut timers, at) = timers();
        timers.bytes_written(60 * 1024, at(0));
        timers.bytes_received(at(1000));
        check_timeout(timers, at(1000), at(6000));
        let (mut timers, at) = self::timers();
        timers.bytes_written(2 * 1024 * 1024, at(0));
        timers.bytes_received(at(1000));
        check_timeout(timers, at(1000), at(30_000));
        // An answer to a ping that was sent before all that shows nothing.
        let (mut timers, at) = self::timers();
        timers.ping_sent(1, at(0));
        timers.bytes_written(2 * 1024 * 1024, at(0));
        answered(&mut timers, 1, at(1000));
        check_timeout(timers, at(1000), at(30_000));
        let (mut timers, at) = self::timers();
        timers.bytes_written(2 * 1024 * 1024, at(0));
        timers.ping_sent(1, at(0));
        answered(&mut timers, 1, at(1000));
        check_timeout(timers, at(1000), at(6000));
    }

    #[test]
    fn a_peer_that_acknowledges_data_stays_and_one_that_stops_times_out_soon() {
        let (mut timers, at) = timers();
        timers.set_send_queue_known();
        timers.bytes_written(2 * 1024 * 1024, at(0));
        let mut now = at(0);
        let mut queued = 2 * 1024 * 1024;
        // 100 KiB/s until 16 s.
        let acknowledged = |now: Instant| (now - at(0)).min(Duration::from_secs(16)).as_millis() as u32 * 100;
        let end = loop {
            match timers.poll(now) {
                Due::Ping => {}
                Due::Nothing(Some(next)) => now = next,
                Due::SampleSendQueue => {
                    queued = 2 * 1024 * 1024 - acknowledged(now);
                    timers.send_queue_sampled(Some(queued), now);
                }
                Due::Failed(Failure::KeepaliveTimeout) => break now,
                due => panic!("{due:?}"),
            }
        };
        assert!(end - at(16_000) <= Duration::from_secs(10), "{:?}", end - at(0));
        assert!(end > at(16_000) && queued > 0);
    }

    #[test]
    fn a_flood_that_delays_each_look_at_the_timers_does_not_put_the_end_off() {
        let (mut timers, at) = timers();
        timers.set_send_queue_known();
        timers.set_pong_due(true, at(0));
        timers.write_blocked(at(0));
        let samples = (0..20_000).find_map(|millis| {
            timers.bytes_received(at(millis));
            match timers.poll(at(millis)) {
                Due::SampleSendQueue => {
                    timers.send_queue_sampled(Some(1000), at(millis));
                    None
                }
                Due::Failed(Failure::WriteTimeout) => Some(millis),
                due => matches!(due, Due::Nothing(_)).then_some(()).map_or_else(|| panic!("{due:?}"), |()| None),
            }
        });
        assert_eq!(samples, Some(5001));
    }

    #[test]
    fn the_queue_is_sampled_each_second_while_the_peer_is_waited_for() {
        type Wait = fn(&mut Timers, Instant);
        let waits: [(&str, Wait); 3] = [
            ("to take data", |timers, now| timers.write_blocked(now)),
            ("to close", |timers, now| timers.set_closing(now)),
            ("to get through much", |timers, now| timers.bytes_written(64 * 1024, now)),
        ];
        for (what, wait) in waits {
            let (mut timers, at) = timers();
            wait(&mut timers, at(500));
            assert!(matches!(timers.poll(at(500)), Due::Nothing(Some(next)) if next >= at(3000)), "{what}: unknown");
            timers.set_send_queue_known();
            for millis in [1500, 2500] {
                let before = at(millis - 1);
                assert!(matches!(timers.poll(before), Due::Nothing(Some(next)) if next == at(millis)), "{what}");
                assert!(matches!(timers.poll(at(millis)), Due::SampleSendQueue), "{what}");
                timers.send_queue_sampled(Some(1000), at(millis));
            }
        }
    }

    #[test]
    fn a_queue_that_held_data_is_sampled_again_unless_little_was_written() {
        for (bytes, next) in [(10 * 1024, 2000), (100, 3000)] {
            let (mut timers, at) = timers();
            timers.set_send_queue_known();
            timers.bytes_written(bytes, at(0));
            timers.send_queue_sampled(Some(100), at(1000));
            assert!(matches!(timers.poll(at(1000)), Due::Nothing(Some(due)) if due == at(next)), "{bytes} bytes");
        }
    }

    #[test]
    fn the_queue_is_sampled_before_a_peer_times_out() {
        type Wait = fn(&mut Timers, Instant);
        let waits: [(&str, Wait, u64); 2] = [
            ("a write", |timers, now| timers.write_blocked(now), 10_000),
            ("the close", |timers, now| timers.set_closing(now), 5000),
        ];
        for (what, wait, due) in waits {
            for (sampled, is_recent) in [(due - 500, false), (due - 499, true)] {
                let (mut timers, at) = timers();
                timers.set_send_queue_known();
                wait(&mut timers, at(0));
                timers.send_queue_sampled(Some(0), at(sampled));
                match timers.poll(at(due)) {
                    Due::SampleSendQueue => assert!(!is_recent, "{what}"),
                    Due::Close | Due::Failed(Failure::WriteTimeout) => assert!(is_recent, "{what}"),
                    due => panic!("{what}: {due:?}"),
                }
            }
        }
    }

    #[test]
    fn the_queue_is_sampled_before_a_ping_behind_much() {
        for (bytes, is_much) in [(100, false), (10 * 1024, true)] {
            let (mut timers, at) = timers();
            timers.set_send_queue_known();
            timers.bytes_written(bytes, at(0));
            match timers.poll(at(3000)) {
                Due::SampleSendQueue => assert!(is_much),
                Due::Ping => assert!(!is_much),
                due => panic!("{due:?}"),
            }
        }
    }

    #[test]
    fn what_lay_in_the_queue_before_a_sign_of_life_does_not_count() {
        let (mut timers, at) = timers();
        timers.set_send_queue_known();
        timers.bytes_written(500 * 1024, at(0));
        assert!(!timers.send_queue_sampled(Some(500 * 1024), at(1000)));
        timers.bytes_received(at(2000));
        timers.bytes_written(300 * 1024, at(60_000));
        assert!(!timers.send_queue_sampled(Some(300 * 1024), at(61_000)));
    }

    #[test]
    fn what_was_acknowledged_before_the_peer_is_waited_for_does_not_count() {
        type Wait = fn(&mut Timers, Instant);
        let waits: [Wait; 2] = [|timers, now| timers.write_blocked(now), |timers, now| timers.set_closing(now)];
        for wait in waits {
            let (mut timers, at) = timers();
            timers.set_send_queue_known();
            assert!(!timers.send_queue_sampled(Some(1000), at(0)));
            wait(&mut timers, at(1000));
            assert!(!timers.send_queue_sampled(Some(500), at(2000)));
            // It goes on waiting.
            wait(&mut timers, at(2500));
            assert!(timers.send_queue_sampled(Some(400), at(3000)));
        }
    }

    #[test]
    fn a_peer_that_dies_early_with_little_to_acknowledge_is_found_soon() {
        for closing in [false, true] {
            let (mut timers, at) = timers();
            timers.set_send_queue_known();
            timers.bytes_written(500 * 1024, at(0));
            if closing {
                timers.set_closing(at(0));
            }
            // 100 KiB/s until 3.6 s.
            let acknowledged = |now: Instant| (now - at(0)).min(Duration::from_millis(3600)).as_millis() as u32 * 100;
            let mut now = at(0);
            let end = loop {
                match timers.poll(now) {
                    Due::Ping => {}
                    Due::Nothing(Some(next)) => now = next,
                    Due::SampleSendQueue => {
                        timers.send_queue_sampled(Some(500 * 1024 - acknowledged(now)), now);
                    }
                    Due::Failed(Failure::KeepaliveTimeout) | Due::Close => break now,
                    due => panic!("{due:?}"),
                }
            };
            assert!(end > at(8000) && end <= at(13_600), "closing {closing}: {:?}", end - at(0));
        }
    }

    #[test]
    fn a_close_waits_for_a_peer_that_acknowledges_data() {
        let (mut timers, at) = timers();
        timers.set_send_queue_known();
        timers.bytes_written(2 * 1024 * 1024, at(0));
        timers.set_closing(at(0));
        let (mut now, mut queued) = (at(0), 2 * 1024 * 1024_u32);
        let end = loop {
            match timers.poll(now) {
                Due::Nothing(Some(next)) => now = next,
                Due::SampleSendQueue => {
                    queued = queued.saturating_sub(20 * 1024);
                    timers.send_queue_sampled(Some(queued), now);
                }
                Due::Close => break now,
                due => panic!("{due:?}"),
            }
        };
        assert_eq!(queued, 0);
        assert!(end > at(60_000), "{:?}", end - at(0));
    }

    #[test]
    fn what_may_be_due_earlier_is_said_once() {
        const RATE: usize = 1024;
        type Step = fn(&mut Timers, Instant);
        const MUCH: usize = 64 * 1024;
        let steps: [(&str, Step, bool); 17] = [
            ("life behind little", |timers, now| timers.bytes_received(now), false),
            (
                "life behind much",
                |timers, now| {
                    timers.bytes_written(RATE, now);
                    assert!(matches!(timers.poll(now), Due::Nothing(_)));
                    timers.bytes_received(now);
                },
                true,
            ),
            (
                "life behind much that was written since the timer was set",
                |timers, now| {
                    assert!(matches!(timers.poll(now), Due::Nothing(_)));
                    timers.bytes_written(RATE, now);
                    timers.bytes_received(now);
                },
                false,
            ),
            ("much is written", |timers, now| timers.bytes_written(MUCH, now), false),
            (
                "much is written, and what the peer acknowledges is known",
                |timers, now| {
                    timers.set_send_queue_known();
                    timers.bytes_written(MUCH, now);
                },
                true,
            ),
            (
                "the answer to a ping behind much",
                |timers, now| {
                    timers.bytes_written(MUCH, now);
                    timers.ping_sent(1, now);
                    assert!(matches!(timers.poll(now), Due::Nothing(_)));
                    assert!(timers.pong_received(&1_u64.to_be_bytes(), now).is_some());
                },
                true,
            ),
            (
                "the answer to a ping behind less, for which any sign of life counts",
                |timers, now| {
                    timers.bytes_written(RATE, now);
                    timers.ping_sent(1, now);
                    assert!(matches!(timers.poll(now), Due::Nothing(_)));
                    assert!(timers.pong_received(&1_u64.to_be_bytes(), now).is_some());
                },
                false,
            ),
            ("all is written", |timers, _| timers.write_done(), false),
            (
                "all is written while closing",
                |timers, now| {
                    timers.set_closing(now);
                    timers.write_done();
                },
                false,
            ),
            (
                "all is written at last while closing",
                |timers, now| {
                    timers.set_closing(now);
                    timers.write_blocked(now);
                    timers.write_done();
                },
                true,
            ),
            (
                "all is written before a ping is awaited",
                |timers, now| {
                    timers.write_blocked(now);
                    timers.write_done();
                },
                false,
            ),
            (
                "all is written, and what the peer acknowledges is known",
                |timers, now| {
                    timers.set_send_queue_known();
                    timers.write_blocked(now);
                    timers.write_done();
                },
                true,
            ),
            (
                "all is written behind a ping, whose answer had more time until then",
                |timers, now| {
                    timers.liveness.pinged(now);
                    timers.write_blocked(now);
                    timers.write_done();
                },
                true,
            ),
            (
                "data is accepted behind a ping, at once",
                |timers, now| {
                    timers.liveness.pinged(now);
                    timers.write_blocked(now);
                    timers.bytes_written(1, now);
                },
                true,
            ),
            (
                "data is accepted while closing, at once",
                |timers, now| {
                    timers.set_closing(now);
                    timers.write_blocked(now);
                    timers.bytes_written(1, now);
                },
                true,
            ),
            (
                "all is written by a peer that was seen to be slow",
                |timers, now| {
                    timers.write_blocked(now);
                    assert!(!timers.send_queue_sampled(Some(1000), now));
                    assert!(timers.send_queue_sampled(Some(900), now));
                    timers.write_done();
                },
                true,
            ),
            ("a deadline", |timers, now| timers.set_deadline(Some(now)), true),
        ];
        for (what, step, earlier) in steps {
            let (mut timers, at) = timers();
            step(&mut timers, at(1));
            assert_eq!((timers.take_earlier(), timers.take_earlier()), (earlier, false), "{what}");
        }
        let (mut timers, at) = timers();
        timers.set_deadline(Some(at(9)));
        timers.write_done();
        assert!(timers.take_earlier(), "and stays until it is asked for");
    }

    #[test]
    fn a_rate_limit_that_is_reached_sets_the_timer_anew() {
        for (per_second, is_within) in [(1, false), (2, true)] {
            for limit in [RateLimit::new().messages(per_second), RateLimit::new().bytes(per_second)] {
                let start = Instant::now();
                let mut timers = Timers::new(Keepalive::default(), &Limits::default().rate_limit(limit), start);
                let allowed = timers.count_bytes(1, start) && timers.count_message(start);
                assert_eq!((allowed, timers.take_earlier()), (is_within, !is_within));
            }
        }
    }

    #[test]
    fn reading_and_its_pause_are_limits_of_their_own() {
        let (mut timers, at) = timers();
        let reading = timers.running();
        assert!(!timers.is_read_paused());
        timers.set_read_paused(true, at(1));
        let paused = timers.running();
        assert!(timers.is_read_paused() && reading & paused == 0 && reading.count_ones() + paused.count_ones() == 2);
        timers.set_mid_message(true, at(1));
        assert_eq!(timers.running().count_ones(), 2);
        assert_eq!(timers.running() & paused, paused);
    }

    #[test]
    fn while_closing_the_bytes_before_it_still_count() {
        let (mut timers, at) = timers();
        timers.set_closing(at(0));
        timers.bytes_written(10 * 1024, at(0));
        timers.bytes_received(at(1));
        assert!(matches!(timers.poll(at(1)), Due::Nothing(Some(due)) if due == at(15_000)));
        let (mut timers, at) = self::timers();
        timers.bytes_written(100 * 1024, at(0));
        timers.ping_sent(1, at(0));
        timers.set_closing(at(0));
        timers.bytes_written(10 * 1024, at(0));
        assert!(timers.pong_received(&1_u64.to_be_bytes(), at(1)).is_some());
        assert!(matches!(timers.poll(at(1)), Due::Nothing(Some(due)) if due == at(29_000)));
        let (mut timers, at) = self::timers();
        timers.set_closing(at(0));
        timers.bytes_written(10 * 1024, at(0));
        timers.bytes_written(0, at(1000));
        assert!(matches!(timers.poll(at(1000)), Due::Nothing(Some(due)) if due == at(16_000)));
    }

    #[test]
    fn a_transport_that_refuses_data_has_the_write_time() {
        let (mut timers, at) = timers();
        timers.bytes_written(2 * 1024 * 1024, at(0));
        timers.write_blocked(at(1000));
        check_timeout(timers, at(1000), at(11_000));
        let (mut timers, at) = self::timers();
        timers.write_blocked(at(0));
        timers.bytes_written(100, at(8000));
        timers.write_blocked(at(8000));
        check_timeout(timers, at(8000), at(18_000));
    }
}
