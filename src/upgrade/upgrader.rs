//! The settings of one endpoint.

use std::hash::Hash;
use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use http::request::Parts;
use tokio_util::sync::CancellationToken;

use super::config::WebSocketConfig;
use super::hooks::{Hook, OnEnd, OnRejection, OriginalUri, PeerAddr};
use super::permits::{ConnectionLimits, PerKey, Total};
use crate::close::CloseFrame;
#[cfg(feature = "deflate")]
use crate::deflate::Compression;
use crate::error::Error;
use crate::handshake::{OriginPolicy, Rejection, Rules, Subprotocols};
use crate::limits::Limits;
use crate::protocol::Keepalive;
use crate::shutdown::Shutdown;
use crate::stats::Stats;

/// The settings of one endpoint: everything but its handler.
///
/// It can be used in three ways, with the same effect:
///
/// - in a [`WebSocketLayer`](crate::WebSocketLayer);
/// - in a request's extensions or in the state of axum's router, for the extractor of the feature `axum`;
/// - without a layer, with [`upgrade`](Self::upgrade) or [`upgrade_parts`](Self::upgrade_parts).
///
/// In a request's extensions it also overrides the layer's settings for that request. Settings that it does not set are the
/// layer's: [`context`](Self::context), [`shutdown`](Self::shutdown), [`max_connections`](Self::max_connections),
/// [`max_connections_per_key`](Self::max_connections_per_key), [`on_rejection`](Self::on_rejection),
/// [`on_end`](Self::on_end), [`peer_addr`](Self::peer_addr) and [`original_uri`](Self::original_uri).
///
/// Cloning is cheap. Clones share the limits on connections.
///
/// ```
/// use std::time::Duration;
/// use tower_websocket::{Keepalive, OriginPolicy, Shutdown, Upgrader};
///
/// let shutdown = Shutdown::new();
/// let upgrader = Upgrader::new()
///     .origin(OriginPolicy::list(["https://app.example.com"])?)
///     .subprotocols(["chat.v2", "chat.v1"])
///     .keepalive(Keepalive::default().interval(Duration::from_secs(20)).timeout(Duration::from_secs(45)))
///     .max_connections(10_000)
///     .shutdown(&shutdown)
///     .on_end(|request, end, stats| println!("{}: {end:?} after {} messages", request.uri, stats.messages_received));
/// # #[cfg(feature = "deflate")]
/// let upgrader = upgrader.compression(tower_websocket::Compression::default().threshold(256));
/// # Ok::<(), tower_websocket::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Upgrader(pub(super) Arc<Settings>);

#[derive(Clone, Debug, Default)]
pub(super) struct Settings {
    pub(super) rules: Rules,
    pub(super) config: WebSocketConfig,
    pub(super) context: Option<CancellationToken>,
    pub(super) shutdown: Option<Shutdown>,
    pub(super) connections: ConnectionLimits,
    pub(super) on_rejection: Option<Hook<OnRejection>>,
    pub(super) on_end: Option<Hook<OnEnd>>,
    pub(super) peer_addr: Option<Hook<PeerAddr>>,
    pub(super) original_uri: Option<Hook<OriginalUri>>,
}

impl Upgrader {
    /// The default settings.
    pub fn new() -> Self {
        Self::default()
    }

    /// Which origins may connect. [`OriginPolicy::same_host`] by default.
    #[doc(alias = "CheckOrigin")]
    pub fn origin(mut self, policy: OriginPolicy) -> Self {
        self.settings().rules.origin = policy;
        self
    }

    /// The subprotocols of this endpoint, the preferred one first (RFC 6455 §1.9). None by default.
    ///
    /// The first one that the client offers is chosen. If it offers none of them, the connection opens without a
    /// subprotocol.
    ///
    /// # Panics
    ///
    /// If one of them is not a token, such as an empty one or one with a space.
    #[doc(alias = "Subprotocols")]
    #[doc(alias = "protocols")]
    #[track_caller]
    pub fn subprotocols<S: AsRef<str>>(mut self, subprotocols: impl IntoIterator<Item = S>) -> Self {
        self.settings().rules.subprotocols =
            Subprotocols::list(subprotocols).expect("a subprotocol is a token (RFC 6455 section 4.1)");
        self
    }

    /// Chooses the subprotocol with a function. Its argument is what the client offers, in the client's order.
    ///
    /// A result that the client did not offer is not sent (RFC 6455 §4.2.2): the connection then opens without a
    /// subprotocol.
    ///
    /// ```
    /// use tower_websocket::Upgrader;
    ///
    /// // The client sends its CSRF token as a subprotocol, which the server must return.
    /// let upgrader = Upgrader::new().select_subprotocol(|offered| {
    ///     offered.iter().find(|name| name.starts_with("csrf.")).map(ToString::to_string)
    /// });
    /// ```
    #[doc(alias = "requested_protocols")]
    #[doc(alias = "set_selected_protocol")]
    pub fn select_subprotocol(mut self, select: impl Fn(&[&str]) -> Option<String> + Send + Sync + 'static) -> Self {
        self.settings().rules.subprotocols = Subprotocols::select(select);
        self
    }

    /// Compression, keepalive and limits, all at once.
    pub fn config(mut self, config: WebSocketConfig) -> Self {
        self.settings().config = config;
        self
    }

    /// Accepts permessage-deflate (RFC 7692) with these settings. On by default.
    #[cfg(feature = "deflate")]
    #[cfg_attr(docsrs, doc(cfg(feature = "deflate")))]
    pub fn compression(self, compression: Compression) -> Self {
        self.with_config(|config| config.compression(compression))
    }

    /// Accepts no compression: messages in both directions are uncompressed.
    pub fn without_compression(self) -> Self {
        self.with_config(WebSocketConfig::without_compression)
    }

    /// How connections are kept alive. By default a ping is sent after 3 s without data from the peer, and the connection
    /// ends after 5 s. See [`WebSocketConfig::keepalive`].
    pub fn keepalive(self, keepalive: Keepalive) -> Self {
        let config = self.0.config.clone().keepalive(keepalive);
        self.config(config)
    }

    /// Limits on memory and time.
    pub fn limits(self, limits: Limits) -> Self {
        self.with_config(|config| config.limits(limits))
    }

    /// A token whose cancellation closes the connections with 1001. None by default.
    pub fn context(mut self, context: CancellationToken) -> Self {
        self.settings().context = Some(context);
        self
    }

    /// Closes the connections when this shutdown begins, and refuses new ones with 503 from then on. Several endpoints may
    /// share one. None by default.
    pub fn shutdown(mut self, shutdown: &Shutdown) -> Self {
        self.settings().shutdown = Some(shutdown.clone());
        self
    }

    /// How many connections may be open at the same time. More are refused with 503 and `Retry-After`; with zero, all are.
    /// No limit by default.
    ///
    /// A connection counts from the response to its handshake until it and its handler have ended. Clones share the limit,
    /// also after their other settings were changed.
    ///
    /// Only WebSockets are counted, not other TCP connections. The server must limit the time of connections that send no
    /// request, for instance with hyper's `header_read_timeout`.
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.settings().connections.total = Some(Total::new(connections));
        self
    }

    /// How many connections with the same key, such as those of one address or one user, may be open at the same time. More
    /// are refused with 429 and `Retry-After` (RFC 6585 §4). No limit by default.
    ///
    /// A connection counts as for [`max_connections`](Self::max_connections). One whose key is `None` does not. Keys
    /// without connections need no memory. The function is called for each handshake that passes all other checks.
    ///
    /// ```
    /// use std::net::{IpAddr, Ipv6Addr, SocketAddr};
    /// use tower_websocket::Upgrader;
    ///
    /// /// An address, or the network of 2^64 addresses that one client may have.
    /// fn network(address: IpAddr) -> IpAddr {
    ///     match address.to_canonical() {
    ///         IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
    ///         address => address,
    ///     }
    /// }
    ///
    /// let upgrader = Upgrader::new().max_connections_per_key(20, |request| {
    ///     request.extensions.get::<SocketAddr>().map(|peer| network(peer.ip()))
    /// });
    /// ```
    ///
    /// In axum, the address is a `ConnectInfo<SocketAddr>` in the extensions. For a limit per user see the guide
    /// [`with_axum`](crate::guide::with_axum#authentication-with-cookies).
    ///
    /// Behind a proxy, all connections come from the proxy's address. Use a header as the key then, and only one that the
    /// proxy overwrites. As many people can share an address (NAT), a limit per user can be lower than one per address.
    #[doc(alias = "max_connections_per_ip")]
    pub fn max_connections_per_key<K: Eq + Hash + Clone + Send + Sync + 'static>(
        mut self,
        connections: usize,
        key: impl Fn(&Parts) -> Option<K> + Send + Sync + 'static,
    ) -> Self {
        self.settings().connections.per_key = Some(PerKey::new(connections, key));
        self
    }

    /// Replaces the responses to refused handshakes.
    ///
    /// The function gets the [`Rejection`] and the response that would be sent, with the `Rejection` in its extensions. It
    /// is not called for the 426 of [`WebSocketLayer::into_service`](crate::WebSocketLayer::into_service), which answers
    /// requests that are no handshakes.
    ///
    /// ```
    /// use tower_websocket::{RejectionKind, Upgrader};
    ///
    /// // Hides the endpoint from pages of other sites.
    /// let upgrader = Upgrader::new().on_rejection(|rejection, mut response| {
    ///     if rejection.kind() == RejectionKind::Origin {
    ///         *response.status_mut() = http::StatusCode::NOT_FOUND;
    ///         response.body_mut().clear();
    ///     }
    ///     response
    /// });
    /// ```
    #[doc(alias = "on_upgrade_error")]
    #[doc(alias = "Error")]
    pub fn on_rejection(
        mut self,
        replace: impl Fn(&Rejection, Response<Bytes>) -> Response<Bytes> + Send + Sync + 'static,
    ) -> Self {
        self.settings().on_rejection = Some(Hook(Arc::new(replace)));
        self
    }

    /// Sets a function that is called at the end of each connection, for logs and metrics.
    ///
    /// It is called once for each handshake that was accepted, after the transport and the handler have ended. Its arguments
    /// are the request (an empty one after [`Manager::drop_request`](crate::Manager::drop_request)), the end as
    /// [`Manager::done`](crate::Manager::done) returns it, and the counters of the connection. If the connection never
    /// opened, its task was dropped, or an [`Upgrade`](crate::Upgrade) was dropped without being run, the end is
    /// [`ErrorKind::Disconnected`](crate::ErrorKind::Disconnected). It runs in the connection's task and must not block.
    ///
    /// It is not called for a refused handshake, nor if a handler drops the extractor without calling `on_upgrade`: that
    /// handshake was not accepted.
    ///
    /// ```
    /// use tower_websocket::Upgrader;
    ///
    /// let upgrader = Upgrader::new().on_end(|request, end, stats| match end {
    ///     Ok(frame) => println!("{}: {frame}, {} bytes sent", request.uri, stats.wire_sent),
    ///     Err(error) => println!("{}: {error}, {} bytes sent", request.uri, stats.wire_sent),
    /// });
    /// ```
    #[doc(alias = "OnFailedUpgrade")]
    #[doc(alias = "on_failed_upgrade")]
    pub fn on_end(
        mut self,
        report: impl Fn(&Parts, &Result<CloseFrame, Error>, Stats) + Send + Sync + 'static,
    ) -> Self {
        self.settings().on_end = Some(Hook(Arc::new(report)));
        self
    }

    /// The token that was set with [`context`](Self::context).
    #[must_use]
    pub fn get_context(&self) -> Option<&CancellationToken> {
        self.0.context.as_ref()
    }

    /// The limit of [`max_connections`](Self::max_connections), if one was set.
    #[must_use]
    pub fn get_max_connections(&self) -> Option<usize> {
        Some(self.0.connections.total.as_ref()?.max)
    }

    /// The limit of [`max_connections_per_key`](Self::max_connections_per_key), if one was set.
    #[must_use]
    pub fn get_max_connections_per_key(&self) -> Option<usize> {
        Some(self.0.connections.per_key.as_ref()?.max)
    }

    /// The shutdown that was set with [`shutdown`](Self::shutdown).
    #[must_use]
    pub fn get_shutdown(&self) -> Option<&Shutdown> {
        self.0.shutdown.as_ref()
    }

    /// The origin policy that was set, or the default.
    pub fn get_origin(&self) -> &OriginPolicy {
        &self.0.rules.origin
    }

    /// The subprotocols that were set with [`subprotocols`](Self::subprotocols), the preferred one first. None if
    /// [`select_subprotocol`](Self::select_subprotocol) was called after that.
    pub fn get_subprotocols(&self) -> impl Iterator<Item = &str> {
        self.0.rules.subprotocols.listed()
    }

    /// What was set for compression, keepalive and limits, or the default.
    pub fn get_config(&self) -> &WebSocketConfig {
        &self.0.config
    }
}

impl Upgrader {
    /// These settings for one request. Settings of the server that are not set here are taken from `fallback`.
    pub(crate) fn or(mut self, fallback: &Self) -> Self {
        fn fill<T: Clone>(own: &mut Option<T>, fallback: Option<&T>) {
            if own.is_none() {
                *own = fallback.cloned();
            }
        }

        if !Arc::ptr_eq(&self.0, &fallback.0) {
            let (settings, fallback) = (self.settings(), &fallback.0);
            fill(&mut settings.context, fallback.context.as_ref());
            fill(&mut settings.shutdown, fallback.shutdown.as_ref());
            fill(&mut settings.connections.total, fallback.connections.total.as_ref());
            fill(&mut settings.connections.per_key, fallback.connections.per_key.as_ref());
            fill(&mut settings.on_rejection, fallback.on_rejection.as_ref());
            fill(&mut settings.on_end, fallback.on_end.as_ref());
            fill(&mut settings.peer_addr, fallback.peer_addr.as_ref());
            fill(&mut settings.original_uri, fallback.original_uri.as_ref());
        }
        self
    }

    fn with_config(mut self, set: impl FnOnce(WebSocketConfig) -> WebSocketConfig) -> Self {
        let settings = self.settings();
        settings.config = set(std::mem::take(&mut settings.config));
        self
    }

    pub(super) fn settings(&mut self) -> &mut Settings {
        Arc::make_mut(&mut self.0)
    }
}
