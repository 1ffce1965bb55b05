//! Reconnecting: one session after the other.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::broker::{Connect, Session};
use super::follower::Followers;
use super::link::Link;
use crate::error::{BoxError, Error, ErrorKind};
use crate::error_chain::Causes;

/// Makes the first connection. If it fails, that is reported to the user, and not retried.
pub(in super::super) async fn first_connection<T>(
    connecting: impl Future<Output = Result<T, BoxError>>,
) -> Result<T, Error> {
    let connected = timeout(CONNECT_TIMEOUT, connecting).await;
    connected
        .unwrap_or_else(|elapsed| Err(elapsed.into()))
        .map_err(|error| Error::with_source(ErrorKind::Connect, error))
}

/// Connects and serves sessions, with growing delays while they fail. Never returns.
pub(super) async fn run(broker: impl Connect, link: &Link) {
    let mut followers = Followers::default();
    let mut failures = 0;
    loop {
        let error = match timeout(CONNECT_TIMEOUT, broker.connect()).await {
            Err(elapsed) => elapsed.into(),
            Ok(Err(error)) => error,
            Ok(Ok(session)) => {
                let start = Instant::now();
                let end = session.serve(link, &mut followers).await;
                // A session that fails at once counts as a failed attempt, so that the delays grow.
                if start.elapsed() > limit(failures) {
                    failures = 0;
                }
                match end {
                    Ok(()) => continue,
                    Err(error) => error,
                }
            }
        };
        tracing::warn!(error = %Causes(&*error), "no connection to the broker");
        sleep(delay(failures)).await;
        failures += 1;
    }
}

/// A random delay, so that not all servers reconnect at the same moment.
fn delay(failures: u32) -> Duration {
    SHORTEST.max(limit(failures).mul_f64(rand::random()))
}

fn limit(failures: u32) -> Duration {
    SHORTEST.saturating_mul(1 << failures.min(10)).min(LONGEST)
}

/// How long connecting may take.
pub(in super::super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const SHORTEST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::super::link::Remote;
    use super::*;
    use crate::budget::Budget;

    #[test]
    fn delays_grow_up_to_a_limit() {
        for (failures, longest) in
            [(0, SHORTEST), (2, SHORTEST * 4), (5, SHORTEST * 32), (7, LONGEST), (u32::MAX, LONGEST)]
        {
            assert_eq!(limit(failures), longest);
            for _ in 0..100 {
                assert!((SHORTEST..=longest).contains(&delay(failures)));
            }
        }
    }

    /// A broker whose sessions all fail after this time. `None`: connecting fails.
    struct Failing {
        after: Option<Duration>,
        attempts: Arc<Mutex<Vec<Instant>>>,
    }

    struct FailingSession(Duration);

    impl Connect for Failing {
        type Session = FailingSession;

        async fn connect(&self) -> Result<FailingSession, BoxError> {
            self.attempts.lock().unwrap().push(Instant::now());
            self.after.map(FailingSession).ok_or_else(|| "there is none".into())
        }
    }

    impl Session for FailingSession {
        async fn serve(self, _: &Link, _: &mut Followers) -> Result<(), BoxError> {
            sleep(self.0).await;
            Err("it has failed".into())
        }
    }

    /// The times between attempts.
    async fn delays(after: Option<Duration>) -> Vec<Duration> {
        let attempts = Arc::<Mutex<Vec<_>>>::default();
        let broker = Failing { after, attempts: attempts.clone() };
        let _remote = Remote::start(broker, &Budget::new(usize::MAX));
        sleep(Duration::from_secs(1000)).await;
        let attempts = attempts.lock().unwrap();
        attempts.windows(2).map(|pair| pair[1] - pair[0]).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn delays_grow_while_connecting_fails_or_sessions_fail_at_once() {
        for after in [None, Some(Duration::ZERO)] {
            let delays = delays(after).await;
            assert!(delays[0] < 2 * SHORTEST && delays.len() > 100, "{delays:?}");
            // After 20 attempts, delays are random up to five seconds.
            let longest = delays[20..].iter().max().unwrap();
            assert!((LONGEST / 2..=LONGEST + SHORTEST).contains(longest), "{delays:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_that_lasted_is_followed_by_another_at_once() {
        let minute = Duration::from_secs(60);
        let delays = delays(Some(minute)).await;
        assert!(delays.len() > 10 && delays.iter().all(|delay| *delay < minute + 2 * SHORTEST), "{delays:?}");
    }
}
