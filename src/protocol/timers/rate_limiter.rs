//! Whether a peer sends more than it may. Sans-I/O: the time is passed in.
//!
//! This is the generic cell rate algorithm (ITU-T I.371): one instant says how far a peer is ahead of its rate. Existing crates
//! decide in advance whether something may happen, with a clock of their own. Here data has already arrived: it is counted,
//! whatever its size, and the time is passed in.

use std::time::Duration;

use tokio::time::Instant;

use crate::rate_limit::{Excess, RateLimit};

/// Compares what a peer has sent with its limits.
#[derive(Debug)]
pub(crate) struct RateLimiter {
    messages: Option<Rate>,
    bytes: Option<Rate>,
    excess: Excess,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Within,
    /// Nothing is read before this time.
    Paused(Instant),
    /// The connection must be closed.
    Exceeded,
}

impl RateLimiter {
    /// `None` if nothing is limited.
    pub(super) fn new(limit: &RateLimit, now: Instant) -> Option<Box<Self>> {
        let rate = |per_second: Option<u32>| per_second.map(|per_second| Rate::new(per_second, limit.burst, now));
        let (messages, bytes) = (rate(limit.messages), rate(limit.bytes));
        let is_limited = messages.is_some() || bytes.is_some();
        is_limited.then(|| Box::new(Self { messages, bytes, excess: limit.excess, state: State::Within }))
    }

    /// Counts a message. Returns whether another may be received now.
    pub(super) fn message_received(&mut self, now: Instant) -> bool {
        if let Some(messages) = &mut self.messages {
            messages.take(1, now);
        }
        self.check(now)
    }

    /// Counts bytes that were read. Returns whether more may be read now.
    pub(super) fn bytes_received(&mut self, bytes: usize, now: Instant) -> bool {
        if let Some(rate) = &mut self.bytes {
            rate.take(bytes as u64, now);
        }
        self.check(now)
    }

    /// How many bytes may be read at once: at least one, while reading is not paused.
    pub(super) fn max_bytes(&self, now: Instant) -> usize {
        match (&self.bytes, self.excess) {
            (Some(rate), Excess::Pause) => usize::try_from(rate.free(now)).unwrap_or(usize::MAX).max(1),
            _ => usize::MAX,
        }
    }

    /// When reading continues, while it is paused.
    pub(super) fn resumes_at(&self) -> Option<Instant> {
        match self.state {
            State::Paused(until) => Some(until),
            State::Exceeded | State::Within => None,
        }
    }

    /// Ends a pause.
    pub(super) fn resume(&mut self) {
        self.state = State::Within;
    }

    /// Whether nothing may be read now.
    pub(super) fn is_paused(&self) -> bool {
        matches!(self.state, State::Paused(_))
    }

    /// Whether no message and no ping that has arrived may be received now.
    pub(super) fn holds_messages(&self, now: Instant) -> bool {
        self.is_paused() && self.messages.as_ref().is_some_and(|rate| rate.free(now) == 0)
    }

    /// Whether the connection must be closed.
    pub(super) fn is_exceeded(&self) -> bool {
        self.state == State::Exceeded
    }

    fn check(&mut self, now: Instant) -> bool {
        let rates = || [&self.messages, &self.bytes].into_iter().flatten();
        match self.excess {
            Excess::Close if rates().any(|rate| rate.is_exceeded(now)) => self.state = State::Exceeded,
            Excess::Pause if rates().any(|rate| rate.free(now) == 0) => {
                let resumes_at = rates().map(Rate::resumes_at).max().unwrap_or(now);
                self.state = State::Paused(resumes_at);
            }
            Excess::Close | Excess::Pause => {}
        }
        !self.is_paused()
    }
}

/// One rate, in units per second.
#[derive(Debug)]
struct Rate {
    per_second: u32,
    burst: Duration,
    /// When everything so far would have arrived if the peer kept to this rate.
    theoretical_arrival: Instant,
}

impl Rate {
    fn new(per_second: u32, burst: Duration, now: Instant) -> Self {
        let mut rate = Self { per_second, burst, theoretical_arrival: now };
        // The burst has at least one unit.
        rate.burst = burst.max(rate.time_for(1));
        rate
    }

    fn time_for(&self, units: u64) -> Duration {
        Duration::from_nanos(units.saturating_mul(NANOS_PER_SECOND).div_ceil(self.per_second.into()))
    }

    fn take(&mut self, units: u64, now: Instant) {
        self.theoretical_arrival = self.theoretical_arrival.max(now) + self.time_for(units);
    }

    /// Whether more has arrived than the rate and the burst allow.
    fn is_exceeded(&self, now: Instant) -> bool {
        self.theoretical_arrival > now + self.burst
    }

    /// How many units may arrive now.
    fn free(&self, now: Instant) -> u64 {
        let time = (now + self.burst).saturating_duration_since(self.theoretical_arrival).min(self.burst);
        let units = time.as_nanos() * u128::from(self.per_second) / u128::from(NANOS_PER_SECOND);
        u64::try_from(units).unwrap_or(u64::MAX)
    }

    /// When reading continues after a pause: when at least one unit may arrive, and not after less than [`MIN_PAUSE`].
    fn resumes_at(&self) -> Instant {
        let free = self.time_for(1).max(MIN_PAUSE).min(self.burst);
        let after = self.theoretical_arrival + free;
        after.checked_sub(self.burst).unwrap_or(after)
    }
}

const NANOS_PER_SECOND: u64 = 1_000_000_000;
/// Data of a peer that sends too much is read at most 20 times a second.
const MIN_PAUSE: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests {
    use super::*;

    fn limiter(limit: RateLimit) -> (RateLimiter, impl Fn(u64) -> Instant) {
        let start = Instant::now();
        let limiter = RateLimiter::new(&limit, start).unwrap();
        (*limiter, move |millis| start + Duration::from_millis(millis))
    }

    /// How many messages are received between two times, if each is received as soon as the limit allows.
    fn passed(limiter: &mut RateLimiter, at: impl Fn(u64) -> Instant, from: u64, until: u64) -> u64 {
        let (mut now, mut messages) = (at(from), 0);
        while now <= at(until) {
            messages += 1;
            if !limiter.message_received(now) {
                now = limiter.resumes_at().unwrap();
                limiter.resume();
            }
        }
        messages
    }

    #[test]
    fn no_more_messages_pass_than_the_burst_and_the_rate_allow() {
        for (rate, burst, seconds) in [(10, 1, 10), (1000, 2, 5), (1, 1, 20), (1, 0, 20), (7, 100, 10)] {
            let (mut limiter, at) = limiter(RateLimit::new().messages(rate).burst(Duration::from_secs(burst)));
            let rate = u64::from(rate);
            let expected = (rate * burst).max(1) + rate * seconds;
            let passed = passed(&mut limiter, at, 0, seconds * 1000);
            // At `until`, the last pause may not have ended.
            let grain = (rate / 20).max(1);
            assert!(passed <= expected + 1 && passed + grain >= expected, "{rate}, {burst}: {passed} of {expected}");
        }
    }

    #[test]
    fn after_silence_no_more_than_the_burst_passes() {
        let (mut limiter, at) = limiter(RateLimit::new().messages(10));
        assert_eq!(passed(&mut limiter, &at, 0, 0), 10);
        assert_eq!(passed(&mut limiter, &at, 60_000, 60_000), 10);
        assert_eq!(passed(&mut limiter, &at, 60_500, 60_500), 5);
    }

    #[test]
    fn reading_pauses_until_enough_may_arrive() {
        let (mut limiter, at) = limiter(RateLimit::new().bytes(1000));
        assert_eq!(limiter.max_bytes(at(0)), 1000);
        assert!(limiter.bytes_received(999, at(0)));
        assert_eq!(limiter.max_bytes(at(0)), 1);
        assert!(!limiter.bytes_received(1, at(0)) && limiter.is_paused() && !limiter.is_exceeded());
        // For 50 bytes, which are allowed after 50 ms.
        assert_eq!(limiter.resumes_at(), Some(at(50)));
        limiter.resume();
        assert_eq!(limiter.max_bytes(at(50)), 50);
    }

    #[test]
    fn more_than_the_burst_at_once_makes_the_pause_longer() {
        let (mut limiter, at) = limiter(RateLimit::new().bytes(1000).messages(1_000_000));
        assert!(!limiter.bytes_received(5000, at(0)));
        assert!(!limiter.message_received(at(0)));
        assert_eq!(limiter.resumes_at(), Some(at(4050)));
    }

    #[test]
    fn a_connection_is_closed_only_beyond_the_burst() {
        let (mut limiter, at) = limiter(RateLimit::new().messages(10).bytes(1000).on_excess(Excess::Close));
        assert_eq!(limiter.max_bytes(at(0)), usize::MAX);
        for _ in 0..10 {
            assert!(limiter.message_received(at(0)));
        }
        assert!(limiter.bytes_received(1000, at(0)) && limiter.message_received(at(100)));
        assert!(!limiter.is_exceeded());
        assert!(limiter.message_received(at(150)) && limiter.is_exceeded() && !limiter.is_paused());
        assert_eq!(limiter.resumes_at(), None);
    }

    #[test]
    fn the_highest_rates_limit_nothing() {
        let limit = RateLimit::new().messages(u32::MAX).bytes(u32::MAX).burst(Duration::MAX);
        let (mut limiter, at) = limiter(limit);
        assert!(limiter.bytes_received(usize::MAX >> 32, at(0)) && limiter.message_received(at(0)));
        assert!(RateLimiter::new(&RateLimit::new(), at(0)).is_none());
    }
}
