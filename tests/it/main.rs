//! The integration tests, one module per behaviour.

#![expect(clippy::unwrap_used, reason = "helpers are part of their tests, and clippy allows it only in test functions")]
#![allow(clippy::duplicate_mod, reason = "what is the same over both versions of HTTP is tested over both")]

#[cfg(feature = "client")]
mod client;
mod conversions;
mod debugging;
mod handshake;
mod http2;
mod join;
mod json;
mod layer;
mod net;
mod over_http1;
mod over_http2;
mod pushback;
#[path = "../support/mod.rs"]
mod shared;
#[cfg(feature = "client")]
mod slow_links;
mod stacks;
mod tcp;
mod tonic_server;
mod visitor;

use over_http1::both_versions::support;
