//! One session after the other.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::broker::{Connect, Session};
use super::follower::Followers;
use super::link::Link;
use crate::error::{BoxError, Error, ErrorKind};
use crate::error_chain::Causes;

/// The first connection of all. If it fails, that is an error of the caller, and it is not tried again.
pub(in super::super) async fn first_connection<T>(
    connecting: impl Future<Output = Result<T, BoxError>>,
) -> Result<T, Error> {
    let connected = timeout(CONNECT_TIMEOUT, connecting).await;
    connected
        .unwrap_or_else(|elapsed| Err(elapsed.into()))
        .map_err(|error| Error::with_source(ErrorKind::Connect, error))
}

/// Connects, serves, and connects again, each time a little later while it fails. It never ends.
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
                // One that fails at once, however often it is tried, is no better than none.
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

/// At random, so that the servers of a broker that went away do not all come back at the same moment.
fn delay(failures: u32) -> Duration {
    SHORTEST.max(limit(failures).mul_f64(rand::random()))
}

fn limit(failures: u32) -> Duration {
    SHORTEST.saturating_mul(1 << failures.min(10)).min(LONGEST)
}

/// Within this time a broker accepts a connection, or is away.
pub(in super::super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const SHORTEST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_up_to_a_limit() {
        for (failures, longest) in
            [(0, SHORTEST), (2, SHORTEST * 4), (5, SHORTEST * 32), (7, LONGEST), (u32::MAX, LONGEST)]
        {
            for _ in 0..100 {
                assert!((SHORTEST..=longest).contains(&delay(failures)));
            }
        }
    }
}
