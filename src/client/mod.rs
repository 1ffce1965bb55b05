//! The other side: opening connections.

mod establish;

pub(crate) use establish::Handshaking;
