//! How long the peer takes to answer. Sans-I/O: the time is passed in.

use std::time::Duration;

use tokio::time::Instant;

/// Of the pings that are not answered yet, the oldest and the latest.
///
/// Those between them need not be remembered: the oldest is answered first, and a peer that leaves some out answers the latest
/// (RFC 6455 §5.5.3).
#[derive(Debug, Default)]
pub(crate) struct UnansweredPings {
    oldest: Option<Ping>,
    /// Most often there is no other than the oldest.
    latest: Option<Box<Ping>>,
}

#[derive(Clone, Copy, Debug)]
struct Ping {
    number: u64,
    sent: Instant,
}

impl UnansweredPings {
    /// A ping was sent. Their numbers grow.
    pub(crate) fn sent(&mut self, number: u64, now: Instant) {
        let ping = Ping { number, sent: now };
        if self.oldest.is_none() {
            self.oldest = Some(ping);
        } else {
            self.latest = Some(Box::new(ping));
        }
    }

    /// A pong with this number has arrived: the round trip, where it answers a ping that is remembered.
    pub(crate) fn answered(&mut self, number: u64, now: Instant) -> Option<Duration> {
        let latest = self.latest.as_deref().copied();
        let newest = latest.or(self.oldest)?;
        if number > newest.number {
            // An unsolicited pong: a heartbeat of the peer's.
            return None;
        }
        let ping = [self.oldest, latest].into_iter().flatten().find(|ping| ping.number == number);
        if self.oldest.is_some_and(|ping| ping.number <= number) {
            // Pongs come in order: what is older than this one gets none any more.
            self.latest = None;
            self.oldest = latest.filter(|ping| ping.number > number);
        }
        ping.map(|ping| now - ping.sent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pings that were sent at these seconds, numbered from 1 on, and what pongs at these seconds tell.
    #[track_caller]
    fn check(sent: &[u64], pongs: &[(u64, u64, Option<u64>)]) {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut pings = UnansweredPings::default();
        for (number, seconds) in (1..).zip(sent) {
            pings.sent(number, at(*seconds));
        }
        for (number, seconds, round_trip) in pongs {
            assert_eq!(pings.answered(*number, at(*seconds)), round_trip.map(Duration::from_secs), "pong {number}");
        }
    }

    #[test]
    fn each_pong_is_measured_from_its_own_ping() {
        check(&[0, 1], &[(1, 3, Some(3)), (2, 4, Some(3)), (2, 5, None)]);
    }

    #[test]
    fn the_oldest_is_measured_however_many_came_after_it() {
        check(&[0, 1, 2, 3], &[(1, 4, Some(4)), (2, 5, None), (3, 6, None), (4, 7, Some(4))]);
    }

    #[test]
    fn a_peer_may_answer_the_latest_alone() {
        check(&[0, 1, 2], &[(3, 4, Some(2)), (1, 5, None), (3, 6, None)]);
        check(&[0, 1, 2], &[(2, 4, None), (3, 5, Some(3))]);
    }

    #[test]
    fn an_unsolicited_pong_changes_nothing() {
        check(&[], &[(1, 1, None)]);
        check(&[0, 1], &[(0, 2, None), (u64::MAX, 2, None), (1, 3, Some(3)), (2, 3, Some(2))]);
    }
}
