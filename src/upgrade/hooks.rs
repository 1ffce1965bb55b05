//! The functions that users can set for an endpoint.

use std::fmt;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{Response, Uri};

use crate::close::CloseFrame;
use crate::connection::Inner;
use crate::error::{Error, ErrorKind};
use crate::handshake::{Rejection, StoredRequest};
use crate::panic_payload::drop_payload;
use crate::stats::Stats;

/// A shared function.
pub(super) struct Hook<F: ?Sized>(pub(super) Arc<F>);

/// May replace the response to a refused handshake.
pub(super) type OnRejection = dyn Fn(&Rejection, Response<Bytes>) -> Response<Bytes> + Send + Sync;

/// Called at the end of a connection.
pub(super) type OnEnd = dyn Fn(&Parts, &Result<CloseFrame, Error>, Stats) + Send + Sync;

/// Finds the peer's address in a request.
pub(super) type PeerAddr = dyn Fn(&Parts) -> Option<SocketAddr> + Send + Sync;

/// Finds the URI that the client sent in a request.
pub(super) type OriginalUri = dyn Fn(&Parts) -> Option<&Uri> + Send + Sync;

impl<F: ?Sized> Clone for Hook<F> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<F: ?Sized> fmt::Debug for Hook<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("..")
    }
}

/// Calls `on_end` when it is dropped, which happens once for each connection, however it ends.
#[derive(Debug)]
pub(super) struct EndReport {
    hook: Hook<OnEnd>,
    request: StoredRequest,
    // Not a handle: unread messages are discarded when the last handle is dropped. `None` until the connection is prepared.
    connection: Option<Arc<Inner>>,
}

impl EndReport {
    /// The report for a handshake that is being accepted.
    pub(super) fn new(hook: Hook<OnEnd>, request: &mut StoredRequest) -> Box<Self> {
        Box::new(Self { hook, request: request.share(), connection: None })
    }

    /// Sets the connection whose end is reported.
    pub(super) fn attach(&mut self, connection: &Arc<Inner>) {
        self.connection = Some(connection.clone());
    }
}

impl Drop for EndReport {
    /// A panic in `on_end` is caught: a drop must not panic.
    fn drop(&mut self) {
        let connection = self.connection.as_ref();
        let end = connection.and_then(|connection| connection.close_reason());
        let end = end.unwrap_or_else(|| Err(Error::new(ErrorKind::Disconnected)));
        let stats = connection.map_or_else(Stats::default, |connection| connection.stats());
        let request = self.request.get();
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| (self.hook.0)(&request, &end, stats))) {
            drop_payload(payload);
            tracing::error!("`on_end` panicked");
        }
    }
}
