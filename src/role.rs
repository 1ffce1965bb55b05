//! Which end of a connection we are.

/// The end of a connection: it decides who masks (RFC 6455 §5.1) and who ends the transport first (§7.1.1).
#[doc(alias = "accept_unmasked_frames")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// The end that opened the connection.
    Client,
    /// The end that accepted it.
    Server,
}
