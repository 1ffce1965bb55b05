//! The handle to a connection, and what is built on its public methods: JSON, periodic updates, byte streams.

// The documentation of `Manager` lists its methods in the order of these modules: what is used most comes first.
mod handle;

mod receiving;
mod sending;
mod try_send;

mod closing;
mod info;

#[cfg(feature = "json")]
mod json;

mod io;
mod join;
#[cfg(feature = "json")]
mod periodic;
mod stream;

pub use self::handle::Manager;
pub(crate) use self::handle::RequestToCompact;
pub use self::info::ConnectionId;
pub use self::io::{Reader, Writer};
#[cfg(feature = "json")]
pub(crate) use self::periodic::run_periodic;
#[cfg(feature = "json")]
pub use self::periodic::{PeriodicFuture, PeriodicWrite, dedup};
pub use self::try_send::TrySendError;
