//! The integration tests, one module per behaviour.

mod messages;
