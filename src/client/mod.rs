//! The other side: opening connections.

#[cfg(feature = "client")]
mod connector;
#[cfg(feature = "client")]
mod dial;
mod establish;
#[cfg(feature = "client")]
mod exchange;
#[cfg(feature = "client")]
mod response;
#[cfg(feature = "client")]
mod target;
#[cfg(feature = "client")]
mod tasks;
#[cfg(feature = "rustls")]
mod tls;

#[cfg(feature = "client")]
pub use connector::Connector;
pub(crate) use establish::Handshaking;
#[cfg(feature = "client")]
pub use target::Target;
