//! What is the same over both versions of HTTP. Whoever includes this says with `VERSION` how the peers connect.

use super::VERSION;

#[path = "clones.rs"]
mod clones;
#[path = "closing.rs"]
mod closing;
#[path = "compression.rs"]
mod compression;
#[path = "disconnecting.rs"]
mod disconnecting;
#[path = "handler_errors.rs"]
mod handler_errors;
#[path = "io.rs"]
mod io;
#[path = "keepalive.rs"]
mod keepalive;
#[path = "limits.rs"]
mod limits;
#[path = "logs.rs"]
mod logs;
#[path = "messages.rs"]
mod messages;
#[path = "origin.rs"]
mod origin;
#[path = "periodic.rs"]
mod periodic;
#[path = "properties.rs"]
mod properties;
#[path = "receiving.rs"]
mod receiving;
#[path = "sending.rs"]
mod sending;
#[path = "shutdown.rs"]
mod shutdown;
#[path = "support/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the tests of HTTP/1.1 alone use more of it")]
pub(crate) mod support;
#[path = "violations.rs"]
mod violations;
