//! WebSockets as a [tower](https://docs.rs/tower) layer, for every stack that is built on hyper.

mod close;
mod error;
mod handshake;
mod message;

pub use crate::close::{CloseCode, CloseFrame};
pub use crate::error::{BoxError, Error, ErrorKind};
pub use crate::handshake::{OriginPolicy, OriginRequest, Rejection, RejectionKind, is_websocket_request};
pub use crate::message::{Message, MessageKind, Text};
