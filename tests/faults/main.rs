//! Transports that are short, pending or failing, at every step of scripted conversations.
//!
//! A conversation is run once without a fault, which counts the calls that it takes, and then once for each call and each
//! kind of fault. After each run: all handles tell of the same end, within a bounded time; every message that arrived whole
//! was received; what was written is whole frames and nothing behind a close frame; tasks, permits, budget and the transport
//! are given back.

#![expect(clippy::unwrap_used, reason = "helpers are part of their tests, and clippy allows it only in test functions")]

mod conversations;
#[path = "../it/support/deflate.rs"]
#[allow(dead_code, reason = "the tests in `it` use more of it")]
mod deflate;
mod every_step;
mod handshakes;
#[path = "../support/mod.rs"]
mod shared;
mod support;
