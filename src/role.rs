//! Which end of a connection we are.

/// Client or server. It decides which side masks its frames (RFC 6455 §5.1) and which ends the transport first (§7.1.1).
#[doc(alias = "accept_unmasked_frames")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// The side that opened the connection.
    Client,
    /// The side that accepted it.
    Server,
}
