//! How long a client waits before it reconnects. Sans-I/O: the time is passed in.

use std::time::Duration;

/// The delays of [`Sessions`](super::Sessions) before they reconnect.
///
/// The delay before each attempt is chosen at random between zero and a limit that doubles with each failure ("full
/// jitter"), so that not all clients of a server that was restarted reconnect at the same moment. Delays that the server
/// requests are added: see [`Sessions`](super::Sessions).
///
/// ```
/// use std::time::Duration;
/// use tower_websocket::Backoff;
///
/// let backoff = Backoff::default().initial(Duration::from_millis(500)).max(Duration::from_secs(20)).max_failures(10);
/// assert_eq!(backoff.get_max(), Duration::from_secs(20));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Backoff {
    initial: Duration,
    max: Duration,
    healthy_after: Duration,
    restart: (Duration, Duration),
    max_failures: Option<u32>,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            initial: Duration::from_secs(1),
            max: Duration::from_secs(60),
            healthy_after: Duration::from_secs(30),
            restart: (Duration::from_secs(5), Duration::from_secs(30)),
            max_failures: None,
        }
    }
}

impl Backoff {
    /// The longest delay before the first new attempt. 1 s by default.
    ///
    /// # Panics
    ///
    /// If it is zero: clients would connect in a busy loop.
    #[track_caller]
    pub fn initial(mut self, time: Duration) -> Self {
        assert!(!time.is_zero(), "a backoff must begin above zero");
        self.initial = time;
        self
    }

    /// The longest delay, however many attempts have failed. 60 s by default. It limits the [`initial`](Self::initial) one too.
    ///
    /// # Panics
    ///
    /// If it is zero: clients would connect in a busy loop.
    #[track_caller]
    pub fn max(mut self, time: Duration) -> Self {
        assert!(!time.is_zero(), "a backoff must stay above zero");
        self.max = time;
        self
    }

    /// A session of this length resets the number of failures. 30 s by default. With zero, every session does.
    pub fn healthy_after(mut self, time: Duration) -> Self {
        self.healthy_after = time;
        self
    }

    /// The shortest and the longest delay after the close codes 1012 (service restart) and 1013 (try again later). 5 to 30
    /// s by default, as the IANA registration of 1012 recommends.
    ///
    /// # Panics
    ///
    /// If the shortest is longer than the longest.
    #[track_caller]
    pub fn after_restart(mut self, shortest: Duration, longest: Duration) -> Self {
        assert!(shortest <= longest, "the shortest delay must not be longer than the longest");
        self.restart = (shortest, longest);
        self
    }

    /// After this many failures in a row the sessions end, and the last error is returned. No limit by default.
    ///
    /// A failure is an attempt to connect, or a session that did not last for [`healthy_after`](Self::healthy_after).
    ///
    /// # Panics
    ///
    /// If it is zero: with one, the first failure is the last.
    #[track_caller]
    pub fn max_failures(mut self, failures: u32) -> Self {
        assert!(failures > 0, "sessions end with a failure, so that the number of failures must not be zero");
        self.max_failures = Some(failures);
        self
    }

    /// See [`initial`](Self::initial).
    #[must_use]
    pub fn get_initial(&self) -> Duration {
        self.initial
    }

    /// See [`max`](Self::max).
    #[must_use]
    pub fn get_max(&self) -> Duration {
        self.max
    }

    /// See [`healthy_after`](Self::healthy_after).
    #[must_use]
    pub fn get_healthy_after(&self) -> Duration {
        self.healthy_after
    }

    /// See [`after_restart`](Self::after_restart).
    #[must_use]
    pub fn get_after_restart(&self) -> (Duration, Duration) {
        self.restart
    }

    /// See [`max_failures`](Self::max_failures).
    #[must_use]
    pub fn get_max_failures(&self) -> Option<u32> {
        self.max_failures
    }
}

/// The delay that the server has requested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hint {
    None,
    /// By the close codes 1012 and 1013.
    Restart,
    /// By `Retry-After`.
    After(Duration),
}

/// The failures since the last healthy session.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Failures(u32);

impl Failures {
    /// Called when a session has ended, which has lasted for this time.
    pub(super) fn session_ended(&mut self, lasted: Duration, backoff: &Backoff) {
        if lasted >= backoff.healthy_after {
            self.0 = 0;
        } else {
            self.attempt_failed();
        }
    }

    pub(super) fn attempt_failed(&mut self) {
        self.0 = self.0.saturating_add(1);
    }

    /// Whether the limit is reached.
    pub(super) fn are_too_many(&self, backoff: &Backoff) -> bool {
        backoff.max_failures.is_some_and(|max| self.0 >= max)
    }

    /// The delay before the next attempt. `random` is in `0.0..1.0`.
    pub(super) fn delay(&self, hint: Hint, backoff: &Backoff, random: f64) -> Duration {
        let doubled = 2_u32.saturating_pow(self.0.saturating_sub(1));
        let jitter = backoff.initial.saturating_mul(doubled).min(backoff.max).mul_f64(random);
        match hint {
            Hint::None => jitter,
            Hint::Restart => {
                let (shortest, longest) = backoff.restart;
                shortest + (longest - shortest).mul_f64(random).max(jitter.saturating_sub(shortest))
            }
            Hint::After(time) => time.min(LONGEST_HINT) + jitter,
        }
    }
}

/// The longest delay that a server can request.
const LONGEST_HINT: Duration = Duration::from_secs(60 * 60);

#[cfg(test)]
mod tests {
    use super::*;

    const fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn what_was_set_can_be_read_and_what_would_be_a_busy_loop_panics() {
        let backoff = Backoff::default().initial(secs(2)).max(secs(9)).healthy_after(secs(7));
        let backoff = backoff.after_restart(secs(3), secs(4)).max_failures(5);
        assert_eq!(
            (backoff.get_initial(), backoff.get_max(), backoff.get_healthy_after()),
            (secs(2), secs(9), secs(7))
        );
        assert_eq!((backoff.get_after_restart(), backoff.get_max_failures()), ((secs(3), secs(4)), Some(5)));
        assert_eq!(Backoff::default().get_max_failures(), None);
        for set in [Backoff::initial, Backoff::max] {
            assert!(std::panic::catch_unwind(|| set(Backoff::default(), secs(0))).is_err());
        }
        assert!(std::panic::catch_unwind(|| Backoff::default().after_restart(secs(2), secs(1))).is_err());
        assert!(std::panic::catch_unwind(|| Backoff::default().max_failures(0)).is_err());
        let backoff = Backoff::default().initial(secs(3)).max(secs(2));
        assert_eq!(Failures::default().delay(Hint::None, &backoff, 1.0), secs(2));
    }

    #[test]
    fn the_limit_doubles_up_to_the_longest_delay() {
        let backoff = Backoff::default();
        let mut failures = Failures::default();
        for limit in [1, 1, 2, 4, 8, 16, 32, 60, 60] {
            assert_eq!(failures.delay(Hint::None, &backoff, 0.0), secs(0));
            assert_eq!(failures.delay(Hint::None, &backoff, 0.5), secs(limit) / 2);
            failures.attempt_failed();
        }
        failures.0 = u32::MAX;
        failures.attempt_failed();
        assert_eq!(failures.delay(Hint::None, &backoff, 0.5), secs(30));
    }

    #[test]
    fn a_healthy_session_lets_earlier_failures_be_forgotten() {
        let backoff = Backoff::default().max_failures(3);
        let mut failures = Failures(2);
        failures.session_ended(secs(30), &backoff);
        assert_eq!(failures.0, 0);
        for short in [secs(0), secs(1), secs(29)] {
            assert!(!failures.are_too_many(&backoff));
            failures.session_ended(short, &backoff);
        }
        assert!(failures.are_too_many(&backoff));
        assert!(!failures.are_too_many(&Backoff::default()));
    }

    #[test]
    fn what_the_server_asks_for_is_obeyed() {
        let backoff = Backoff::default();
        for (failures, hint, random, delay) in [
            (0, Hint::Restart, 0.0, secs(5)),
            (0, Hint::Restart, 0.999_999, secs(30)),
            (9, Hint::Restart, 0.999_999, secs(60)),
            (0, Hint::After(secs(7)), 0.0, secs(7)),
            (0, Hint::After(secs(7)), 0.999_999, secs(8)),
            (0, Hint::After(secs(1_000_000)), 0.0, secs(3600)),
        ] {
            let chosen = Failures(failures).delay(hint, &backoff, random);
            assert!(chosen.abs_diff(delay) < Duration::from_millis(1), "{failures} {hint:?} {random}: {chosen:?}");
        }
    }

    #[test]
    fn the_clients_of_a_server_that_was_killed_come_back_spread_out() {
        let backoff = Backoff::default();
        for (failures, hint, longest) in
            [(1, Hint::None, secs(1)), (5, Hint::None, secs(16)), (0, Hint::Restart, secs(25))]
        {
            let mut delays: Vec<_> =
                (0..1000).map(|_| Failures(failures).delay(hint, &backoff, rand::random())).collect();
            delays.sort_unstable();
            let start = delays[0];
            // Of a thousand, each tenth of the time sees between 50 and 150.
            for tenth in 0..10 {
                let range = start + longest * tenth / 10..start + longest * (tenth + 1) / 10;
                let returns = delays.iter().filter(|delay| range.contains(*delay)).count();
                assert!((50..=150).contains(&returns), "{hint:?}: {returns} in {range:?}");
            }
        }
    }
}
