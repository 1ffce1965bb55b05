//! Hubs: what topics promise whatever happens to members, checked against a model where that is possible.

#![expect(clippy::unwrap_used, reason = "helpers are part of their tests, and clippy allows it only in test functions")]

mod distributing;
mod history;
mod model;
mod panics;
mod periodic;
mod presence;
mod runtimes;
mod slow;
mod support;
