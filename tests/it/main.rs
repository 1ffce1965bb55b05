//! The integration tests, one module per behaviour.

#[cfg(feature = "client")]
mod client;
mod messages;
mod net;
