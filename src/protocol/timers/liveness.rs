//! When to send a ping, and when a silent peer times out. Sans-I/O: the time is passed in.

use std::time::Duration;

use tokio::time::Instant;

use super::keepalive::Keepalive;

/// When a peer last showed that it is alive, and when it was pinged.
#[derive(Debug)]
pub(crate) struct Liveness {
    settings: Keepalive,
    /// When the peer last sent or accepted data.
    last_seen: Instant,
    last_ping: Instant,
    /// The first ping after `last_seen`.
    first_ping: Option<Instant>,
    /// Nothing is read, so that silence does not count.
    read_paused: bool,
}

impl Liveness {
    pub(crate) fn new(settings: Keepalive, now: Instant) -> Self {
        Self { settings, last_seen: now, last_ping: now, first_ping: None, read_paused: false }
    }

    /// Called when the peer has sent or accepted data.
    #[inline]
    pub(crate) fn seen(&mut self, now: Instant) {
        self.last_seen = now;
        self.first_ping = None;
    }

    /// Called when reading stops or continues.
    pub(crate) fn set_read_paused(&mut self, paused: bool, now: Instant) {
        if self.read_paused && !paused {
            // The timeout begins again: what the peer sent in between has not been read yet.
            self.seen(now);
        }
        self.read_paused = paused;
    }

    /// Whether nothing is read, so that silence does not count.
    pub(crate) fn is_read_paused(&self) -> bool {
        self.read_paused
    }

    /// When the next ping is due, if ever.
    pub(crate) fn ping_due(&self) -> Option<Instant> {
        self.settings.interval.map(|interval| self.last_seen.max(self.last_ping) + interval)
    }

    /// Called when a ping is sent.
    pub(crate) fn pinged(&mut self, now: Instant) {
        self.last_ping = now;
        self.first_ping.get_or_insert(now);
    }

    /// Whether a ping was sent, and nothing has arrived since then.
    #[inline]
    pub(crate) fn awaits_answer(&self) -> bool {
        self.first_ping.is_some()
    }

    /// When the peer times out, if ever. It always has `timeout - interval` to answer a ping: if the ping was late, because our
    /// thread was blocked, so is this.
    pub(crate) fn expiry(&self) -> Option<Instant> {
        let timeout = self.settings.timeout.filter(|_| !self.read_paused)?;
        let silent = self.last_seen + timeout;
        match self.settings.interval {
            Some(interval) if interval < timeout => Some(silent.max(self.first_ping? + (timeout - interval))),
            _ => Some(silent),
        }
    }

    /// How much later the peer times out because it must read `backlog` bytes before our ping.
    pub(crate) fn allowance(&self, backlog: u64, rate: u64) -> Duration {
        let timeout = self.settings.timeout.unwrap_or_default();
        time_for(backlog, rate).min(LONGEST_SILENCE.saturating_sub(timeout))
    }
}

/// The time for these bytes at this rate, in whole seconds, rounded down.
pub(crate) fn time_for(bytes: u64, rate: u64) -> Duration {
    Duration::from_secs(bytes / rate.max(1))
}

/// A peer that is silent for this time has timed out, whatever its backlog. Buffers between us and the peer contain a few
/// megabytes, which a peer at 100 KiB/s reads in this time.
pub(crate) const LONGEST_SILENCE: Duration = Duration::from_secs(29);

#[cfg(test)]
mod tests {
    use super::*;

    fn at(start: Instant, millis: u64) -> Instant {
        start + Duration::from_millis(millis)
    }

    /// What a connection does at this time.
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
    fn after_a_blocked_thread_a_ping_is_sent_before_the_timeout() {
        let start = Instant::now();
        let mut liveness = Liveness::new(Keepalive::default(), start);
        assert_eq!(poll(&mut liveness, at(start, 7400)), Due::Ping);
        assert_eq!(poll(&mut liveness, at(start, 7401)), Due::Nothing(Some(at(start, 9400))));
        assert_eq!(poll(&mut liveness, at(start, 9400)), Due::Expired);
    }

    #[test]
    fn data_from_the_peer_resets_the_timeout_of_a_ping() {
        let start = Instant::now();
        let mut liveness = Liveness::new(Keepalive::default(), start);
        assert_eq!(poll(&mut liveness, at(start, 3000)), Due::Ping);
        liveness.seen(at(start, 4000));
        // The next ping is late, and the peer still has the full time to answer.
        assert_eq!(poll(&mut liveness, at(start, 8500)), Due::Ping);
        assert_eq!(poll(&mut liveness, at(start, 8501)), Due::Nothing(Some(at(start, 10_500))));
    }

    #[test]
    fn pings_at_short_intervals_do_not_delay_the_timeout() {
        let start = Instant::now();
        let settings = Keepalive::default().interval(Duration::from_secs(1));
        let mut liveness = Liveness::new(settings, start);
        for second in 1..5 {
            assert_eq!(poll(&mut liveness, at(start, second * 1000)), Due::Ping);
        }
        assert_eq!(poll(&mut liveness, at(start, 5000)), Due::Expired);
    }

    #[test]
    fn anything_that_arrives_resets_the_timeout() {
        let start = Instant::now();
        let mut liveness = Liveness::new(Keepalive::default(), start);
        for second in 1..60 {
            liveness.seen(at(start, second * 1000));
            assert!(matches!(poll(&mut liveness, at(start, second * 1000 + 999)), Due::Nothing(_)));
        }
    }

    #[test]
    fn silence_does_not_count_while_reading_is_paused() {
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
    fn a_disabled_keepalive_has_no_timers() {
        let start = Instant::now();
        let mut liveness = Liveness::new(Keepalive::disabled(), start);
        assert_eq!(poll(&mut liveness, at(start, 10_000_000)), Due::Nothing(None));
    }
}
