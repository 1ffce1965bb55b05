//! Connections over real kernels: sockets whose buffers hold more than the peer has taken, TLS, HTTP/2, proxies, and
//! links that are slow or break.
//!
//! A test runs the same over several transports at once, and names those over which it failed. What needs a network
//! namespace or nginx says that it was skipped where there is none.

#![expect(clippy::unwrap_used, reason = "helpers are part of their tests, and clippy allows it only in test functions")]

mod control_frames;
mod dead_peers;
mod flooders;
mod held_memory;
mod incoming;
mod last_packet;
mod one_direction;
mod panics;
mod partitions;
mod resume;
#[path = "../support/mod.rs"]
mod shared;
mod slow_links;
mod slow_readers;
mod support;
mod unread;
mod waiters;
