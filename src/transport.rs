//! What an upgraded connection runs over.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use http::Extensions;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::DuplexStream;
use tokio_util::either::Either;

use crate::error::BoxError;

/// A transport that is there: hyper's, or one in memory.
pub(crate) type Transport = Either<TokioIo<Upgraded>, DuplexStream>;

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
    pub(crate) fn take(extensions: &mut Extensions) -> Option<Self> {
        if let Some(MemoryUpgrade(stream)) = extensions.remove() {
            return stream
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take()
                .map(|stream| Self::Memory(Some(stream)));
        }
        extensions.remove().map(Self::Hyper)
    }

    /// Waits for the response to be out. Not to be called again after it was ready.
    pub(crate) fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<Transport, BoxError>> {
        match self {
            Self::Hyper(upgrade) => {
                Pin::new(upgrade).poll(cx).map_ok(|upgraded| Either::Left(TokioIo::new(upgraded))).map_err(Into::into)
            }
            Self::Memory(stream) => Poll::Ready(stream.take().map(Either::Right).ok_or_else(|| "already taken".into())),
        }
    }
}
