//! The wire tests over HTTP/1.1.

#[path = "wire.rs"]
pub(crate) mod wire;

const VERSION: http::Version = http::Version::HTTP_11;
