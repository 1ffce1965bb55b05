//! Our client against our server, over real sockets.

mod answers;
mod ending;
mod handshake;
mod messages;
#[cfg(feature = "rustls")]
mod tls;

use http::Version;
use tower_websocket::Connector;

/// One client for each version of HTTP.
fn clients() -> [(Version, Connector); 2] {
    [(Version::HTTP_11, Connector::new()), (Version::HTTP_2, Connector::new().http2())]
}
