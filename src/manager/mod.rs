//! The handle that users hold, and what is built on its public methods alone: JSON, periodic updates, byte streams.

mod handle;
mod io;
mod join;
#[cfg(feature = "json")]
mod json;
#[cfg(feature = "json")]
mod periodic;
mod stream;
mod try_send;

pub(crate) use self::handle::RequestToCompact;
pub use self::handle::{ConnectionId, Manager};
pub use self::io::{Reader, Writer};
#[cfg(feature = "json")]
pub(crate) use self::periodic::run_periodic;
#[cfg(feature = "json")]
pub use self::periodic::{PeriodicFuture, PeriodicWrite, dedup};
pub use self::try_send::TrySendError;
