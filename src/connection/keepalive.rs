//! When to ping, and when to give a silent peer up. Knows no clock and no socket.

use std::time::Duration;

use tokio::time::Instant;

use crate::limits::LONGEST;

/// How a connection is kept alive, and how the end of a peer is noticed.
///
/// Every `interval` without anything from the peer, a ping is sent (RFC 6455 §5.5.2); browsers answer it without any
/// script, in hidden tabs too. If nothing at all arrives for `timeout`, the connection ends with
/// [`ErrorKind::KeepaliveTimeout`](crate::ErrorKind::KeepaliveTimeout). Any frame counts as life, and so does taking data
/// that had to wait: on a slow link a ping stands behind it. While the handler leaves messages unread, so that nothing can
/// be read, silence is not held against the peer.
///
/// The peer's own pings are answered whatever these settings, and while a message waits unread too. An answer must be on
/// its way within 2 s, or the connection ends with [`ErrorKind::WriteTimeout`](crate::ErrorKind::WriteTimeout).
///
/// Defaults: interval 3 s, timeout 5 s, as in the Go package. An idle connection costs one small frame each way per
/// interval; servers with very many idle connections take longer intervals.
///
/// ```
/// use std::time::Duration;
/// use tower_websocket::{Keepalive, Upgrader};
///
/// let keepalive = Keepalive::default().interval(Duration::from_secs(20)).timeout(Duration::from_secs(45));
/// let upgrader = Upgrader::new().keepalive(keepalive);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Keepalive {
    interval: Option<Duration>,
    timeout: Option<Duration>,
    text_heartbeat: bool,
}

impl Default for Keepalive {
    fn default() -> Self {
        Self { interval: Some(Duration::from_secs(3)), timeout: Some(Duration::from_secs(5)), text_heartbeat: false }
    }
}

impl Keepalive {
    /// No pings and no timeout: a peer that vanished is noticed only when a write to it stalls for
    /// [`Limits::write_timeout`](crate::Limits::write_timeout).
    pub fn disabled() -> Self {
        Self { interval: None, timeout: None, text_heartbeat: false }
    }

    /// How long the peer may be silent before it is sent a ping. 3 s by default; at least 1 ms.
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = Some(interval.clamp(SHORTEST, LONGEST));
        self
    }

    /// How long the peer may be silent before it is given up. 5 s by default; at least 1 ms.
    ///
    /// Choose it longer than the interval by at least the slowest round trip.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout.clamp(SHORTEST, LONGEST));
        self
    }

    /// Also answers the text message `ping` with the text message `pong` and hides it from the handler, for clients
    /// that were written for the Go package. Off by default.
    pub fn text_heartbeat(mut self) -> Self {
        self.text_heartbeat = true;
        self
    }

    pub(super) fn answers_text(self) -> bool {
        self.text_heartbeat
    }
}

/// A timer below this would be a busy loop.
const SHORTEST: Duration = Duration::from_millis(1);

/// What the peer's silence asks for now.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// The peer is to be given up.
    Expired,
    /// Nothing before this time, if ever.
    Nothing(Option<Instant>),
    /// A ping is to be sent now.
    Ping,
}

/// The liveness of one peer.
#[derive(Debug)]
pub(super) struct Liveness {
    settings: Keepalive,
    last_seen: Instant,
    last_ping: Instant,
    /// The first ping since then.
    asked: Option<Instant>,
    /// Nothing is being read, so nothing can be seen.
    paused: bool,
}

impl Liveness {
    pub(super) fn new(settings: Keepalive, now: Instant) -> Self {
        Self { settings, last_seen: now, last_ping: now, asked: None, paused: false }
    }

    /// When the first ping or the end is due, if ever.
    pub(super) fn first_due(&self) -> Option<Instant> {
        let after = [self.settings.interval, self.settings.timeout].into_iter().flatten().min();
        after.map(|after| self.last_seen + after)
    }

    /// Something arrived.
    pub(super) fn seen(&mut self, now: Instant) {
        self.last_seen = now;
        self.asked = None;
    }

    /// Reading stops, because the handler leaves messages unread, or goes on.
    pub(super) fn set_paused(&mut self, paused: bool, now: Instant) {
        if self.paused && !paused {
            // The peer gets the whole timeout again: what it sent in between is still on its way through our buffers.
            self.seen(now);
        }
        self.paused = paused;
    }

    /// Whether nothing is being read, so that silence does not count.
    pub(super) fn is_paused(&self) -> bool {
        self.paused
    }

    /// What is to be done at this time. A ping that is due is taken as sent.
    pub(super) fn poll(&mut self, now: Instant) -> Due {
        let expiry = self.expiry();
        if expiry.is_some_and(|expiry| expiry <= now) {
            return Due::Expired;
        }
        let ping = self.settings.interval.map(|interval| self.last_seen.max(self.last_ping) + interval);
        if ping.is_some_and(|ping| ping <= now) {
            self.last_ping = now;
            self.asked.get_or_insert(now);
            return Due::Ping;
        }
        Due::Nothing([expiry, ping].into_iter().flatten().min())
    }

    /// When the peer is given up. It always gets the time between a ping and the timeout to answer: where our own thread
    /// was blocked and the ping is late, so is this.
    fn expiry(&self) -> Option<Instant> {
        let timeout = self.settings.timeout.filter(|_| !self.paused)?;
        let silent = self.last_seen + timeout;
        match self.settings.interval {
            Some(interval) if interval < timeout => Some(silent.max(self.asked? + (timeout - interval))),
            _ => Some(silent),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(start: Instant, millis: u64) -> Instant {
        start + Duration::from_millis(millis)
    }

    #[test]
    fn pings_after_an_interval_of_silence_and_expires_after_the_timeout() {
        let start = Instant::now();
        let mut liveness = Liveness::new(Keepalive::default(), start);
        assert_eq!(liveness.poll(at(start, 2999)), Due::Nothing(Some(at(start, 3000))));
        assert_eq!(liveness.poll(at(start, 3000)), Due::Ping);
        assert_eq!(liveness.poll(at(start, 3001)), Due::Nothing(Some(at(start, 5000))));
        assert_eq!(liveness.poll(at(start, 5000)), Due::Expired);
    }

    #[test]
    fn a_thread_that_was_blocked_asks_before_it_gives_the_peer_up() {
        let start = Instant::now();
        let mut liveness = Liveness::new(Keepalive::default(), start);
        assert_eq!(liveness.poll(at(start, 7400)), Due::Ping);
        assert_eq!(liveness.poll(at(start, 7401)), Due::Nothing(Some(at(start, 9400))));
        assert_eq!(liveness.poll(at(start, 9400)), Due::Expired);
    }

    #[test]
    fn pings_at_short_intervals_do_not_put_the_end_off() {
        let start = Instant::now();
        let settings = Keepalive::default().interval(Duration::from_secs(1));
        let mut liveness = Liveness::new(settings, start);
        for second in 1..5 {
            assert_eq!(liveness.poll(at(start, second * 1000)), Due::Ping);
        }
        assert_eq!(liveness.poll(at(start, 5000)), Due::Expired);
    }

    #[test]
    fn anything_that_arrives_counts_as_life() {
        let start = Instant::now();
        let mut liveness = Liveness::new(Keepalive::default(), start);
        for second in 1..60 {
            liveness.seen(at(start, second * 1000));
            assert!(matches!(liveness.poll(at(start, second * 1000 + 999)), Due::Nothing(_)));
        }
    }

    #[test]
    fn silence_is_not_held_against_the_peer_while_reading_is_paused() {
        let start = Instant::now();
        let mut liveness = Liveness::new(Keepalive::default(), start);
        liveness.set_paused(true, at(start, 100));
        assert_eq!(liveness.poll(at(start, 3000)), Due::Ping);
        assert_eq!(liveness.poll(at(start, 5999)), Due::Nothing(Some(at(start, 6000))));
        assert_eq!(liveness.poll(at(start, 600_000)), Due::Ping);
        liveness.set_paused(false, at(start, 600_500));
        assert_eq!(liveness.poll(at(start, 603_500)), Due::Ping);
        assert_eq!(liveness.poll(at(start, 605_499)), Due::Nothing(Some(at(start, 605_500))));
        assert_eq!(liveness.poll(at(start, 605_500)), Due::Expired);
    }

    #[test]
    fn a_disabled_keepalive_asks_for_nothing() {
        let start = Instant::now();
        let mut liveness = Liveness::new(Keepalive::disabled(), start);
        assert_eq!(liveness.poll(at(start, 10_000_000)), Due::Nothing(None));
    }
}
