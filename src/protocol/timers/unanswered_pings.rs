//! Round trips: how long the peer needs to answer pings. Sans-I/O: the time is passed in.

use std::time::Duration;

use tokio::time::Instant;

/// The oldest and the latest ping that are not answered yet.
///
/// Those between them need not be stored: the oldest is answered first, and a peer that does not answer each ping answers the
/// latest (RFC 6455 §5.5.3).
#[derive(Debug, Default)]
pub(crate) struct UnansweredPings {
    oldest: Option<Ping>,
    /// Boxed, because usually the oldest is the only one.
    latest: Option<Box<Ping>>,
}

#[derive(Clone, Copy, Debug)]
struct Ping {
    number: u64,
    sent: Instant,
}

impl UnansweredPings {
    /// Called when a ping was sent. Numbers must grow.
    pub(crate) fn sent(&mut self, number: u64, now: Instant) {
        let ping = Ping { number, sent: now };
        if self.oldest.is_none() {
            self.oldest = Some(ping);
        } else {
            self.latest = Some(Box::new(ping));
        }
    }

    /// Called when a pong with this number has arrived. Returns the round trip, if the ping is stored.
    pub(crate) fn answered(&mut self, number: u64, now: Instant) -> Option<Duration> {
        let latest = self.latest.as_deref().copied();
        let newest = latest.or(self.oldest)?;
        if number > newest.number {
            // An unsolicited pong.
            return None;
        }
        let ping = [self.oldest, latest].into_iter().flatten().find(|ping| ping.number == number);
        if self.oldest.is_some_and(|ping| ping.number <= number) {
            // Pongs arrive in order: older pings will not be answered.
            self.latest = None;
            self.oldest = latest.filter(|ping| ping.number > number);
        }
        ping.map(|ping| now - ping.sent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `sent`: the seconds at which pings are sent, numbered from 1 on. `pongs`: number, second, and expected round trip.
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
    fn the_oldest_is_measured_however_many_were_sent_after_it() {
        check(&[0, 1, 2, 3], &[(1, 4, Some(4)), (2, 5, None), (3, 6, None), (4, 7, Some(4))]);
    }

    #[test]
    fn a_peer_may_answer_only_the_latest() {
        check(&[0, 1, 2], &[(3, 4, Some(2)), (1, 5, None), (3, 6, None)]);
        check(&[0, 1, 2], &[(2, 4, None), (3, 5, Some(3))]);
    }

    #[test]
    fn an_unsolicited_pong_changes_nothing() {
        check(&[], &[(1, 1, None)]);
        check(&[0, 1], &[(0, 2, None), (u64::MAX, 2, None), (1, 3, Some(3)), (2, 3, Some(2))]);
    }
}
