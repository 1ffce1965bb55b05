//! The integration tests, one module per behaviour.

#[cfg(feature = "client")]
mod client;
mod http2;
mod io;
mod messages;
mod net;
