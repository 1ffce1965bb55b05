//! The integration tests, one module per behaviour.

#![expect(clippy::unwrap_used, reason = "helpers are part of their tests, and clippy allows it only in test functions")]
#![allow(clippy::duplicate_mod, reason = "what is the same over both versions of HTTP is tested over both")]

mod blocked;
#[cfg(feature = "client")]
mod client;
#[cfg(feature = "client")]
mod client_answers;
#[cfg(feature = "client")]
mod client_failures;
mod conversions;
mod corners;
mod debugging;
mod defaults;
mod getters;
mod guides;
mod handshake;
mod http2;
mod join;
mod json;
mod layer;
mod levels;
mod malformed;
#[cfg(feature = "metrics")]
mod metrics;
mod net;
mod nodelay;
mod over_http1;
mod over_http2;
mod pushback;
#[cfg(feature = "client")]
mod readme;
mod settings;
#[path = "../support/mod.rs"]
mod shared;
#[cfg(feature = "client")]
mod slow_links;
mod stacks;
mod tcp;
mod tonic_server;
mod tungstenite;
mod visitor;
mod write_failed;
mod written;
mod yielding;

use over_http1::both_versions::support;
