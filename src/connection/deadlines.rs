//! What an open connection may take its time for, and how long. Knows no clock and no socket.

use std::time::Duration;

use tokio::time::Instant;

use super::fault::Fault;
use crate::limits::Limits;

/// The limits that are about time, and since when each of these goes on, if it does.
#[derive(Debug)]
pub(super) struct Deadlines {
    write_time: Duration,
    message_time: Duration,
    end_of_life: Option<Instant>,
    /// The transport takes nothing.
    stalled: Option<Instant>,
    /// It refused what it was given, and does not only keep it.
    refused: bool,
    /// The peer waits for a pong.
    owing_pong: Option<Instant>,
    /// A message has begun and not ended.
    mid_message: Option<Instant>,
}

impl Deadlines {
    pub(super) fn new(limits: &Limits, now: Instant) -> Self {
        Self {
            write_time: limits.write_time,
            message_time: limits.message_time,
            end_of_life: limits.lifetime.map(|lifetime| now + lifetime),
            stalled: None,
            refused: false,
            owing_pong: None,
            mid_message: None,
        }
    }

    pub(super) fn set_stalled(&mut self, stalled: bool, now: Instant) {
        set(&mut self.stalled, stalled, now);
        self.refused &= stalled;
    }

    /// The transport takes nothing, not even into buffers of its own.
    pub(super) fn set_refused(&mut self, now: Instant) {
        self.set_stalled(true, now);
        self.refused = true;
    }

    /// The transport takes something again. Whether that is news of the peer: it was refused before, and for longer than it
    /// takes to get from one task to another. TLS takes some 64 KiB whatever the peer does.
    pub(super) fn end_stall(&mut self, now: Instant) -> bool {
        let refused = std::mem::take(&mut self.refused);
        self.stalled.take().is_some_and(|since| refused && now.saturating_duration_since(since) >= REAL_STALL)
    }

    pub(super) fn set_owing_pong(&mut self, owing: bool, now: Instant) {
        set(&mut self.owing_pong, owing, now);
    }

    pub(super) fn set_mid_message(&mut self, mid_message: bool, now: Instant) {
        set(&mut self.mid_message, mid_message, now);
    }

    /// Which limits count at the moment, a bit for each. While none is added, what is due next can only move to later.
    pub(super) fn running(&self) -> u8 {
        [self.stalled, self.owing_pong, self.mid_message]
            .iter()
            .fold(0, |set, since| set << 1 | u8::from(since.is_some()))
    }

    /// When the next limit is due, if any, or which was not kept.
    pub(super) fn poll(&self, now: Instant) -> Result<Option<Instant>, Fault> {
        // A pong has its own time once it is due and writing is stalled, whichever came last.
        let pong = self.stalled.zip(self.owing_pong).map(|(stalled, owing)| stalled.max(owing) + PONG_TIME);
        let mut next = None;
        for (due, fault) in [
            (self.stalled.map(|since| since + self.write_time), Fault::WriteTimeout),
            (pong, Fault::WriteTimeout),
            (self.mid_message.map(|since| since + self.message_time), Fault::MessageTimeout),
            (self.end_of_life, Fault::LifetimeExceeded),
        ] {
            if due.is_some_and(|due| due <= now) {
                return Err(fault);
            }
            next = [next, due].into_iter().flatten().min();
        }
        Ok(next)
    }
}

/// Keeps the time of the first.
fn set(since: &mut Option<Instant>, goes_on: bool, now: Instant) {
    *since = goes_on.then(|| since.unwrap_or(now));
}

/// hyper's streams of HTTP/2 are fed by a task, which may be late. A peer that takes 16 KiB in less time answers pings soon.
const REAL_STALL: Duration = Duration::from_millis(10);
/// A pong must be on its way in this time, or the peer takes nothing.
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
        deadlines.set_stalled(true, at(20));
        assert_eq!(deadlines.poll(at(29)).unwrap(), Some(at(30)));
        assert!(matches!(deadlines.poll(at(30)), Err(Fault::WriteTimeout)));
        deadlines.set_stalled(false, at(30));
        assert!(matches!(deadlines.poll(at(31)), Err(Fault::MessageTimeout)));
        deadlines.set_mid_message(false, at(31));
        assert!(matches!(deadlines.poll(at(100)), Err(Fault::LifetimeExceeded)));
    }

    #[test]
    fn a_pong_has_two_seconds_once_it_is_due_and_nothing_is_taken() {
        for (stalled, owing, due) in [(1, 5, 7), (5, 1, 7), (1, 20, 11)] {
            let (mut deadlines, at) = deadlines();
            deadlines.set_stalled(true, at(stalled));
            deadlines.set_owing_pong(true, at(owing));
            assert_eq!(deadlines.poll(at(0)).unwrap(), Some(at(due)));
            deadlines.set_stalled(false, at(owing));
            assert_eq!(deadlines.poll(at(50)).unwrap(), Some(at(100)));
        }
    }
}
