//! What an upgraded connection runs over.

use std::any::Any;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::Extensions;
use hyper::upgrade::{OnUpgrade, Parts, Upgraded};
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto;
use tokio::io::DuplexStream;
use tokio::net::TcpStream;
use tokio_util::either::Either;

use crate::connection::{Transport, limit_unsent};
use crate::error::BoxError;

/// A transport that is no TCP stream: any other of hyper's, or one in memory.
pub(crate) type OtherTransport = Either<TokioIo<Upgraded>, DuplexStream>;

/// A transport, and what was read from it together with the handshake.
#[derive(Debug)]
pub(crate) struct UpgradedIo {
    pub(crate) transport: Transport<OtherTransport>,
    pub(crate) read_buf: Bytes,
}

impl From<Upgraded> for UpgradedIo {
    /// Takes a TCP stream out of hyper's wrappers: they cost each message more than 200 instructions (`benches/echo.rs`).
    fn from(upgraded: Upgraded) -> Self {
        let stream = |io: TokioIo<TcpStream>| {
            let stream = io.into_inner();
            set_nodelay(&stream);
            Either::Left(stream)
        };
        let upgraded = match upgraded.downcast() {
            Ok(Parts { io, read_buf, .. }) => return Self { transport: stream(io), read_buf },
            Err(upgraded) => upgraded,
        };
        match auto::upgrade::downcast(upgraded) {
            Ok(auto::upgrade::Parts { io, read_buf, .. }) => Self { transport: stream(io), read_buf },
            Err(upgraded) => {
                Self { transport: Either::Right(Either::Left(TokioIo::new(upgraded))), read_buf: Bytes::new() }
            }
        }
    }
}

/// Sets what a WebSocket wants of its socket, where this is a TCP stream, by itself or under TLS:
///
/// - `TCP_NODELAY`, as what is written is a whole message, which would otherwise wait up to 40 ms for the peer's delayed
///   acknowledgement of the one before.
/// - `TCP_NOTSENT_LOWAT` on Linux: the kernel takes little more than what is on its way, not megabytes. So a slow peer is seen
///   to take data, and pings do not wait behind it. A server's connection without TLS does that itself when it sends much, as
///   it also asks the kernel how much the peer has acknowledged.
pub(crate) fn set_socket_options<Io: 'static>(io: &Io) {
    let io: &dyn Any = io;
    let stream = io.downcast_ref::<TcpStream>();
    #[cfg(feature = "rustls")]
    let stream = stream.or_else(|| {
        use tokio_rustls::{TlsStream, client, server};

        let client = io.downcast_ref::<client::TlsStream<TcpStream>>().map(|tls| tls.get_ref().0);
        let server = || io.downcast_ref::<server::TlsStream<TcpStream>>().map(|tls| tls.get_ref().0);
        let either = || io.downcast_ref::<TlsStream<TcpStream>>().map(|tls| tls.get_ref().0);
        client.or_else(server).or_else(either)
    });
    if let Some(stream) = stream {
        set_nodelay(stream);
        limit_unsent(stream, MOST_UNSENT);
    }
}

fn set_nodelay(stream: &TcpStream) {
    if let Err(error) = stream.set_nodelay(true) {
        // The socket is over, which the first read or write reports.
        tracing::trace!(%error, "could not set TCP_NODELAY");
    }
}

/// Bytes in the kernel that are not on their way yet: enough for a link of 10 Gbit/s that is written to every 0.1 ms.
const MOST_UNSENT: u32 = 128 * 1024;

/// The transport that a request promises, once it is answered.
#[derive(Debug)]
pub(crate) enum PendingTransport {
    Hyper(OnUpgrade),
    Memory(Option<DuplexStream>),
}

/// Stands in a request's extensions where hyper's [`OnUpgrade`] would, which only hyper can make.
#[derive(Clone, Debug)]
pub(crate) struct MemoryUpgrade(Arc<Mutex<Option<DuplexStream>>>);

impl MemoryUpgrade {
    pub(crate) fn new(stream: DuplexStream) -> Self {
        Self(Arc::new(Mutex::new(Some(stream))))
    }
}

impl PendingTransport {
    /// Takes the promise out of a request's extensions. Only for a request that is accepted: nothing else can upgrade it
    /// afterwards.
    pub(crate) fn take(extensions: &mut Extensions) -> Option<Self> {
        if let Some(upgrade) = extensions.remove() {
            return Some(Self::Hyper(upgrade));
        }
        let MemoryUpgrade(stream) = extensions.remove()?;
        let stream = stream.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        Some(Self::Memory(Some(stream)))
    }

    /// Waits for the response to be out. Not to be called again after it was ready.
    pub(crate) fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<UpgradedIo, BoxError>> {
        match self {
            Self::Hyper(upgrade) => Pin::new(upgrade).poll(cx).map_ok(UpgradedIo::from).map_err(Into::into),
            Self::Memory(stream) => {
                let opened =
                    |stream| UpgradedIo { transport: Either::Right(Either::Right(stream)), read_buf: Bytes::new() };
                Poll::Ready(stream.take().map(opened).ok_or_else(|| "already taken".into()))
            }
        }
    }
}
