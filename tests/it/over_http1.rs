//! The tests of `both_versions` over HTTP/1.1.

#[path = "both_versions/mod.rs"]
pub(crate) mod both_versions;

const VERSION: http::Version = http::Version::HTTP_11;
