//! Tests that run over both versions of HTTP. The parent's `VERSION` says over which one its peers connect.

use super::VERSION;

mod budget_of_compressed;
mod clones;
mod closing;
mod compression;
mod context_takeover;
mod deadlines;
mod disconnecting;
mod handler_errors;
mod hub;
mod io;
mod keepalive;
mod limits;
mod logs;
mod messages;
mod on_end;
mod origin;
mod periodic;
mod periodic_failures;
mod properties;
mod rate_limit;
mod receiving;
mod sending;
mod shutdown;
#[path = "../support/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the tests of HTTP/1.1 alone use more of it")]
pub(crate) mod support;
mod violations;
