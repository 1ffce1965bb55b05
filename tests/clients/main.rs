//! Clients that stay connected, go through proxies, and trust what the operating system trusts. A test whose program is not
//! installed says so and does nothing: `apt-get install dante-server microsocks tinyproxy`.

#![expect(clippy::unwrap_used, reason = "helpers are part of their tests, and clippy allows it only in test functions")]

mod environment;
#[allow(dead_code, reason = "not all tests use all of it")]
#[path = "../support/port.rs"]
mod port;
#[allow(dead_code, reason = "not all tests use all of it")]
#[path = "../support/program.rs"]
mod program;
mod proxies;
mod proxy;
mod real_proxies;
mod server;
mod sessions;
#[path = "../support/skipped.rs"]
mod skipped;
#[path = "../support/tls.rs"]
mod tls;

/// No test takes so long, however slow the machine is.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);
