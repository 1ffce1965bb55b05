//! When to ping, and when a silent peer has timed out. Sans-I/O: the time is passed in.

use std::time::Duration;

use tokio::time::Instant;

use super::keepalive::Keepalive;

/// The liveness of one peer.
#[derive(Debug)]
pub(crate) struct Liveness {
    settings: Keepalive,
    last_seen: Instant,
    last_ping: Instant,
    /// The first ping since then.
    first_ping: Option<Instant>,
    /// Nothing is being read, so that nothing can be seen.
    read_paused: bool,
}

impl Liveness {
    pub(crate) fn new(settings: Keepalive, now: Instant) -> Self {
        Self { settings, last_seen: now, last_ping: now, first_ping: None, read_paused: false }
    }

    /// Something arrived.
    #[inline]
    pub(crate) fn seen(&mut self, now: Instant) {
        self.last_seen = now;
        self.first_ping = None;
    }

    /// Reading stops, or goes on.
    pub(crate) fn set_read_paused(&mut self, paused: bool, now: Instant) {
        if self.read_paused && !paused {
            // The peer gets the whole timeout again: what it sent in between is still on its way through our buffers.
            self.seen(now);
        }
        self.read_paused = paused;
    }

    /// Whether nothing is being read, so that silence does not count.
    pub(crate) fn is_read_paused(&self) -> bool {
        self.read_paused
    }

    /// When the next ping is due, if ever.
    pub(crate) fn ping_due(&self) -> Option<Instant> {
        self.settings.interval.map(|interval| self.last_seen.max(self.last_ping) + interval)
    }

    /// A ping is sent.
    pub(crate) fn pinged(&mut self, now: Instant) {
        self.last_ping = now;
        self.first_ping.get_or_insert(now);
    }

    /// Whether a ping was sent, and nothing has arrived since then.
    #[inline]
    pub(crate) fn awaits_answer(&self) -> bool {
        self.first_ping.is_some()
    }

    /// When the peer times out, if ever. It always gets the time between a ping and the timeout to answer: where our own
    /// thread was blocked and the ping is late, so is this.
    pub(crate) fn expiry(&self) -> Option<Instant> {
        let timeout = self.settings.timeout.filter(|_| !self.read_paused)?;
        let silent = self.last_seen + timeout;
        match self.settings.interval {
            Some(interval) if interval < timeout => Some(silent.max(self.first_ping? + (timeout - interval))),
            _ => Some(silent),
        }
    }

    /// How much later the peer times out while it may be busy with `backlog` bytes of ours: our ping stands behind them.
    pub(crate) fn allowance(&self, backlog: u64, rate: u64) -> Duration {
        let timeout = self.settings.timeout.unwrap_or_default();
        time_for(backlog, rate).min(LONGEST_SILENCE.saturating_sub(timeout))
    }
}

/// How long so many bytes take at this rate, in whole seconds: a few bytes take no time.
pub(crate) fn time_for(bytes: u64, rate: u64) -> Duration {
    Duration::from_secs(bytes / rate.max(1))
}

/// However much was written, a peer that shows no life for so long has timed out. Buffers between us and the peer hold some
/// megabytes: what a peer that reads 100 KiB/s gets through in this time.
pub(crate) const LONGEST_SILENCE: Duration = Duration::from_secs(29);

#[cfg(test)]
mod tests {
    use super::*;

    fn at(start: Instant, millis: u64) -> Instant {
        start + Duration::from_millis(millis)
    }

    /// What a connection would do at this time.
    #[derive(Debug, PartialEq)]
    enum Due {
        Expired,
        Nothing(Option<Instant>),
        Ping,
    }

    fn poll(liveness: &mut Liveness, now: Instant) -> Due {
        let (expiry, ping) = (liveness.expiry(), liveness.ping_due());
        if expiry.is_some_and(|expiry| expiry <= now) {
            return Due::Expired;
        }
        if ping.is_some_and(|ping| ping <= now) {
            liveness.pinged(now);
            return Due::Ping;
        }
        Due::Nothing([expiry, ping].into_iter().flatten().min())
    }

    #[test]
    fn a_peer_that_may_be_busy_gets_more_time_within_bounds() {
        let liveness = Liveness::new(Keepalive::default(), Instant::now());
        for (backlog, millis) in [(0, 0), (1024, 1000), (10 * 1024, 10_000), (u64::MAX, 24_000)] {
            assert_eq!(liveness.allowance(backlog, 1024), Duration::from_millis(millis));
        }
        let patient = Keepalive::default().timeout(Duration::from_secs(45));
        assert_eq!(Liveness::new(patient, Instant::now()).allowance(u64::MAX, 1024), Duration::ZERO);
    }

    #[test]
    fn pings_after_an_interval_of_silence_and_expires_after_the_timeout() {
        let start = Instant::now();
        let mut liveness = Liveness::new(Keepalive::default(), start);
        assert_eq!(poll(&mut liveness, at(start, 2999)), Due::Nothing(Some(at(start, 3000))));
        assert_eq!(poll(&mut liveness, at(start, 3000)), Due::Ping);
        assert_eq!(poll(&mut liveness, at(start, 3001)), Due::Nothing(Some(at(start, 5000))));
        assert_eq!(poll(&mut liveness, at(start, 5000)), Due::Expired);
    }

    #[test]
    fn a_thread_that_was_blocked_asks_before_it_gives_the_peer_up() {
        let start = Instant::now();
        let mut liveness = Liveness::new(Keepalive::default(), start);
        assert_eq!(poll(&mut liveness, at(start, 7400)), Due::Ping);
        assert_eq!(poll(&mut liveness, at(start, 7401)), Due::Nothing(Some(at(start, 9400))));
        assert_eq!(poll(&mut liveness, at(start, 9400)), Due::Expired);
    }

    #[test]
    fn life_ends_what_a_ping_before_it_began() {
        let start = Instant::now();
        let mut liveness = Liveness::new(Keepalive::default(), start);
        assert_eq!(poll(&mut liveness, at(start, 3000)), Due::Ping);
        liveness.seen(at(start, 4000));
        // The next ping is late, and the peer has its time to answer all the same.
        assert_eq!(poll(&mut liveness, at(start, 8500)), Due::Ping);
        assert_eq!(poll(&mut liveness, at(start, 8501)), Due::Nothing(Some(at(start, 10_500))));
    }

    #[test]
    fn pings_at_short_intervals_do_not_put_the_end_off() {
        let start = Instant::now();
        let settings = Keepalive::default().interval(Duration::from_secs(1));
        let mut liveness = Liveness::new(settings, start);
        for second in 1..5 {
            assert_eq!(poll(&mut liveness, at(start, second * 1000)), Due::Ping);
        }
        assert_eq!(poll(&mut liveness, at(start, 5000)), Due::Expired);
    }

    #[test]
    fn anything_that_arrives_counts_as_life() {
        let start = Instant::now();
        let mut liveness = Liveness::new(Keepalive::default(), start);
        for second in 1..60 {
            liveness.seen(at(start, second * 1000));
            assert!(matches!(poll(&mut liveness, at(start, second * 1000 + 999)), Due::Nothing(_)));
        }
    }

    #[test]
    fn silence_is_not_held_against_the_peer_while_reading_is_paused() {
        let start = Instant::now();
        let mut liveness = Liveness::new(Keepalive::default(), start);
        liveness.set_read_paused(true, at(start, 100));
        assert_eq!(poll(&mut liveness, at(start, 3000)), Due::Ping);
        assert_eq!(poll(&mut liveness, at(start, 5999)), Due::Nothing(Some(at(start, 6000))));
        assert_eq!(poll(&mut liveness, at(start, 600_000)), Due::Ping);
        liveness.set_read_paused(false, at(start, 600_500));
        assert_eq!(poll(&mut liveness, at(start, 603_500)), Due::Ping);
        assert_eq!(poll(&mut liveness, at(start, 605_499)), Due::Nothing(Some(at(start, 605_500))));
        assert_eq!(poll(&mut liveness, at(start, 605_500)), Due::Expired);
    }

    #[test]
    fn without_a_ping_before_it_the_timeout_counts_alone() {
        let start = Instant::now();
        for interval in [5, 10] {
            let settings = Keepalive::default().interval(Duration::from_secs(interval));
            let mut liveness = Liveness::new(settings, start);
            assert_eq!(settings.first_due(), Some(Duration::from_secs(5)));
            assert_eq!(poll(&mut liveness, at(start, 4999)), Due::Nothing(Some(at(start, 5000))));
            assert_eq!(poll(&mut liveness, at(start, 5000)), Due::Expired);
        }
        assert_eq!(Keepalive::default().first_due(), Some(Duration::from_secs(3)));
        assert_eq!(Keepalive::disabled().first_due(), None);
    }

    #[test]
    fn a_disabled_keepalive_asks_for_nothing() {
        let start = Instant::now();
        let mut liveness = Liveness::new(Keepalive::disabled(), start);
        assert_eq!(poll(&mut liveness, at(start, 10_000_000)), Due::Nothing(None));
    }
}
