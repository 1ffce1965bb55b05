//! One endpoint: its settings, and the way from an accepted handshake to a connection.

mod from_io;
mod handled;
mod io;
mod refused;
mod streams;
#[expect(clippy::module_inception, reason = "the accepted handshake has a file of its own, named as its type")]
mod upgrade;
mod upgrader;

#[cfg(feature = "client")]
pub(crate) use self::io::set_socket_options;
pub(crate) use self::io::{MemoryUpgrade, PendingTransport};
pub(crate) use self::refused::log_lost_upgrade;
pub use self::upgrade::Upgrade;
pub use self::upgrader::Upgrader;
