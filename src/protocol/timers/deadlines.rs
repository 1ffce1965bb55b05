//! The limits of time, and since when each of them counts. Sans-I/O: the time is passed in.

use std::time::Duration;

use tokio::time::Instant;

use super::liveness::{LONGEST_SILENCE, time_for};
use crate::limits::Limits;
use crate::protocol::failure::Failure;

/// The limits of time of one connection, except those of the keepalive.
#[derive(Debug)]
pub(super) struct Deadlines {
    write_time: Duration,
    message_time: Duration,
    close_time: Duration,
    /// When the maximum lifetime ends.
    end_of_life: Option<Instant>,
    /// When the connection began to close, or last made progress with that.
    close_since: Option<Instant>,
    /// Since when the transport has accepted no data, or has not flushed what it accepted.
    write_blocked_since: Option<Instant>,
    /// The transport accepted no data at the last write, so that some is still to be written.
    write_pending: bool,
    /// The transport has accepted data since it was first blocked: the peer is slow, but accepts data.
    made_progress: bool,
    /// When the transport last accepted data after a blocked write.
    accepted_at: Option<Instant>,
    /// How long such a peer may need until it accepts more.
    step_time: Duration,
    /// Since when the peer waits for a pong.
    pong_due_since: Option<Instant>,
    /// Since when a message has been arriving.
    mid_message_since: Option<Instant>,
    /// Since when nothing is read. That time does not count for a message that is arriving.
    read_paused_since: Option<Instant>,
}

impl Deadlines {
    pub(super) fn new(limits: &Limits, now: Instant) -> Self {
        Self {
            write_time: limits.write_time,
            message_time: limits.message_time,
            close_time: limits.close_time,
            end_of_life: limits.lifetime.map(|lifetime| now + lifetime),
            close_since: None,
            write_blocked_since: None,
            write_pending: false,
            made_progress: false,
            accepted_at: None,
            step_time: Duration::ZERO,
            pong_due_since: None,
            mid_message_since: None,
            read_paused_since: None,
        }
    }

    /// Called when the transport has accepted all data, but has not flushed it.
    pub(super) fn flush_blocked(&mut self, now: Instant) {
        if self.write_blocked_since.is_none() {
            self.write_blocked_since = Some(now);
            // A slow peer that accepts data in steps is still slow, even if everything was written in between.
            self.made_progress |=
                self.accepted_at.is_some_and(|accepted_at| now.saturating_duration_since(accepted_at) < NEXT_STEP);
        }
    }

    /// Called when the transport accepts no data.
    pub(super) fn write_blocked(&mut self, now: Instant) {
        self.flush_blocked(now);
        self.write_pending = true;
    }

    /// Called when the transport has accepted data. Returns whether that shows that the peer accepts data: a write was blocked,
    /// and for at least [`NOTICEABLE_BLOCK`]. Otherwise the data may only be in a buffer: TLS accepts about 64 KiB whatever the
    /// peer does.
    #[inline]
    pub(super) fn write_accepted(&mut self, now: Instant) -> bool {
        if !std::mem::take(&mut self.write_pending) {
            // It was not blocked, or only flushing is.
            return false;
        }
        let blocked = self.write_blocked_since.take();
        let peer_accepts = blocked.is_some_and(|since| now.saturating_duration_since(since) >= NOTICEABLE_BLOCK);
        if peer_accepts {
            self.made_progress = true;
            self.accepted_at = Some(now);
        }
        peer_accepts
    }

    /// Called when the peer has acknowledged data in the kernel's send queue. It may need `step_time` until it acknowledges more.
    pub(super) fn data_acknowledged(&mut self, step_time: Duration, now: Instant) {
        if let Some(since) = &mut self.write_blocked_since {
            *since = now;
            self.made_progress = true;
            self.step_time = step_time;
        }
        if let Some(since) = &mut self.close_since {
            *since = now;
        }
    }

    /// Whether the peer accepts data slowly, which gives it more time.
    #[inline]
    pub(super) fn has_made_progress(&self) -> bool {
        self.made_progress
    }

    /// Called when everything is written and flushed.
    #[inline]
    pub(super) fn write_done(&mut self) {
        self.write_blocked_since = None;
        self.write_pending = false;
        self.made_progress = false;
    }

    #[inline]
    pub(super) fn set_pong_due(&mut self, due: bool, now: Instant) {
        set(&mut self.pong_due_since, due, now);
    }

    #[inline]
    pub(super) fn set_mid_message(&mut self, mid_message: bool, now: Instant) {
        set(&mut self.mid_message_since, mid_message, now);
    }

    /// Called when reading stops or continues.
    pub(super) fn set_read_paused(&mut self, paused: bool, now: Instant) {
        let since = self.read_paused_since;
        set(&mut self.read_paused_since, paused, now);
        if let (false, Some(since), Some(begun)) = (paused, since, &mut self.mid_message_since) {
            // The message may have begun during the pause, in what was read before.
            *begun += now.saturating_duration_since(since.max(*begun));
        }
    }

    /// Called when the connection begins to close, and when it is seen to make progress with that.
    pub(super) fn set_closing(&mut self, now: Instant) {
        self.close_since = Some(now);
    }

    pub(super) fn is_closing(&self) -> bool {
        self.close_since.is_some()
    }

    /// When closing has taken too long: after `close_time`, or later if the peer must read `backlog` bytes first. If a write is
    /// blocked, the write timeout applies instead of the backlog. While reading is paused, we wait for the handler and not for
    /// the peer.
    pub(super) fn close_due(
        &self,
        backlog: u64,
        rate: u64,
        step_time: Option<Duration>,
        read_paused: bool,
    ) -> Option<Instant> {
        let since = self.close_since?;
        if read_paused {
            return Some(since + self.close_time.max(LONGEST_SILENCE));
        }
        let due = since + self.close_time;
        Some(match self.write_due() {
            Some(write_due) => due.max(write_due),
            None => due.max(
                since
                    + (self.close_time + step_time.unwrap_or(Duration::MAX).min(time_for(backlog, rate)))
                        .min(LONGEST_SILENCE),
            ),
        })
    }

    /// Since when we have waited for the peer, to accept data or to close.
    pub(super) fn waiting_since(&self) -> Option<Instant> {
        self.write_blocked_since.max(self.close_since)
    }

    /// Whether the transport accepts no data, or has not flushed what it accepted.
    pub(super) fn is_write_blocked(&self) -> bool {
        self.write_blocked_since.is_some()
    }

    /// When the transport must have accepted data.
    pub(super) fn write_due(&self) -> Option<Instant> {
        let since = self.write_blocked_since?;
        // A full buffer accepts data only when a part of it is free, which needs some time with a slow peer.
        let grace = if self.made_progress { GRACE.max(self.step_time).min(LONGEST_SILENCE) } else { Duration::ZERO };
        Some(since + self.write_time.max(grace))
    }

    /// When a pong must have been written: [`PONG_TIME`] after it is due and writing is blocked. Does not apply to a peer that
    /// accepts data slowly.
    fn pong_due(&self) -> Option<Instant> {
        let (blocked, due) = self.write_blocked_since.zip(self.pong_due_since)?;
        (!self.made_progress).then(|| (blocked + GRACE).max(blocked.max(due) + PONG_TIME))
    }

    /// When the message that is arriving must be complete.
    fn message_due(&self) -> Option<Instant> {
        self.mid_message_since.filter(|_| self.read_paused_since.is_none()).map(|since| since + self.message_time)
    }

    /// The limits that apply now, a bit for each. While no bit is added, the next deadline can only move to a later time.
    #[inline]
    pub(super) fn running(&self) -> u8 {
        [self.write_blocked_since, self.pong_due_since, self.mid_message_since, self.close_since]
            .iter()
            .fold(0, |set, since| set << 1 | u8::from(since.is_some()))
    }

    /// When the next limit of an open connection is due, if any. Fails if one was exceeded.
    pub(super) fn poll(&self, now: Instant) -> Result<Option<Instant>, Failure> {
        let mut next = None;
        for (due, failure) in [
            (self.write_due(), Failure::WriteTimeout),
            (self.pong_due(), Failure::WriteTimeout),
            (self.message_due(), Failure::MessageTimeout),
            (self.end_of_life, Failure::LifetimeExceeded),
        ] {
            if due.is_some_and(|due| due <= now) {
                return Err(failure);
            }
            next = [next, due].into_iter().flatten().min();
        }
        Ok(next)
    }
}

/// Sets `since` to now if the condition begins, keeps it while the condition continues, and clears it otherwise.
fn set(since: &mut Option<Instant>, goes_on: bool, now: Instant) {
    *since = goes_on.then(|| since.unwrap_or(now));
}

/// A shorter block says nothing about the peer: another task writes to hyper's streams of HTTP/2, and may be late. A peer that
/// accepts 16 KiB in less time answers pings soon anyway.
const NOTICEABLE_BLOCK: Duration = Duration::from_millis(10);
/// A write that is blocked within this time after another one has the same reason: the peer is slow, but accepts data.
const NEXT_STEP: Duration = Duration::from_secs(1);
/// How long a peer may accept no data if it has accepted some before, or if a pong waits.
const GRACE: Duration = Duration::from_secs(5);
/// If a pong cannot be written in this time, the peer counts as one that accepts no data.
const PONG_TIME: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    fn deadlines() -> (Deadlines, impl Fn(u64) -> Instant) {
        let start = Instant::now();
        let limits = Limits::default().write_timeout(secs(10)).message_timeout(secs(30)).max_lifetime(secs(100));
        (Deadlines::new(&limits, start), move |seconds| start + secs(seconds))
    }

    fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn each_has_its_own_time_from_when_it_began() {
        let (mut deadlines, at) = deadlines();
        assert_eq!(deadlines.poll(at(0)).unwrap(), Some(at(100)));
        deadlines.set_mid_message(true, at(1));
        deadlines.set_mid_message(true, at(20));
        assert_eq!(deadlines.poll(at(20)).unwrap(), Some(at(31)));
        deadlines.flush_blocked(at(20));
        assert_eq!(deadlines.poll(at(29)).unwrap(), Some(at(30)));
        assert!(matches!(deadlines.poll(at(30)), Err(Failure::WriteTimeout)));
        deadlines.write_done();
        assert!(matches!(deadlines.poll(at(31)), Err(Failure::MessageTimeout)));
        deadlines.set_mid_message(false, at(31));
        assert!(matches!(deadlines.poll(at(100)), Err(Failure::LifetimeExceeded)));
    }

    #[test]
    fn each_limit_that_applies_has_a_bit() {
        let (mut deadlines, at) = deadlines();
        assert_eq!(deadlines.running(), 0);
        let steps: [fn(&mut Deadlines, Instant); 4] = [
            |deadlines, now| deadlines.flush_blocked(now),
            |deadlines, now| deadlines.set_pong_due(true, now),
            |deadlines, now| deadlines.set_mid_message(true, now),
            |deadlines, now| deadlines.set_closing(now),
        ];
        let mut before = 0;
        for (number, step) in steps.iter().enumerate() {
            assert!(!deadlines.is_closing());
            step(&mut deadlines, at(1));
            let running = deadlines.running();
            assert!(running & before == before && running.count_ones() as usize == number + 1, "{running:b}");
            before = running;
        }
        assert!(deadlines.is_closing());
    }

    #[test]
    fn the_time_of_a_message_does_not_run_while_nothing_is_read() {
        let (mut deadlines, at) = deadlines();
        deadlines.set_mid_message(true, at(1));
        deadlines.set_read_paused(true, at(11));
        assert_eq!(deadlines.poll(at(90)).unwrap(), Some(at(100)));
        deadlines.set_read_paused(false, at(31));
        assert_eq!(deadlines.poll(at(31)).unwrap(), Some(at(51)));
        deadlines.set_read_paused(false, at(40));
        assert_eq!(deadlines.poll(at(40)).unwrap(), Some(at(51)));
        assert!(matches!(deadlines.poll(at(51)), Err(Failure::MessageTimeout)));
    }

    #[test]
    fn a_message_that_begins_when_reading_continues_has_its_full_time() {
        let (mut deadlines, at) = deadlines();
        deadlines.set_read_paused(true, at(1));
        deadlines.set_mid_message(true, at(41));
        deadlines.set_read_paused(false, at(41));
        assert!(matches!(deadlines.poll(at(71)), Err(Failure::MessageTimeout)));
    }

    #[test]
    fn a_pong_has_two_seconds_once_it_is_due_and_no_data_is_accepted() {
        for (blocked, pong, due) in [(1, 5, 7), (5, 1, 10), (1, 2, 6), (1, 20, 11)] {
            let (mut deadlines, at) = deadlines();
            deadlines.write_blocked(at(blocked));
            deadlines.set_pong_due(true, at(pong));
            assert_eq!(deadlines.poll(at(0)).unwrap(), Some(at(due)), "blocked at {blocked}, pong due at {pong}");
            deadlines.write_done();
            assert_eq!(deadlines.poll(at(50)).unwrap(), Some(at(100)));
        }
    }

    #[test]
    fn a_peer_that_accepts_data_slowly_has_the_write_timeout_for_a_pong() {
        let (mut deadlines, at) = deadlines();
        deadlines.write_blocked(at(1));
        assert!(deadlines.write_accepted(at(2)));
        deadlines.write_blocked(at(2));
        deadlines.set_pong_due(true, at(3));
        assert_eq!(deadlines.poll(at(4)).unwrap(), Some(at(12)));
    }

    #[test]
    fn a_peer_that_accepts_data_in_steps_is_slow_from_one_to_the_next() {
        for (blocked, is_slow) in [(Duration::from_millis(999), true), (secs(1), false)] {
            let (mut deadlines, at) = deadlines();
            deadlines.write_blocked(at(1));
            assert!(deadlines.write_accepted(at(2)));
            deadlines.write_done();
            deadlines.set_pong_due(true, at(2));
            deadlines.write_blocked(at(2) + blocked);
            assert_eq!(deadlines.pong_due().is_none(), is_slow);
        }
    }

    #[test]
    fn a_peer_is_no_longer_slow_when_everything_was_written() {
        let (mut deadlines, at) = deadlines();
        deadlines.write_blocked(at(1));
        assert!(deadlines.write_accepted(at(2)));
        deadlines.write_blocked(at(2));
        deadlines.write_done();
        deadlines.flush_blocked(at(20));
        assert!(!deadlines.write_accepted(at(25)), "it was not blocked");
        deadlines.set_pong_due(true, at(20));
        assert_eq!(deadlines.poll(at(21)).unwrap(), Some(at(25)));
        assert_eq!(deadlines.write_due(), Some(at(30)));
    }

    #[test]
    fn a_close_timeout_may_exceed_the_longest_silence() {
        let start = Instant::now();
        let mut deadlines = Deadlines::new(&Limits::default().close_timeout(secs(60)), start);
        deadlines.set_closing(start);
        for read_paused in [false, true] {
            assert_eq!(deadlines.close_due(0, 1024, None, read_paused), Some(start + secs(60)));
        }
    }

    #[test]
    fn the_close_waits_for_a_peer_that_may_be_busy_within_bounds() {
        let (mut deadlines, at) = deadlines();
        deadlines.set_closing(at(0));
        for (backlog, due) in [(0, 5), (1000, 5), (10 * 1024, 15), (1024 * 1024, 29)] {
            assert_eq!(deadlines.close_due(backlog, 1024, None, false), Some(at(due)));
        }
        deadlines.write_blocked(at(1));
        assert_eq!(deadlines.close_due(u64::MAX, 1024, None, false), Some(at(11)));
        assert_eq!(deadlines.close_due(0, 1024, None, true), Some(at(29)));
    }
}
