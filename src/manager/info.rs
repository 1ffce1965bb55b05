//! What is known of a connection.

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
    /// Which connection this is: the same for all its handles, and for no other connection of the process.
    #[must_use]
    pub fn id(&self) -> ConnectionId {
        ConnectionId(self.shared.connection.id())
    }

    /// The request that opened the connection: method, URI, version, headers, and extensions, where outer layers put
    /// peer addresses and state.
    ///
    /// Over HTTP/2 the method is `CONNECT` and the URI is whole, scheme and host included. Cookies that came in several
    /// fields are joined, and `Host` is there, so that headers are what they are over HTTP/1.1.
    ///
    /// The URI is the one that reached the layer: in a nested router of axum it is without the router's prefix, and
    /// `axum::extract::OriginalUri`, in the extensions, is whole.
    ///
    /// It is kept for as long as the connection unless [`drop_request`](Self::drop_request) is called.
    #[doc(alias = "RemoteAddr")]
    #[must_use]
    pub fn request(&self) -> Arc<Parts> {
        self.shared.request.get()
    }

    /// Frees the memory of the request; from here on [`request`](Self::request) returns an empty one.
    ///
    /// A browser's headers take about 2 KiB.
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
    /// Messages are then compressed as `Compression` says, which need not be each of them.
    #[must_use]
    pub fn is_compressed(&self) -> bool {
        self.shared.connection.is_compressed()
    }

    /// Sends a ping (RFC 6455 §5.5.2), waits for its pong and returns the time between.
    ///
    /// The keepalive pings by itself; this is for measuring.
    ///
    /// # Errors
    ///
    /// The reason why the connection is over.
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

    /// The time between the last answered ping and its pong, if any was answered yet.
    #[must_use]
    pub fn round_trip(&self) -> Option<Duration> {
        self.shared.connection.round_trip()
    }

    /// What the connection has carried so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.shared.connection.stats()
    }
}

/// Which connection a [`Manager`] belongs to, as a key for maps: made by [`Manager::id`].
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
