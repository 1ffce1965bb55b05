//! The wire tests over a stream of HTTP/2.

#[path = "wire.rs"]
pub(crate) mod wire;

const VERSION: http::Version = http::Version::HTTP_2;
