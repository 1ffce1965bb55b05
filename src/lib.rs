//! WebSockets as a [tower](https://docs.rs/tower) layer, for every stack that is built on hyper.

mod close;
mod deflate;
mod error;
mod message;

pub use crate::close::{CloseCode, CloseFrame};
pub use crate::deflate::Compression;
pub use crate::error::{BoxError, Error, ErrorKind};
pub use crate::message::{Message, MessageKind, Text};
