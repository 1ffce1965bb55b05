//! The closing handshake (RFC 6455 §7). Knows no clock and no socket.

use std::time::Duration;

use tokio::time::Instant;

/// How far the end of a connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Open,
    /// Our close frame is on its way or out; the peer's is awaited.
    AwaitingPeer,
    /// Both close frames have passed, or there is nobody to wait for: what is buffered is still written.
    Flushing,
    /// Our side of the transport is shut down; the peer's is read to its end.
    Draining,
    Done,
}

/// The end of one connection: each step happens once and in order, and all of it before a deadline.
#[derive(Debug)]
pub(super) struct Closing {
    phase: Phase,
    allowed: Duration,
    deadline: Option<Instant>,
}

impl Closing {
    pub(super) fn new(allowed: Duration) -> Self {
        Self { phase: Phase::Open, allowed, deadline: None }
    }

    pub(super) fn phase(&self) -> Phase {
        self.phase
    }

    /// When the transport is given up. None while the connection is open.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// We send a close frame.
    pub(super) fn start(&mut self, now: Instant) {
        self.advance(Phase::AwaitingPeer, now);
    }

    /// The closing handshake is complete, or cannot be completed: only the buffered frames are left.
    pub(super) fn finish(&mut self, now: Instant) {
        self.advance(Phase::Flushing, now);
    }

    /// All that was buffered is written and our side is shut down.
    pub(super) fn flushed(&mut self, now: Instant) {
        self.advance(Phase::Draining, now);
    }

    /// The peer takes what goes before our close frame: its time begins anew.
    pub(super) fn progress(&mut self, now: Instant) {
        if let Some(deadline) = &mut self.deadline {
            *deadline = now + self.allowed;
        }
    }

    /// Nothing more can be done.
    pub(super) fn done(&mut self) {
        self.phase = Phase::Done;
    }

    fn advance(&mut self, phase: Phase, now: Instant) {
        if (self.phase as u8) < phase as u8 {
            self.phase = phase;
            self.deadline.get_or_insert(now + self.allowed);
        }
    }

    /// Whether the time is up.
    pub(super) fn is_overdue(&self, now: Instant) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_steps_share_one_deadline() {
        let now = Instant::now();
        let mut closing = Closing::new(Duration::from_secs(5));
        assert!(!closing.is_overdue(now + Duration::from_secs(60)));
        closing.start(now);
        closing.finish(now + Duration::from_secs(3));
        closing.flushed(now + Duration::from_secs(4));
        assert_eq!(closing.phase(), Phase::Draining);
        assert!(!closing.is_overdue(now + Duration::from_millis(4999)));
        assert!(closing.is_overdue(now + Duration::from_secs(5)));
    }

    #[test]
    fn no_step_goes_back() {
        let now = Instant::now();
        let mut closing = Closing::new(Duration::from_secs(5));
        closing.finish(now);
        closing.start(now);
        assert_eq!(closing.phase(), Phase::Flushing);
        closing.done();
        closing.flushed(now);
        assert_eq!(closing.phase(), Phase::Done);
    }
}
