//! The settings that servers, clients and tests share.

use crate::connection::ConnectionConfig;
use crate::deflate::{Compression, Deflater, Inflater, Negotiated};
use crate::limits::{LONGEST, Limits};
use crate::protocol::Keepalive;
use crate::role::Role;

/// The settings that servers and clients have in common: compression, keepalive and limits.
///
/// An [`Upgrader`](crate::Upgrader) and a `Connector` contain one. Make one to give both sides the same settings, or where
/// there is no handshake ([`Manager::from_upgraded`](crate::Manager::from_upgraded)).
///
/// ```
/// use std::time::Duration;
/// use tower_websocket::{Keepalive, Limits, Upgrader, WebSocketConfig};
///
/// let config = WebSocketConfig::new()
///     .keepalive(Keepalive::default().interval(Duration::from_secs(20)).timeout(Duration::from_secs(45)))
///     .limits(Limits::default().max_message_size(64 * 1024));
/// let upgrader = Upgrader::new().config(config.clone());
/// # #[cfg(feature = "client")]
/// let connector = tower_websocket::Connector::new().config(config);
/// ```
#[derive(Clone, Debug)]
#[doc(alias = "settings")]
#[doc(alias = "options")]
#[must_use]
pub struct WebSocketConfig {
    compression: Option<Compression>,
    keepalive: Keepalive,
    limits: Limits,
}

impl Default for WebSocketConfig {
    fn default() -> Self {
        Self { compression: Compression::by_default(), keepalive: Keepalive::default(), limits: Limits::default() }
    }
}

impl WebSocketConfig {
    /// The default settings.
    pub fn new() -> Self {
        Self::default()
    }

    /// Offers or accepts permessage-deflate (RFC 7692) with these settings. On by default.
    #[doc(alias = "EnableCompression")]
    #[cfg(feature = "deflate")]
    #[cfg_attr(docsrs, doc(cfg(feature = "deflate")))]
    pub fn compression(mut self, compression: Compression) -> Self {
        self.compression = Some(compression);
        self
    }

    /// Offers and accepts no compression.
    pub fn without_compression(mut self) -> Self {
        self.compression = None;
        self
    }

    /// How the connection is kept alive. A ping every 3 s of silence and an end after 5 s by default.
    ///
    /// If its [`interval`](Keepalive::interval) is not shorter than its [`timeout`](Keepalive::timeout), which is logged at level
    /// warn, a peer that sends nothing by itself times out before it is pinged. `Keepalive::disabled().timeout(..)` says that
    /// without the warning.
    #[doc(alias = "SetPingHandler")]
    #[doc(alias = "PingHandler")]
    pub fn keepalive(mut self, keepalive: Keepalive) -> Self {
        if let (Some(interval), Some(timeout)) = (keepalive.get_interval(), keepalive.get_timeout())
            && interval >= timeout
            && timeout != LONGEST
        {
            tracing::warn!(
                ?interval,
                ?timeout,
                "the keepalive's interval is not shorter than its timeout: no peer is pinged"
            );
        }
        self.keepalive = keepalive;
        self
    }

    /// Limits on memory and time.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The compression that was set, or the default. `None` after [`without_compression`](Self::without_compression).
    #[cfg(feature = "deflate")]
    #[cfg_attr(docsrs, doc(cfg(feature = "deflate")))]
    #[must_use]
    pub fn get_compression(&self) -> Option<&Compression> {
        self.compression.as_ref()
    }

    /// The keepalive that was set, or the default.
    pub fn get_keepalive(&self) -> &Keepalive {
        &self.keepalive
    }

    /// The limits that were set, or the default.
    pub fn get_limits(&self) -> &Limits {
        &self.limits
    }
}

impl WebSocketConfig {
    /// The compression to offer or to accept.
    pub(crate) fn offered(&self) -> Option<&Compression> {
        self.compression.as_ref()
    }

    /// The configuration of a connection with these settings and this negotiated compression.
    pub(crate) fn connection_config(&self, role: Role, negotiated: Option<Negotiated>) -> ConnectionConfig<'_> {
        let deflate = self.compression.as_ref().zip(negotiated).map(|(compression, negotiated)| {
            (Deflater::new(&negotiated, role, compression), Inflater::new(&negotiated, role))
        });
        let (deflater, inflater) = deflate.unzip();
        ConnectionConfig {
            role,
            limits: &self.limits,
            keepalive: self.keepalive,
            read_to_end: true,
            deflater,
            inflater,
        }
    }
}
