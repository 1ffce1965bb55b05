//! What an upgraded connection runs over.

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
    /// Takes a TCP stream out of hyper's wrappers: they cost each message more than 200 instructions (`benches/echo.rs`). So
    /// too rustls over one, whose socket can then be asked how much the peer has taken.
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

/// What hyper was given, if it is this, and what was read from it already.
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
