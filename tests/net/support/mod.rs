//! Servers, clients and scripted peers on real sockets.

mod broken;
mod cases;
mod http2;
mod listener;
mod namespace;
mod nginx;
mod over;
mod proxy;
mod reading;
mod server;
mod side;

pub(crate) use broken::{Broken, Fault, broken};
pub(crate) use cases::{Cases, expect};
pub(crate) use listener::connect_through;
pub(crate) use namespace::{drop_packets, heal, in_namespaces, lose_packets, reset_connections, shape};
pub(crate) use nginx::Nginx;
pub(crate) use over::{Over, Socket, Stream};
pub(crate) use proxy::{Proxy, proxy};
pub(crate) use reading::{Reading, Received};
pub(crate) use server::{Server, serve, serve_with_unknown_tls};
pub(crate) use side::{Way, open, sides};

pub(crate) use crate::shared::{Frame, binary, close, handed_over, millis, ping, pong, quiet, secs, text};

use tower_websocket::{CloseFrame, Compression, Error, ErrorKind};

/// A peer over any of the transports.
pub(crate) type Peer = crate::shared::Peer<Stream>;

/// How a connection ended: the code of the close frame, or the kind of the error.
pub(crate) fn how(end: Result<CloseFrame, Error>) -> Result<u16, ErrorKind> {
    end.map(|frame| frame.code().get()).map_err(|error| error.kind())
}

/// Settings under which a compressor stays with its connection.
pub(crate) fn context_takeover() -> Compression {
    Compression::default().server_context_takeover(true).client_context_takeover(true)
}

pub(crate) const KIB: usize = 1024;
pub(crate) const MIB: usize = 1024 * 1024;
