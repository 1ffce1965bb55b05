//! What a WebSocket wants of its socket.

use std::io;

use tokio::net::TcpStream;

use crate::connection::{limit_unsent, tcp_stream};

/// Sets what WebSockets want of a TCP stream, for a server whose sockets the crate cannot access once they are wrapped: those
/// under TLS or HTTP/2. To be called where connections are accepted.
///
/// - `TCP_NODELAY`: what is written is a whole message, which would otherwise wait up to 40 ms for the peer's delayed
///   acknowledgement of the one before.
/// - `TCP_NOTSENT_LOWAT` of 128 KiB, on Linux: the kernel takes little more than what is on its way, not megabytes. So a slow
///   peer is seen to take data, and pings do not wait behind it. A message of a megabyte takes more system calls.
///
/// Over HTTP/1.1 without TLS the crate does this itself, as do its client and
/// [`Manager::from_upgraded`](crate::Manager::from_upgraded) with a `TcpStream`. With the feature `rustls` it does it under a
/// `tokio_rustls` stream too, also over HTTP/1.1 under hyper.
///
/// ```
/// use axum::serve::ListenerExt;
/// use tokio::net::TcpListener;
/// use tower_websocket::prepare_socket;
///
/// # async fn serve() -> std::io::Result<()> {
/// let listener = TcpListener::bind("127.0.0.1:0").await?;
/// let listener = listener.tap_io(|stream| drop(prepare_socket(stream)));
/// # drop(listener);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// That of the operating system, as where the peer is gone already. The stream can be used all the same.
#[doc(alias = "TCP_NODELAY")]
#[doc(alias = "TCP_NOTSENT_LOWAT")]
#[doc(alias = "set_nodelay")]
pub fn prepare_socket(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    limit_unsent(stream, MOST_UNSENT)
}

/// The same for a client's transport, which hyper's client then hides, where it is known to be a TCP stream.
#[cfg(feature = "client")]
pub(crate) fn prepare<Io: 'static>(io: &Io) {
    if let Some(Err(error)) = tcp_stream(io).map(prepare_socket) {
        // The socket is over, which the first read or write reports.
        tracing::trace!(%error, "could not prepare the socket");
    }
}

/// Sets `TCP_NODELAY` alone, where this is known to be a TCP stream, by itself or under TLS. The connection's task knows it too,
/// and limits what the kernel takes once it sends much.
pub(super) fn set_nodelay<Io: 'static>(io: &Io) {
    if let Some(Err(error)) = tcp_stream(io).map(|stream| stream.set_nodelay(true)) {
        tracing::trace!(%error, "could not set TCP_NODELAY");
    }
}

/// Bytes in the kernel that are not on their way yet: enough for a link of 10 Gbit/s that is written to every 0.1 ms.
const MOST_UNSENT: u32 = 128 * 1024;
