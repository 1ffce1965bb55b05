//! The getters of a client's settings.

use http::HeaderMap;
use http::header::SEC_WEBSOCKET_PROTOCOL;

use super::connector::Connector;
use crate::handshake::Lines;
use crate::upgrade::WebSocketConfig;

/// What was set.
impl Connector {
    /// What was set for compression, keepalive and limits, or the default.
    pub fn get_config(&self) -> &WebSocketConfig {
        &self.config
    }

    /// The headers that were set with [`header`](Self::header), and `Sec-WebSocket-Protocol` for
    /// [`subprotocols`](Self::subprotocols).
    pub fn get_headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The subprotocols that are offered, the preferred one first.
    pub fn get_subprotocols(&self) -> impl Iterator<Item = &str> {
        Lines::of(&self.headers, SEC_WEBSOCKET_PROTOCOL).elements().filter_map(|offer| str::from_utf8(offer).ok())
    }

    /// Whether [`http2`](Self::http2) was set.
    #[must_use]
    pub fn get_http2(&self) -> bool {
        self.http2
    }

    /// The TLS configuration that was set, with [`tls_config`](Self::tls_config) or as the operating system's certificates.
    /// `None` for Mozilla's root certificates.
    #[cfg(feature = "rustls")]
    #[cfg_attr(docsrs, doc(cfg(feature = "rustls")))]
    #[must_use]
    pub fn get_tls_config(&self) -> Option<&std::sync::Arc<tokio_rustls::rustls::ClientConfig>> {
        self.tls.as_ref()
    }

    /// The proxies that were set with [`proxy`](Self::proxy).
    #[cfg(feature = "proxy")]
    #[cfg_attr(docsrs, doc(cfg(feature = "proxy")))]
    pub fn get_proxy(&self) -> Option<&super::proxy::Proxy> {
        self.proxy.as_ref()
    }
}
