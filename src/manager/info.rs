//! Information about a connection.

use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use http::request::Parts;

use super::handle::Manager;
use crate::connection::{Inner, Waiter, Waiting};
use crate::error::Error;
use crate::stats::Stats;

/// About the connection.
impl Manager {
    /// An identifier of the connection. It is the same for all its handles, and unique in the process.
    #[must_use]
    pub fn id(&self) -> ConnectionId {
        ConnectionId(self.shared.connection.id())
    }

    /// The request that opened the connection: method, URI, version, headers, and extensions, in which outer layers put the
    /// peer's address and state.
    ///
    /// Over HTTP/2 the method is `CONNECT` and the URI includes scheme and host. The headers are as over HTTP/1.1: cookies
    /// from several fields are joined, and `Host` is added.
    ///
    /// The URI is the one that reached the layer. In a nested router of axum it does not have the router's prefix;
    /// `axum::extract::OriginalUri`, in the extensions, does.
    ///
    /// It is stored until the connection is dropped or [`drop_request`](Self::drop_request) is called.
    #[doc(alias = "RemoteAddr")]
    #[must_use]
    pub fn request(&self) -> Arc<Parts> {
        self.shared.request.get()
    }

    /// Frees the memory of the request. From then on [`request`](Self::request) returns an empty one.
    ///
    /// The headers of a browser need about 2 KiB.
    pub fn drop_request(&self) {
        self.shared.request.clear();
    }

    /// The subprotocol that was agreed upon (RFC 6455 §1.9).
    #[doc(alias = "selected_protocol")]
    #[doc(alias = "Subprotocol")]
    #[doc(alias = "protocol")]
    #[must_use]
    pub fn subprotocol(&self) -> Option<&str> {
        self.shared.subprotocol.as_deref()
    }

    /// Whether permessage-deflate (RFC 7692) was agreed upon.
    ///
    /// `Compression` then decides which messages are compressed.
    #[must_use]
    pub fn is_compressed(&self) -> bool {
        self.shared.connection.is_compressed()
    }

    /// Sends a ping (RFC 6455 §5.5.2), waits for its pong and returns the time between them.
    ///
    /// The keepalive sends its own pings; this is for measuring.
    ///
    /// # Errors
    ///
    /// The reason why the connection has ended.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future has no effect on the connection.
    #[doc(alias = "PingMessage")]
    #[doc(alias = "PongMessage")]
    #[doc(alias = "WriteControl")]
    #[doc(alias = "SetPongHandler")]
    pub async fn ping(&self) -> Result<Duration, Error> {
        let number = self.shared.connection.ping()?;
        let mut waiter = Waiter::new(&self.shared.connection, Waiting::Watcher);
        poll_fn(|cx| waiter.poll(cx, |connection, key, cx| connection.poll_pong(number, key, cx))).await
    }

    /// The time between the last answered ping and its pong. `None` before the first pong.
    #[must_use]
    pub fn round_trip(&self) -> Option<Duration> {
        self.shared.connection.round_trip()
    }

    /// Counters of messages and bytes.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.shared.connection.stats()
    }
}

/// Identifies a connection, for instance as the key of a map; returned by [`Manager::id`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId(u64);

impl ConnectionId {
    pub(crate) fn of(connection: &Inner) -> Self {
        Self(connection.id())
    }

    pub(crate) fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
