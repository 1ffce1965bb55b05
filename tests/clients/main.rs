//! Clients that stay connected, go through proxies, and trust what the operating system trusts.

#![expect(clippy::unwrap_used, reason = "helpers are part of their tests, and clippy allows it only in test functions")]

mod environment;
mod proxies;
mod proxy;
mod server;
mod sessions;
#[path = "../support/tls.rs"]
mod tls;

/// No test takes so long, however slow the machine is.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);
