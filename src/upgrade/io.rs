//! The transport of an upgraded connection.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::Extensions;
use hyper::upgrade::{OnUpgrade, Parts, Upgraded};
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream};
#[cfg(feature = "rustls")]
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;

use super::socket::set_nodelay;
use crate::connection::{OtherTransport, Transport};
use crate::error::BoxError;

/// A transport, and what was read from it together with the handshake.
#[derive(Debug)]
pub(crate) struct UpgradedIo {
    pub(crate) transport: Transport<OtherTransport>,
    pub(crate) read_buf: Bytes,
}

impl From<Upgraded> for UpgradedIo {
    /// Takes a TCP stream out of hyper's wrappers, which cost more than 200 instructions for each message (`benches/echo.rs`). Also
    /// a rustls stream over TCP: with access to its socket, the kernel's send queue can be read.
    fn from(upgraded: Upgraded) -> Self {
        let upgraded = match unwrapped(upgraded) {
            Ok((stream, read_buf)) => {
                set_nodelay(&stream);
                return Self { transport: Either::Left(stream), read_buf };
            }
            Err(upgraded) => upgraded,
        };
        #[cfg(feature = "rustls")]
        let upgraded = match unwrapped::<TlsStream<_>>(upgraded) {
            Ok((tls, read_buf)) => {
                set_nodelay(tls.get_ref().0);
                return Self { transport: Either::Right(Either::Left(Either::Left(Box::new(tls)))), read_buf };
            }
            Err(upgraded) => Either::Right(TokioIo::new(upgraded)),
        };
        #[cfg(not(feature = "rustls"))]
        let upgraded = TokioIo::new(upgraded);
        Self { transport: Either::Right(Either::Left(upgraded)), read_buf: Bytes::new() }
    }
}

/// The I/O type that hyper was given, if it is this one, and the bytes that were read from it already.
fn unwrapped<Io>(upgraded: Upgraded) -> Result<(Io, Bytes), Upgraded>
where
    Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let upgraded = match upgraded.downcast::<TokioIo<Io>>() {
        Ok(Parts { io, read_buf, .. }) => return Ok((io.into_inner(), read_buf)),
        Err(upgraded) => upgraded,
    };
    auto::upgrade::downcast::<TokioIo<Io>>(upgraded).map(|parts| (parts.io.into_inner(), parts.read_buf))
}

/// The transport of a request, which becomes available when the response was sent.
#[derive(Debug)]
pub(crate) enum PendingTransport {
    Hyper(OnUpgrade),
    Memory(Option<DuplexStream>),
}

/// Takes the place of hyper's [`OnUpgrade`], which only hyper can create, in the extensions of a request in memory.
#[derive(Clone, Debug)]
pub(crate) struct MemoryUpgrade(Arc<Mutex<Option<DuplexStream>>>);

impl MemoryUpgrade {
    pub(crate) fn new(stream: DuplexStream) -> Self {
        Self(Arc::new(Mutex::new(Some(stream))))
    }
}

impl PendingTransport {
    /// Takes it out of a request's extensions. Only for a request that is accepted: nothing else can upgrade it afterwards.
    pub(crate) fn take(extensions: &mut Extensions) -> Option<Self> {
        if let Some(upgrade) = extensions.remove() {
            return Some(Self::Hyper(upgrade));
        }
        let MemoryUpgrade(stream) = extensions.remove()?;
        let stream = stream.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        Some(Self::Memory(Some(stream)))
    }

    /// Waits until the response was sent. Must not be called again after it was ready.
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
