//! The tests of `both_versions` over a stream of HTTP/2.

#[path = "both_versions/mod.rs"]
pub(crate) mod both_versions;

const VERSION: http::Version = http::Version::HTTP_2;
