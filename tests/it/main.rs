//! The integration tests, one module per behaviour.

mod io;
mod messages;
