//! One endpoint: its settings, and the way from an accepted handshake to a connection.

mod config;
mod from_io;
mod handled;
mod hooks;
mod io;
mod permits;
mod refused;
mod socket;
mod streams;
#[expect(clippy::module_inception, reason = "the type that the folder is named after")]
mod upgrade;
mod upgrader;

// Declared after `upgrader`, so that the settings come first in the documentation of `Upgrader`.
mod admission;
mod span;

#[cfg(feature = "axum")]
pub(crate) use self::admission::Admission;
pub use self::config::WebSocketConfig;
pub(crate) use self::io::{MemoryUpgrade, PendingTransport};
pub(crate) use self::refused::log_lost_upgrade;
#[cfg(feature = "client")]
pub(crate) use self::socket::prepare;
pub use self::socket::prepare_socket;
pub use self::upgrade::Upgrade;
pub use self::upgrader::Upgrader;
