//! One endpoint: its settings, and the way from an accepted handshake to a connection.

mod config;
mod from_io;
mod hooks;
mod io;
#[expect(clippy::module_inception, reason = "the accepted handshake has a file of its own, named as its type")]
mod upgrade;
mod upgrader;

pub use self::config::WebSocketConfig;
pub(crate) use self::io::{MemoryUpgrade, PendingTransport};
pub use self::upgrade::Upgrade;
#[cfg(feature = "axum")]
pub(crate) use self::upgrader::Admission;
pub use self::upgrader::Upgrader;
