//! What is the same over both versions, over HTTP/1.1.

/// How the peers of these tests connect.
pub(crate) const VERSION: http::Version = http::Version::HTTP_11;

#[path = "closing.rs"]
mod closing;
#[path = "compression.rs"]
mod compression;
#[path = "io.rs"]
mod io;
#[path = "keepalive.rs"]
mod keepalive;
#[path = "limits.rs"]
mod limits;
#[path = "messages.rs"]
mod messages;
#[path = "periodic.rs"]
mod periodic;
#[path = "properties.rs"]
mod properties;
#[path = "receiving.rs"]
mod receiving;
#[path = "support/mod.rs"]
pub(crate) mod support;
#[path = "violations.rs"]
mod violations;
