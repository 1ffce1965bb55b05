//! permessage-deflate (RFC 7692): settings, negotiation, and the compression of whole messages. All of it is pure.

mod codec;
mod deflater;
mod extensions;
mod inflater;
mod negotiate;
mod pool;
mod settings;
#[cfg(test)]
mod tests;

pub(crate) use self::deflater::Deflater;
pub(crate) use self::inflater::{InflateError, Inflater};
pub(crate) use self::negotiate::{Negotiated, Role};
pub use self::settings::Compression;
