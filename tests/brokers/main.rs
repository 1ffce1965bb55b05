//! Hubs on many servers, by brokers as Debian has them. A test whose program is not installed says so and does nothing:
//! `apt-get install redis-server nats-server`.

#![expect(clippy::unwrap_used, reason = "helpers are part of their tests, and clippy allows it only in test functions")]

mod before_ready;
mod broker;
mod changes;
mod cut;
mod failures;
mod functions;
mod many_servers;
mod member;
mod once;
#[allow(dead_code, reason = "not all tests use all of it")]
#[path = "../support/port.rs"]
mod port;
#[allow(dead_code, reason = "not all tests use all of it")]
#[path = "../support/program.rs"]
mod program;
mod reading;
mod refused;
#[path = "../support/skipped.rs"]
mod skipped;
mod urls;

use std::time::Duration;

/// No test takes so long, however slow the machine is.
const PATIENCE: Duration = Duration::from_secs(60);

/// Makes a test of each function for each broker.
macro_rules! for_each_broker {
    ($($test:ident)*) => {
        crate::for_broker!(redis Redis $($test)*);
        crate::for_broker!(nats Nats $($test)*);
    };
}
/// Makes a test of each function for one broker.
macro_rules! for_broker {
    ($module:ident $kind:ident $($test:ident)*) => {
        mod $module {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                if let Some(broker) = crate::broker::Broker::start(crate::broker::Kind::$kind).await {
                    super::$test(broker).await;
                }
            })*
        }
    };
}
use {for_broker, for_each_broker};
