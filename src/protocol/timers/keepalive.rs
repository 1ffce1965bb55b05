//! The settings of the keepalive.

use std::time::Duration;

use crate::longest::LONGEST;

/// How a connection is kept alive, and how a peer that is gone is detected.
///
/// Whenever nothing has arrived from the peer for `interval`, a ping is sent (RFC 6455 §5.5.2); browsers answer it without
/// any script, in hidden tabs too. If nothing arrives for `timeout`, the connection ends with
/// [`ErrorKind::KeepaliveTimeout`](crate::ErrorKind::KeepaliveTimeout). Any byte from the peer resets the timeout. So does
/// accepting data after a write was blocked: on a slow link, a ping arrives only after that data. The timeout does not run
/// while nothing is read, because the handler leaves messages unread or a [`RateLimit`](crate::RateLimit) pauses reading.
/// After large amounts of data, a peer has more time, up to 29 s in all:
/// see [`Limits::min_data_rate`](crate::Limits::min_data_rate) and [`Limits::write_timeout`](crate::Limits::write_timeout).
///
/// The peer's own pings are always answered, whatever these settings, also while messages are unread. If an answer cannot be
/// written within 2 s, the connection ends with [`ErrorKind::WriteTimeout`](crate::ErrorKind::WriteTimeout).
///
/// Defaults: interval 3 s, timeout 5 s, as in the Go package. An idle connection costs one small frame in each direction per
/// interval; with very many idle connections, choose longer times.
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
    pub(super) interval: Option<Duration>,
    pub(super) timeout: Option<Duration>,
    text_heartbeat: bool,
}

impl Default for Keepalive {
    fn default() -> Self {
        Self { interval: Some(Duration::from_secs(3)), timeout: Some(Duration::from_secs(5)), text_heartbeat: false }
    }
}

impl Keepalive {
    /// No pings and no timeout: a peer that vanished is noticed only when a write to it is blocked for
    /// [`Limits::write_timeout`](crate::Limits::write_timeout).
    pub fn disabled() -> Self {
        Self { interval: None, timeout: None, text_heartbeat: false }
    }

    /// How long the peer may be silent before a ping is sent. 3 s by default. It should be less than half of the
    /// [`timeout`](Self::timeout); if it is not shorter than that, no ping is sent at all.
    ///
    /// # Panics
    ///
    /// If it is less than 1 ms.
    #[track_caller]
    pub fn interval(mut self, interval: Duration) -> Self {
        assert!(interval >= SHORTEST, "a keepalive interval must be 1 ms or longer");
        self.interval = Some(interval.min(LONGEST));
        self
    }

    /// How long the peer may be silent before the connection ends. 5 s by default.
    ///
    /// It should exceed the interval by more than the slowest round trip.
    ///
    /// # Panics
    ///
    /// If it is less than 1 ms.
    #[track_caller]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        assert!(timeout >= SHORTEST, "a keepalive timeout must be 1 ms or longer");
        self.timeout = Some(timeout.min(LONGEST));
        self
    }

    /// The [`interval`](Self::interval), or `None` where no pings are sent.
    #[must_use]
    pub fn get_interval(&self) -> Option<Duration> {
        self.interval
    }

    /// The [`timeout`](Self::timeout), or `None` where there is none.
    #[must_use]
    pub fn get_timeout(&self) -> Option<Duration> {
        self.timeout
    }

    /// Whether [`text_heartbeat`](Self::text_heartbeat) is on.
    #[must_use]
    pub fn get_text_heartbeat(&self) -> bool {
        self.text_heartbeat
    }

    /// Also answers the text message `ping` with the text message `pong` and hides it from the handler, for clients
    /// that were written for the Go package. Off by default.
    pub fn text_heartbeat(mut self) -> Self {
        self.text_heartbeat = true;
        self
    }

    pub(crate) fn answers_text(self) -> bool {
        self.text_heartbeat
    }

    /// How long after the beginning the first ping or the timeout is due, if ever.
    pub(crate) fn first_due(self) -> Option<Duration> {
        [self.interval, self.timeout].into_iter().flatten().min()
    }
}

/// With a shorter time, the connection's task would be a busy loop.
const SHORTEST: Duration = Duration::from_millis(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_can_be_read_and_too_short_ones_panic() {
        let keepalive = Keepalive::default().interval(Duration::from_secs(20)).timeout(Duration::from_secs(45));
        assert_eq!(keepalive.get_interval(), Some(Duration::from_secs(20)));
        assert_eq!(keepalive.get_timeout(), Some(Duration::from_secs(45)));
        assert!(!keepalive.get_text_heartbeat() && keepalive.text_heartbeat().get_text_heartbeat());
        assert_eq!(Keepalive::disabled().get_interval().or(Keepalive::disabled().get_timeout()), None);
        for set in [Keepalive::interval, Keepalive::timeout] {
            assert!(std::panic::catch_unwind(|| set(Keepalive::default(), Duration::ZERO)).is_err());
        }
    }
}
