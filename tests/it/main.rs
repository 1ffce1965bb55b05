//! The integration tests, one module per behaviour.

mod disconnecting;
mod messages;
mod support;
