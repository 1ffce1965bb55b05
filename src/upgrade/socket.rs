//! Socket options for WebSockets.

use std::io;

use tokio::net::TcpStream;

use crate::connection::{limit_unsent, tcp_stream};

/// Sets the socket options that WebSockets need. Call it where a server accepts connections, if it wraps them in TLS or uses
/// HTTP/2: the crate cannot access those sockets later.
///
/// - `TCP_NODELAY`: a message is sent at once. With Nagle's algorithm it would wait up to 40 ms for the peer's delayed
///   acknowledgement of the message before.
/// - `TCP_NOTSENT_LOWAT` of 128 KiB, on Linux: the kernel buffers not much more than the data in flight, instead of
///   megabytes. So the crate can observe that a slow peer accepts data, and pings do not wait in a long queue. A message of
///   a megabyte needs more system calls.
///
/// Over HTTP/1.1 without TLS the crate sets them itself, as do its client and
/// [`Manager::from_upgraded`](crate::Manager::from_upgraded) with a `TcpStream`. With the feature `rustls`, it also does so
/// for a `tokio_rustls` stream over HTTP/1.1 or in `from_upgraded`.
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
/// The error of the operating system, for instance if the peer has disconnected. The stream can still be used.
#[doc(alias = "TCP_NODELAY")]
#[doc(alias = "TCP_NOTSENT_LOWAT")]
#[doc(alias = "set_nodelay")]
pub fn prepare_socket(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    limit_unsent(stream, MAX_UNSENT)
}

/// As [`prepare_socket`], for a client's transport before hyper wraps it, if it is known to be a TCP stream.
#[cfg(feature = "client")]
pub(crate) fn prepare<Io: 'static>(io: &Io) {
    if let Some(Err(error)) = tcp_stream(io).map(prepare_socket) {
        // The socket is closed, which the first read or write reports.
        tracing::trace!(%error, "could not prepare the socket");
    }
}

/// Sets only `TCP_NODELAY`, if this is known to be a TCP stream, with or without TLS. The connection's task sets
/// `TCP_NOTSENT_LOWAT` on such a stream when it sends a lot of data.
pub(super) fn set_nodelay<Io: 'static>(io: &Io) {
    if let Some(Err(error)) = tcp_stream(io).map(|stream| stream.set_nodelay(true)) {
        tracing::trace!(%error, "could not set TCP_NODELAY");
    }
}

/// How many bytes the kernel may buffer that are not sent yet: enough for a link of 10 Gbit/s that is written to every 0.1 ms.
const MAX_UNSENT: u32 = 128 * 1024;
