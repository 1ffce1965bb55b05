//! Peers and handlers that do what they must not, over real sockets: each outcome is bounded in time and memory.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "helpers are part of their tests, and clippy allows it only in test functions")]

mod abandoned;
mod bombs;
#[path = "../it/support/deflate.rs"]
#[allow(dead_code, reason = "the tests in `it` use more of it")]
mod deflate;
mod floods;
mod handlers;
mod http2;
#[path = "../support/mod.rs"]
mod shared;
mod support;
