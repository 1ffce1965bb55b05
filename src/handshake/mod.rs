//! The opening handshake (RFC 6455 §4, RFC 8441): a request's head in, a decision out. No I/O, no runtime.

mod accepted;
mod authority;
mod client_handshake;
mod compact;
mod extensions;
mod fields;
#[cfg(test)]
mod fixture;
mod head;
mod headers;
mod key;
mod origin;
mod rejection;
mod rules;
mod setting;
mod stored_request;
mod subprotocol;

pub(crate) use self::accepted::Accepted;
#[cfg(feature = "client")]
pub(crate) use self::authority::Authority;
#[cfg(feature = "proxy")]
pub(crate) use self::authority::Host;
pub(crate) use self::client_handshake::ClientHandshake;
pub(crate) use self::compact::copied;
#[cfg(feature = "deflate")]
pub(crate) use self::extensions::{Extension, extensions};
pub use self::head::is_websocket_request;
pub(crate) use self::head::{Head, Protocol};
#[cfg(any(feature = "axum", feature = "client", feature = "deflate"))]
pub(crate) use self::headers::Lines;
pub use self::origin::{ForwardedHeader, OriginPolicy, OriginRequest};
pub use self::rejection::{Rejection, RejectionKind};
pub(crate) use self::rules::Rules;
pub(crate) use self::stored_request::StoredRequest;
pub(crate) use self::subprotocol::Subprotocols;
#[cfg(feature = "client")]
pub(crate) use self::subprotocol::token;
