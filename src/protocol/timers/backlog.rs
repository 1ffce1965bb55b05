//! What the peer was sent and may not have come to yet, in whatever buffers it lies. Sans-I/O: the time is passed in.

use tokio::time::Instant;

use super::liveness::LONGEST_SILENCE;

/// The bytes written since the last sign that the peer has got through those before.
///
/// Whatever the peer sends shows that it has got through a little. Behind much only a pong shows that, for a ping that was sent
/// behind it: anything else may have been sent before the peer came to it. Where no ping is sent, because the peer is never
/// silent, it has the time that a silent peer has.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    bytes: u64,
    /// Most often it is little: then this is of an earlier time, and kept for the next.
    much: Option<Box<Much>>,
}

#[derive(Debug)]
struct Much {
    since: Instant,
    /// The last sign of life behind it.
    silent_since: Instant,
    probe: Option<Probe>,
}

/// A ping that is not answered yet, and what was written before it.
#[derive(Clone, Copy, Debug)]
struct Probe {
    number: u64,
    before: u64,
}

impl Backlog {
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Since when there is much, and nothing has come from the peer.
    pub(super) fn much_since(&self) -> Option<Instant> {
        self.much.as_ref().filter(|_| self.bytes >= MUCH).map(|much| much.silent_since)
    }

    /// So many bytes were written. Whether they make it much.
    #[inline]
    pub(super) fn written(&mut self, bytes: usize, now: Instant) -> bool {
        let before = self.bytes;
        self.bytes += bytes as u64;
        let is_new = before < MUCH && self.bytes >= MUCH;
        if is_new {
            self.begin(now);
        }
        is_new
    }

    fn begin(&mut self, now: Instant) {
        let much = Much { since: now, silent_since: now, probe: None };
        match &mut self.much {
            Some(before) => **before = much,
            None => self.much = Some(Box::new(much)),
        }
    }

    /// What is known of it while it is much.
    #[inline]
    fn much(&mut self) -> Option<&mut Much> {
        if self.bytes >= MUCH { self.much.as_deref_mut() } else { None }
    }

    /// The peer has sent something. Whether it may have got through everything.
    #[inline]
    pub(super) fn peer_seen(&mut self, now: Instant) -> bool {
        if let Some(much) = self.much()
            && (much.probe.is_some() || now.saturating_duration_since(much.since) < LONGEST_SILENCE)
        {
            much.silent_since = now;
            return false;
        }
        self.clear();
        true
    }

    /// The peer has taken data that was blocked. What was written before lies in buffers still, where it cannot be seen: the peer
    /// has a few seconds more for it.
    pub(super) fn data_taken(&mut self, rate: u64) {
        self.bytes = self.bytes.min(SECONDS_IN_BUFFERS * rate);
    }

    /// A ping with this number was sent.
    pub(super) fn ping_sent(&mut self, number: u64) {
        let before = self.bytes;
        if let Some(much) = self.much() {
            much.probe.get_or_insert(Probe { number, before });
        }
    }

    /// The ping with this number was answered. Whether the peer has got through much by that.
    pub(super) fn ping_answered(&mut self, number: u64, now: Instant) -> bool {
        let probe = self.much().and_then(|much| much.probe.take_if(|probe| number >= probe.number));
        let Some(probe) = probe else { return false };
        let behind = self.bytes.saturating_sub(probe.before);
        self.clear();
        self.written(usize::try_from(behind).unwrap_or(usize::MAX), now);
        true
    }

    /// The peer has got through everything.
    #[inline]
    pub(super) fn clear(&mut self) {
        self.bytes = 0;
    }
}

/// So long a peer may be busy with what lies in buffers behind a write that was blocked.
const SECONDS_IN_BUFFERS: u64 = 5;
/// With less the peer gets through it in time.
const MUCH: u64 = 64 * 1024;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    #[test]
    fn a_sign_of_life_ends_what_is_little() {
        let (mut backlog, now) = (Backlog::default(), Instant::now());
        for _ in 0..3 {
            assert!(!backlog.written(MUCH as usize - 1, now));
            assert_eq!((backlog.bytes(), backlog.much_since()), (MUCH - 1, None));
            assert!(backlog.peer_seen(now));
            assert_eq!(backlog.bytes(), 0);
        }
    }

    #[test]
    fn much_stays_until_a_ping_behind_it_is_answered() {
        let (mut backlog, start) = (Backlog::default(), Instant::now());
        backlog.ping_sent(1);
        assert!(backlog.written(MUCH as usize, start) && !backlog.written(1, start));
        assert!(!backlog.peer_seen(at(start, 1)) && !backlog.ping_answered(1, at(start, 1)));
        assert_eq!((backlog.bytes(), backlog.much_since()), (MUCH + 1, Some(at(start, 1))));
        backlog.ping_sent(2);
        backlog.written(10, at(start, 4));
        backlog.ping_sent(3);
        // While a ping behind it is not answered, the peer is known not to be through.
        assert!(!backlog.peer_seen(at(start, 100)) && !backlog.ping_answered(1, at(start, 100)));
        assert!(backlog.ping_answered(2, at(start, 100)));
        assert_eq!((backlog.bytes(), backlog.much_since()), (10, None));
    }

    #[test]
    fn what_was_written_behind_the_ping_stays() {
        let (mut backlog, start) = (Backlog::default(), Instant::now());
        backlog.written(MUCH as usize, start);
        backlog.ping_sent(1);
        backlog.written(MUCH as usize, at(start, 1));
        assert!(backlog.ping_answered(1, at(start, 2)));
        assert_eq!((backlog.bytes(), backlog.much_since()), (MUCH, Some(at(start, 2))));
    }

    #[test]
    fn a_peer_that_is_never_silent_has_the_longest_silence() {
        let (mut backlog, start) = (Backlog::default(), Instant::now());
        backlog.written(MUCH as usize, start);
        assert!(!backlog.peer_seen(at(start, 28)));
        assert!(backlog.peer_seen(at(start, 29)));
        assert_eq!((backlog.bytes(), backlog.much_since()), (0, None));
    }
}
