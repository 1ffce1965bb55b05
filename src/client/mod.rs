//! The client: opening connections to servers.

#[cfg(feature = "client")]
mod backoff;
#[cfg(feature = "client")]
mod connector;
#[cfg(feature = "client")]
mod dial;
mod establish;
#[cfg(feature = "client")]
mod exchange;
#[cfg(feature = "client")]
mod failed;
#[cfg(feature = "proxy")]
mod no_proxy;
#[cfg(feature = "client")]
mod observed;
#[cfg(feature = "proxy")]
mod proxy;
#[cfg(feature = "client")]
mod response;
#[cfg(feature = "client")]
mod retry;
#[cfg(feature = "client")]
mod sessions;
#[cfg(feature = "client")]
mod target;
#[cfg(feature = "client")]
mod tasks;
#[cfg(feature = "rustls")]
mod tls;
#[cfg(feature = "proxy")]
mod tunnel;

// Declared after `connector`, so that its methods come first in the documentation of `Connector`.
#[cfg(feature = "client")]
mod connect;
#[cfg(feature = "client")]
mod getters;

#[cfg(feature = "client")]
pub use backoff::Backoff;
#[cfg(feature = "client")]
pub use connector::Connector;
pub(crate) use establish::PendingHandshake;
#[cfg(feature = "proxy")]
pub use proxy::Proxy;
#[cfg(feature = "client")]
pub use sessions::Sessions;
#[cfg(feature = "client")]
pub use target::Target;
