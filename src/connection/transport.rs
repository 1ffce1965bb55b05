//! The transport of a connection, and the operations that need its TCP stream.

use std::any::Any;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::DuplexStream;
use tokio::net::TcpStream;
#[cfg(feature = "rustls")]
use tokio_rustls::{TlsStream, client, server};
use tokio_util::either::Either;

#[cfg(any(target_os = "linux", target_os = "android"))]
use self::socket_memory::{SocketMemory, WRITE_QUEUE};

/// A TCP stream, or any other transport.
pub(crate) type Transport<Io> = Either<TcpStream, Io>;

/// A server's transport that is not a TCP stream: any other that hyper has upgraded, or one in memory.
#[cfg(not(feature = "rustls"))]
pub(crate) type OtherTransport = Either<TokioIo<Upgraded>, DuplexStream>;
/// A server's transport that is not a TCP stream: rustls over TCP, any other that hyper has upgraded, or one in memory.
#[cfg(feature = "rustls")]
pub(crate) type OtherTransport = Either<Either<Box<server::TlsStream<TcpStream>>, TokioIo<Upgraded>>, DuplexStream>;

/// The TCP stream of a transport, with or without TLS, if the type of the transport is known.
pub(crate) fn tcp_stream<Io: 'static>(io: &Io) -> Option<&TcpStream> {
    let io: &dyn Any = io;
    let stream = io.downcast_ref();
    #[cfg(feature = "rustls")]
    let stream = stream.or_else(|| under_tls(io));
    stream
}

#[cfg(feature = "rustls")]
fn under_tls(io: &dyn Any) -> Option<&TcpStream> {
    if let Some(Either::Left(Either::Left(tls))) = io.downcast_ref::<OtherTransport>() {
        return Some(tls.get_ref().0);
    }
    let client = io.downcast_ref::<client::TlsStream<TcpStream>>().map(|tls| tls.get_ref().0);
    let server = || io.downcast_ref::<server::TlsStream<TcpStream>>().map(|tls| tls.get_ref().0);
    let either = || io.downcast_ref::<TlsStream<TcpStream>>().map(|tls| tls.get_ref().0);
    client.or_else(server).or_else(either)
}

/// The TCP stream of a connection, if the type of its transport is known.
pub(super) fn socket<Io: 'static>(transport: &Transport<Io>) -> Option<&TcpStream> {
    match transport {
        Transport::Left(stream) => Some(stream),
        Transport::Right(io) => tcp_stream(io),
    }
}

/// Limits how many unsent bytes the kernel buffers (`TCP_NOTSENT_LOWAT`). Does nothing on systems other than Linux.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn limit_unsent(stream: &TcpStream, bytes: u32) -> io::Result<()> {
    socket2::SockRef::from(stream).set_tcp_notsent_lowat(bytes)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn limit_unsent(_: &TcpStream, _: u32) -> io::Result<()> {
    Ok(())
}

/// Whether [`unacknowledged`] can return a value: for a TCP stream on Linux.
pub(super) fn has_send_queue<Io: 'static>(transport: &Transport<Io>) -> bool {
    cfg!(any(target_os = "linux", target_os = "android")) && socket(transport).is_some()
}

/// The memory of the kernel's send queue, in bytes: written data that the peer's kernel has not acknowledged, with overhead. It
/// only falls while nothing is written. `None` if it is not known.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn unacknowledged<Io: 'static>(transport: &Transport<Io>) -> Option<u32> {
    use nix::sys::socket::GetSockOpt;

    SocketMemory.get(socket(transport)?).ok().map(|info| info[WRITE_QUEUE])
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn unacknowledged<Io: 'static>(_: &Transport<Io>) -> Option<u32> {
    None
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod socket_memory {
    use nix::{getsockopt_impl, libc, sockopt_impl};

    sockopt_impl!(
        /// The kernel memory that a socket uses. Since Linux 4.12.
        SocketMemory,
        GetOnly,
        libc::SOL_SOCKET,
        libc::SO_MEMINFO,
        [u32; 9]
    );
    /// `SK_MEMINFO_WMEM_QUEUED` of `linux/sock_diag.h`.
    pub(super) const WRITE_QUEUE: usize = 5;
}

/// Writes the last bytes before our side is shut down. The kernel holds them back (`MSG_MORE`) until the shutdown, and sends them
/// in one packet with the FIN, which saves a twentieth of the time of a short connection (`benches/compare`, handshake).
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn poll_write_last(
    stream: Pin<&mut TcpStream>,
    cx: &mut Context<'_>,
    bytes: &[u8],
) -> Poll<io::Result<usize>> {
    use nix::libc::{MSG_MORE, MSG_NOSIGNAL};
    use socket2::SockRef;
    use tokio::io::Interest;

    let send = || SockRef::from(&*stream).send_with_flags(bytes, MSG_MORE | MSG_NOSIGNAL);
    loop {
        std::task::ready!(stream.poll_write_ready(cx))?;
        match stream.try_io(Interest::WRITABLE, send) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            written => return Poll::Ready(written),
        }
    }
}

/// Writes the last bytes before our side is shut down.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn poll_write_last(
    stream: Pin<&mut TcpStream>,
    cx: &mut Context<'_>,
    bytes: &[u8],
) -> Poll<io::Result<usize>> {
    tokio::io::AsyncWrite::poll_write(stream, cx, bytes)
}

#[cfg(all(test, any(target_os = "linux", target_os = "android")))]
mod tests {
    use std::future::poll_fn;
    use std::io::Read;
    use std::net::TcpListener;

    use tokio::io::AsyncWriteExt;

    use super::*;

    /// Whether the peer receives none of the last bytes before the shutdown. After that it must receive all of them.
    async fn is_held_back() -> io::Result<bool> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let mut stream = TcpStream::connect(listener.local_addr()?).await?;
        stream.set_nodelay(true)?;
        let (mut peer, _) = listener.accept()?;
        assert_eq!(poll_fn(|cx| poll_write_last(Pin::new(&mut stream), cx, b"last")).await?, 4);
        peer.set_nonblocking(true)?;
        let mut all = Vec::new();
        let seen = peer.read_to_end(&mut all);
        assert_eq!(seen.map_err(|error| error.kind()), Err(io::ErrorKind::WouldBlock));
        let held_back = all.is_empty();
        stream.shutdown().await?;
        peer.set_nonblocking(false)?;
        peer.read_to_end(&mut all)?;
        assert_eq!(all, b"last");
        Ok(held_back)
    }

    #[tokio::test]
    async fn the_last_bytes_wait_for_the_end() {
        // The kernel holds bytes back for 200 ms. On a busy machine this thread may read later than that, so try again.
        for _ in 0..100 {
            if is_held_back().await.unwrap() {
                return;
            }
        }
        panic!("sent at once each time");
    }
}
