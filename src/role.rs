//! The role of an endpoint: client or server.

/// Client or server. Clients mask their frames (RFC 6455 §5.1), and servers end the transport first (§7.1.1).
#[doc(alias = "accept_unmasked_frames")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// The side that opened the connection.
    Client,
    /// The side that accepted it.
    Server,
}
