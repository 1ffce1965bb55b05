//! permessage-deflate (RFC 7692): settings, negotiation, and the compression of whole messages. All of it is pure.
//!
//! Without the feature `deflate` the types are still there, for whom names them, but none of them has a value.

#[cfg(not(feature = "deflate"))]
mod absent;
#[cfg(feature = "deflate")]
mod codec;
#[cfg(feature = "deflate")]
mod deflater;
#[cfg(feature = "deflate")]
mod inflater;
#[cfg(feature = "deflate")]
mod negotiate;
#[cfg(feature = "deflate")]
mod pool;
#[cfg(feature = "deflate")]
mod settings;
#[cfg(feature = "deflate")]
#[cfg(test)]
mod tests;

#[cfg(not(feature = "deflate"))]
pub(crate) use self::absent::{Compression, Deflater, InflateError, Inflater, Negotiated, Stateless};
#[cfg(feature = "deflate")]
pub(crate) use self::deflater::{Deflater, Stateless};
#[cfg(feature = "deflate")]
pub(crate) use self::inflater::{InflateError, Inflater};
#[cfg(feature = "deflate")]
pub(crate) use self::negotiate::Negotiated;
#[cfg(feature = "deflate")]
pub use self::settings::Compression;
