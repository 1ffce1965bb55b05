//! WebSockets as a [tower](https://docs.rs/tower) layer, for every stack that is built on hyper.

mod budget;
mod close;
mod connection;
mod deflate;
mod error;
mod limits;
mod manager;
mod message;
mod role;
mod stats;

pub use crate::budget::Budget;
pub use crate::close::{CloseCode, CloseFrame};
pub use crate::connection::Keepalive;
pub use crate::error::{BoxError, Error, ErrorKind};
pub use crate::limits::Limits;
pub use crate::manager::Manager;
pub use crate::message::{Message, MessageKind, Text};
pub use crate::role::Role;
pub use crate::stats::Stats;
