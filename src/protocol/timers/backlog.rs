//! Bytes that were sent and that the peer may not have read yet: they are in buffers on the way. Sans-I/O: the time is passed in.

use tokio::time::Instant;

use super::liveness::LONGEST_SILENCE;

/// The number of bytes written since the peer last showed that it has read everything before them.
///
/// If the backlog is small, anything from the peer shows that. If it is large ([`LARGE`]), only the pong for a ping that was sent
/// after it does: the peer may have sent anything else before it has read the backlog. A peer that is never silent gets no ping;
/// then the backlog counts as read after [`LONGEST_SILENCE`].
#[derive(Debug, Default)]
pub(super) struct Backlog {
    bytes: u64,
    /// The state of a large backlog. Its memory is kept while the backlog is small.
    large: Option<Box<Large>>,
}

#[derive(Debug)]
struct Large {
    /// When the backlog became large.
    since: Instant,
    /// When something last arrived from the peer.
    silent_since: Instant,
    probe: Option<Probe>,
}

/// A ping that is not answered yet, and the size of the backlog before it.
#[derive(Clone, Copy, Debug)]
struct Probe {
    number: u64,
    before: u64,
}

impl Backlog {
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// While the backlog is large: when something last arrived from the peer, or when the backlog became large.
    pub(super) fn large_and_silent_since(&self) -> Option<Instant> {
        self.large.as_ref().filter(|_| self.bytes >= LARGE).map(|large| large.silent_since)
    }

    /// Called when bytes were written. Returns whether the backlog has become large by that.
    #[inline]
    pub(super) fn written(&mut self, bytes: usize, now: Instant) -> bool {
        let before = self.bytes;
        self.bytes += bytes as u64;
        let is_new = before < LARGE && self.bytes >= LARGE;
        if is_new {
            self.begin(now);
        }
        is_new
    }

    /// Called when the backlog has become large.
    fn begin(&mut self, now: Instant) {
        let large = Large { since: now, silent_since: now, probe: None };
        match &mut self.large {
            Some(before) => **before = large,
            None => self.large = Some(Box::new(large)),
        }
    }

    /// The state of the backlog while it is large.
    #[inline]
    fn large(&mut self) -> Option<&mut Large> {
        if self.bytes >= LARGE { self.large.as_deref_mut() } else { None }
    }

    /// Called when something has arrived from the peer. Returns whether the whole backlog now counts as read.
    #[inline]
    pub(super) fn peer_seen(&mut self, now: Instant) -> bool {
        if let Some(large) = self.large()
            && (large.probe.is_some() || now.saturating_duration_since(large.since) < LONGEST_SILENCE)
        {
            large.silent_since = now;
            return false;
        }
        self.clear();
        true
    }

    /// Called when the peer has accepted data after a blocked write. What was written before may still be in buffers, where it
    /// cannot be observed: the peer gets a few seconds for it.
    pub(super) fn data_accepted(&mut self, rate: u64) {
        self.bytes = self.bytes.min(SECONDS_IN_BUFFERS * rate);
    }

    /// Called when a ping with this number was sent.
    pub(super) fn ping_sent(&mut self, number: u64) {
        let before = self.bytes;
        if let Some(large) = self.large() {
            large.probe.get_or_insert(Probe { number, before });
        }
    }

    /// Called when the ping with this number was answered. Returns whether that shows that the peer has read a large backlog.
    pub(super) fn ping_answered(&mut self, number: u64, now: Instant) -> bool {
        let probe = self.large().and_then(|large| large.probe.take_if(|probe| number >= probe.number));
        let Some(probe) = probe else { return false };
        let written_since = self.bytes.saturating_sub(probe.before);
        self.clear();
        self.written(usize::try_from(written_since).unwrap_or(usize::MAX), now);
        true
    }

    /// The whole backlog counts as read.
    #[inline]
    pub(super) fn clear(&mut self) {
        self.bytes = 0;
    }
}

/// How many seconds a peer may need for what is in buffers when a blocked write continues.
const SECONDS_IN_BUFFERS: u64 = 5;
/// From this size on, in bytes, a backlog is large. A peer reads a smaller one before its timeout.
const LARGE: u64 = 64 * 1024;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    #[test]
    fn anything_from_the_peer_ends_a_small_backlog() {
        let (mut backlog, now) = (Backlog::default(), Instant::now());
        for _ in 0..3 {
            assert!(!backlog.written(LARGE as usize - 1, now));
            assert_eq!((backlog.bytes(), backlog.large_and_silent_since()), (LARGE - 1, None));
            assert!(backlog.peer_seen(now));
            assert_eq!(backlog.bytes(), 0);
        }
    }

    #[test]
    fn a_large_backlog_stays_until_a_ping_after_it_is_answered() {
        let (mut backlog, start) = (Backlog::default(), Instant::now());
        backlog.ping_sent(1);
        assert!(backlog.written(LARGE as usize, start) && !backlog.written(1, start));
        assert!(!backlog.peer_seen(at(start, 1)) && !backlog.ping_answered(1, at(start, 1)));
        assert_eq!((backlog.bytes(), backlog.large_and_silent_since()), (LARGE + 1, Some(at(start, 1))));
        backlog.ping_sent(2);
        backlog.written(10, at(start, 4));
        backlog.ping_sent(3);
        // While a ping after the backlog is not answered, the peer has not read everything.
        assert!(!backlog.peer_seen(at(start, 100)) && !backlog.ping_answered(1, at(start, 100)));
        assert!(backlog.ping_answered(2, at(start, 100)));
        assert_eq!((backlog.bytes(), backlog.large_and_silent_since()), (10, None));
    }

    #[test]
    fn what_was_written_after_the_ping_stays() {
        let (mut backlog, start) = (Backlog::default(), Instant::now());
        backlog.written(LARGE as usize, start);
        backlog.ping_sent(1);
        backlog.written(LARGE as usize, at(start, 1));
        assert!(backlog.ping_answered(1, at(start, 2)));
        assert_eq!((backlog.bytes(), backlog.large_and_silent_since()), (LARGE, Some(at(start, 2))));
    }

    #[test]
    fn a_peer_that_is_never_silent_has_the_longest_silence() {
        let (mut backlog, start) = (Backlog::default(), Instant::now());
        backlog.written(LARGE as usize, start);
        assert!(!backlog.peer_seen(at(start, 28)));
        assert!(backlog.peer_seen(at(start, 29)));
        assert_eq!((backlog.bytes(), backlog.large_and_silent_since()), (0, None));
    }
}
