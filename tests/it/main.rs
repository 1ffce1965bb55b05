//! The integration tests, one module per behaviour.

#![expect(clippy::unwrap_used, reason = "helpers are part of their tests, and clippy allows it only in test functions")]

#[cfg(feature = "client")]
mod client;
mod closing;
mod compression;
mod debugging;
mod disconnecting;
mod handshake;
mod http2;
mod io;
mod keepalive;
mod layer;
mod limits;
mod messages;
mod net;
mod origin;
mod periodic;
mod properties;
mod receiving;
mod sending;
mod shutdown;
mod stacks;
mod support;
mod tls;
mod tonic_server;
mod violations;
mod visitor;
