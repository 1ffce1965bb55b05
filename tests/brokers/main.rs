//! Hubs on many servers, by brokers as Debian has them. A test whose program is not installed says so and does nothing:
//! `apt-get install redis-server nats-server`.

#![expect(clippy::unwrap_used, reason = "helpers are part of their tests, and clippy allows it only in test functions")]

mod broker;
mod cut;
mod failures;
mod many_servers;
mod member;
#[allow(dead_code, reason = "not all tests use all of it")]
#[path = "../support/program.rs"]
mod program;
#[path = "../support/skipped.rs"]
mod skipped;

use std::time::Duration;

/// No test takes so long, however slow the machine is.
const PATIENCE: Duration = Duration::from_secs(60);

/// Makes a test of each function for each broker.
macro_rules! for_each_broker {
    ($($test:ident)*) => {
        mod redis {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                if let Some(broker) = crate::broker::Broker::start(crate::broker::Kind::Redis).await {
                    super::$test(broker).await;
                }
            })*
        }
        mod nats {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                if let Some(broker) = crate::broker::Broker::start(crate::broker::Kind::Nats).await {
                    super::$test(broker).await;
                }
            })*
        }
    };
}
use for_each_broker;
