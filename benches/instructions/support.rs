//! What this program has in common with the benches and the tests.

#![allow(dead_code, reason = "it needs a part of each")]
#![expect(clippy::unwrap_used, reason = "what fails here ends the program")]

#[path = "../support/client.rs"]
mod client;
#[path = "../../tests/support/echo.rs"]
mod echo;
#[path = "../../tests/support/frame.rs"]
mod frame;
#[path = "../../tests/support/http_server.rs"]
mod http_server;
#[path = "../../tests/support/request.rs"]
mod request;
#[path = "../../tests/support/skipped.rs"]
mod skipped;

use tokio::runtime::{Builder, Runtime};

pub(crate) use client::{BINARY, CLOSE, Client, TEXT, ordered};
pub(crate) use echo::echo;
pub(crate) use frame::masked;
pub(crate) use http_server::{http_server, serve_connection};
pub(crate) use request::request;
pub(crate) use skipped::skipped;

/// One thread, so that what is counted does not depend on which of them does it.
pub(crate) fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}
