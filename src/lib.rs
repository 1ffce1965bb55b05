//! WebSockets as a [tower](https://docs.rs/tower) layer, for every stack that is built on hyper.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod body;
mod budget;
mod client;
mod close;
mod connection;
mod debug;
mod deflate;
mod error;
mod future;
mod handler;
mod handshake;
mod io;
mod json;
mod layer;
mod limits;
mod manager;
mod message;
mod periodic;
mod role;
mod service;
mod shutdown;
mod stats;
pub mod testing;
mod transport;
mod upgrade;
mod upgraded;
mod upgrader;

pub use crate::body::ResponseBody;
pub use crate::budget::Budget;
#[cfg(feature = "client")]
#[cfg_attr(docsrs, doc(cfg(feature = "client")))]
pub use crate::client::{Connector, Refusal, Target};
pub use crate::close::{CloseCode, CloseFrame};
pub use crate::connection::Keepalive;
pub use crate::deflate::Compression;
pub use crate::error::{BoxError, Error, ErrorKind};
pub use crate::future::ResponseFuture;
pub use crate::handler::HandlerOutput;
pub use crate::handshake::{OriginPolicy, OriginRequest, Rejection, RejectionKind, is_websocket_request};
pub use crate::io::{Reader, Writer};
pub use crate::layer::WebSocketLayer;
pub use crate::limits::Limits;
pub use crate::manager::Manager;
pub use crate::message::{Message, MessageKind, Text};
pub use crate::periodic::{PeriodicFuture, PeriodicWrite};
pub use crate::role::Role;
pub use crate::service::{NotWebSocket, WebSocketService};
pub use crate::shutdown::Shutdown;
pub use crate::stats::Stats;
pub use crate::upgrade::Upgrade;
pub use crate::upgrader::Upgrader;
