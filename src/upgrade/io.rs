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
use tokio::io::DuplexStream;
use tokio::net::TcpStream;
use tokio_util::either::Either;

use crate::connection::Transport;
use crate::error::BoxError;
use crate::handshake::{Rejection, RejectionKind};

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
        let stream = |io: TokioIo<TcpStream>| Either::Left(io.into_inner());
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

/// The transport that a request promises, once it is answered.
#[derive(Debug)]
pub(crate) enum PendingTransport {
    Hyper(OnUpgrade),
    Memory(Option<DuplexStream>),
}

/// Stands in a request's extensions where hyper's [`OnUpgrade`] would, which nobody but hyper can make.
#[derive(Clone, Debug)]
pub(crate) struct MemoryUpgrade(Arc<Mutex<Option<DuplexStream>>>);

impl MemoryUpgrade {
    pub(crate) fn new(stream: DuplexStream) -> Self {
        Self(Arc::new(Mutex::new(Some(stream))))
    }
}

impl PendingTransport {
    /// Takes the promise out of a request's extensions. Only for a request that is accepted: nobody else can upgrade it
    /// afterwards.
    pub(crate) fn take(extensions: &mut Extensions) -> Result<Self, Rejection> {
        let pending = match extensions.remove() {
            Some(MemoryUpgrade(stream)) => {
                stream.lock().unwrap_or_else(PoisonError::into_inner).take().map(|stream| Self::Memory(Some(stream)))
            }
            None => extensions.remove().map(Self::Hyper),
        };
        pending.ok_or_else(|| {
            tracing::error!("{NO_UPGRADES}");
            Rejection::new(RejectionKind::NotUpgradable)
        })
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

const NO_UPGRADES: &str = "a WebSocket handshake came without hyper's `OnUpgrade` in its extensions: either the server \
    performs no upgrades, or another layer has taken it before";
