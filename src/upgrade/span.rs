//! The tracing span of a connection: the peer's address, the path, and the subprotocol.

use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::Arc;

use http::Uri;
use http::request::Parts;
use tracing::Span;

use super::hooks::Hook;
use super::upgrader::Upgrader;
use crate::log_text::{LONGEST_VALUE, shortened};

/// For the log.
impl Upgrader {
    /// The types in a request's extensions that hold the peer's address and the URI that the client sent, for the `peer` and the
    /// `path` of a connection's tracing span and of a refused handshake. For axum:
    ///
    /// ```
    /// use std::net::SocketAddr;
    /// use axum::extract::{ConnectInfo, OriginalUri};
    /// use tower_websocket::Upgrader;
    ///
    /// let upgrader = Upgrader::new().span_from::<ConnectInfo<SocketAddr>, OriginalUri>();
    /// ```
    ///
    /// `ConnectInfo` is in the extensions if the router is served with
    /// `into_make_service_with_connect_info::<SocketAddr>()`. `OriginalUri` is there in every router; in a nested one it has
    /// the prefix that the request's own URI does not have.
    ///
    /// For a request without them, the defaults of [`peer_addr`](Self::peer_addr) and [`original_uri`](Self::original_uri)
    /// apply. Use these two methods if a function must find the values.
    #[doc(alias = "ConnectInfo")]
    #[doc(alias = "OriginalUri")]
    pub fn span_from<Peer, Original>(self) -> Self
    where
        Peer: Deref<Target = SocketAddr> + Send + Sync + 'static,
        Original: Deref<Target = Uri> + Send + Sync + 'static,
    {
        let address = |request: &Parts| {
            let peer = request.extensions.get::<Peer>().map(|peer| **peer);
            peer.or_else(|| request.extensions.get().copied())
        };
        self.peer_addr(address).original_uri(|request| request.extensions.get::<Original>().map(|original| &**original))
    }

    /// Finds the peer's address in a request, for the log: it is the `peer` of a connection's tracing span and of a refused
    /// handshake, and identifies the WebSockets that share an HTTP/2 connection. By default it is a [`SocketAddr`] in the
    /// request's extensions.
    ///
    /// It is used for nothing else, so it may come from a header that a proxy sets.
    /// [`OriginPolicy::trusted_proxies`](crate::OriginPolicy::trusted_proxies) uses only a `SocketAddr` in the extensions;
    /// [`OriginPolicy::trusted_proxies_by`](crate::OriginPolicy::trusted_proxies_by) is for addresses elsewhere.
    ///
    /// ```
    /// use std::net::IpAddr;
    /// use tower_websocket::Upgrader;
    ///
    /// // For a server behind a proxy that sends the client's address.
    /// let upgrader = Upgrader::new().peer_addr(|request| {
    ///     let address: IpAddr = request.headers.get("x-real-ip")?.to_str().ok()?.parse().ok()?;
    ///     Some((address, 0).into())
    /// });
    /// ```
    ///
    /// [`span_from`](Self::span_from) is shorter if another type in the extensions has it, such as axum's `ConnectInfo`.
    #[doc(alias = "RemoteAddr")]
    pub fn peer_addr(mut self, peer: impl Fn(&Parts) -> Option<SocketAddr> + Send + Sync + 'static) -> Self {
        self.settings().peer_addr = Some(Hook(Arc::new(peer)));
        self
    }

    /// Finds the URI that the client sent, for the `path` of a connection's tracing span and of a refused handshake. By
    /// default it is the request's own, which in a nested router does not have the router's prefix.
    ///
    /// ```
    /// use http::Uri;
    /// use tower_websocket::Upgrader;
    ///
    /// // An outer layer has stored the URI in the extensions, and then changed that of the request.
    /// let upgrader = Upgrader::new().original_uri(|request| request.extensions.get::<Uri>());
    /// ```
    ///
    /// [`span_from`](Self::span_from) is shorter if another type in the extensions has it, such as axum's `OriginalUri`.
    pub fn original_uri(mut self, uri: impl Fn(&Parts) -> Option<&Uri> + Send + Sync + 'static) -> Self {
        self.settings().original_uri = Some(Hook(Arc::new(uri)));
        self
    }
}

impl Upgrader {
    /// The address of the peer that sent this request, where it is known.
    pub(super) fn peer_of(&self, request: &Parts) -> Option<SocketAddr> {
        match &self.0.peer_addr {
            Some(peer) => (peer.0)(request),
            None => request.extensions.get().copied(),
        }
    }

    /// The URI that the client sent.
    pub(super) fn uri_of<'a>(&self, request: &'a Parts) -> &'a Uri {
        self.0.original_uri.as_ref().and_then(|original| (original.0)(request)).unwrap_or(&request.uri)
    }

    /// The tracing span of a connection. Values from the client are of bounded length.
    pub(super) fn span(&self, request: &Parts, subprotocol: Option<&str>) -> Span {
        tracing::info_span!(
            target: "tower_websocket",
            "websocket",
            path = &*shortened(self.uri_of(request).path(), LONGEST_VALUE),
            peer = self.peer_of(request).map(tracing::field::display),
            subprotocol = subprotocol.map(|subprotocol| shortened(subprotocol, LONGEST_VALUE)).as_deref(),
        )
    }
}
