//! The settings of a client.

use http::header::SEC_WEBSOCKET_PROTOCOL;
use http::{HeaderMap, HeaderName, HeaderValue};

#[cfg(feature = "deflate")]
use crate::deflate::Compression;
#[cfg(feature = "rustls-platform-verifier")]
use crate::error::{Error, ErrorKind};
use crate::handshake::token;
use crate::limits::Limits;
use crate::protocol::Keepalive;
use crate::upgrade::WebSocketConfig;

/// The settings of a client.
///
/// ```no_run
/// use http::{HeaderValue, header};
/// use tower_websocket::{Connector, Error, Limits};
///
/// # async fn example() -> Result<(), Error> {
/// let connector = Connector::new()
///     .header(header::ORIGIN, HeaderValue::from_static("https://app.example.com"))
///     .subprotocols(["chat.v2", "chat.v1"])
///     .limits(Limits::default().max_message_size(16 * 1024 * 1024));
/// let ws = connector.connect("ws://localhost:3000/ws").await?;
/// println!("{:?}", ws.subprotocol());
/// # Ok(())
/// # }
/// ```
///
/// Compression, keepalive and limits have the defaults of a server's [`Upgrader`](crate::Upgrader).
#[doc(alias = "Dialer")]
#[doc(alias = "ClientRequestBuilder")]
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Connector {
    pub(super) config: WebSocketConfig,
    pub(super) headers: HeaderMap,
    pub(super) http2: bool,
    #[cfg(feature = "proxy")]
    pub(super) proxy: Option<super::proxy::Proxy>,
    #[cfg(feature = "rustls")]
    pub(super) tls: Option<std::sync::Arc<tokio_rustls::rustls::ClientConfig>>,
}

impl Connector {
    /// The default settings.
    #[doc(alias = "DefaultDialer")]
    pub fn new() -> Self {
        Self::default()
    }

    /// Compression, keepalive and limits, all at once.
    pub fn config(mut self, config: WebSocketConfig) -> Self {
        self.config = config;
        self
    }

    /// Offers permessage-deflate (RFC 7692) with these settings. On by default.
    #[cfg(feature = "deflate")]
    #[cfg_attr(docsrs, doc(cfg(feature = "deflate")))]
    pub fn compression(mut self, compression: Compression) -> Self {
        self.config = self.config.compression(compression);
        self
    }

    /// Offers no compression.
    pub fn without_compression(mut self) -> Self {
        self.config = self.config.without_compression();
        self
    }

    /// How the connection is kept alive. A ping every 3 s of silence and an end after 5 s by default.
    /// See [`WebSocketConfig::keepalive`].
    pub fn keepalive(mut self, keepalive: Keepalive) -> Self {
        self.config = self.config.keepalive(keepalive);
        self
    }

    /// Limits on memory and time. [`Limits::handshake_timeout`] limits the whole of connecting, with name resolution.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.config = self.config.limits(limits);
        self
    }

    /// Offers these subprotocols, the preferred one first (RFC 6455 §4.1). None by default.
    ///
    /// The server may choose one or none: see [`Manager::subprotocol`](crate::Manager::subprotocol). A proxy that forwards
    /// a client's offer, which may be malformed, sets it with [`header`](Self::header) instead.
    ///
    /// # Panics
    ///
    /// If one of them is not a token, or is given twice.
    #[doc(alias = "with_sub_protocol")]
    #[track_caller]
    pub fn subprotocols<S: AsRef<str>>(mut self, subprotocols: impl IntoIterator<Item = S>) -> Self {
        self.headers.remove(SEC_WEBSOCKET_PROTOCOL);
        for subprotocol in subprotocols {
            let value = token(subprotocol.as_ref()).expect("a subprotocol is a token (RFC 6455 section 4.1)");
            let is_new = self.headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter().all(|earlier| *earlier != value);
            assert!(is_new, "a subprotocol stands once (RFC 6455 section 4.1)");
            self.headers.append(SEC_WEBSOCKET_PROTOCOL, value);
        }
        self
    }

    /// Sends this header with each handshake, such as `Origin`, `Authorization` or `Cookie`. A header of the target's own
    /// request takes precedence.
    ///
    /// Headers of the handshake's own, such as `Sec-WebSocket-Key`, are not overridden. For one connection, a
    /// [`http::Request`] with headers does the same:
    ///
    /// ```no_run
    /// use http::{HeaderValue, Request, header};
    /// use tower_websocket::{BoxError, Connector, Manager};
    ///
    /// # async fn example(token: &str) -> Result<(), BoxError> {
    /// let authorization = HeaderValue::try_from(format!("Bearer {token}"))?;
    /// let ws = Connector::new().header(header::AUTHORIZATION, authorization).connect("ws://localhost:3000/ws").await?;
    ///
    /// let request = Request::get("ws://localhost:3000/ws").header("authorization", format!("Bearer {token}"));
    /// let ws = Manager::connect(request.body(())?).await?;
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "with_header")]
    #[doc(alias = "Jar")]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// Connects over HTTP/2 (RFC 8441). Off by default.
    ///
    /// With `wss://` the client offers both versions (ALPN `h2` and `http/1.1`). If the server chooses HTTP/2 but does not
    /// support WebSockets over it, a second connection is opened with HTTP/1.1, within the same time limit. With `ws://`
    /// there is no negotiation: the server must support HTTP/2. If a server answers with `HTTP_1_1_REQUIRED` (RFC 9113 §7),
    /// a second connection is opened with either scheme. If the second connection is lost, its error is returned; if the
    /// server refuses it, the error is [`ErrorKind::Handshake`](crate::ErrorKind::Handshake) with both reasons.
    ///
    /// Each WebSocket has its own TCP connection with either version.
    pub fn http2(mut self) -> Self {
        self.http2 = true;
        self
    }

    /// Uses this TLS configuration instead of the default one with Mozilla's root certificates. Its ALPN protocols are
    /// replaced.
    ///
    /// Its types are those of [`tower_websocket::rustls`](crate::rustls):
    ///
    /// ```
    /// use std::sync::Arc;
    /// use tower_websocket::Connector;
    /// use tower_websocket::rustls::crypto::ring;
    /// use tower_websocket::rustls::pki_types::CertificateDer;
    /// use tower_websocket::rustls::{ClientConfig, Error, RootCertStore};
    ///
    /// fn connector(own_authority: CertificateDer<'static>) -> Result<Connector, Error> {
    ///     let mut roots = RootCertStore::empty();
    ///     roots.add(own_authority)?;
    ///     let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
    ///         .with_safe_default_protocol_versions()?
    ///         .with_root_certificates(roots)
    ///         .with_no_client_auth();
    ///     Ok(Connector::new().tls_config(Arc::new(config)))
    /// }
    /// ```
    #[cfg(feature = "rustls")]
    #[cfg_attr(docsrs, doc(cfg(feature = "rustls")))]
    #[doc(alias = "TLSClientConfig")]
    pub fn tls_config(mut self, config: std::sync::Arc<tokio_rustls::rustls::ClientConfig>) -> Self {
        self.tls = Some(config);
        self
    }

    /// Uses the certificates that the operating system trusts instead of Mozilla's, which are built in. On Linux these are
    /// in `/etc/ssl`, or where `SSL_CERT_FILE` and `SSL_CERT_DIR` say.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidSetting`] if the platform has no certificates that can be read.
    #[cfg(feature = "rustls-platform-verifier")]
    #[cfg_attr(docsrs, doc(cfg(feature = "rustls-platform-verifier")))]
    pub fn tls_platform_verifier(mut self) -> Result<Self, Error> {
        let config = super::tls::platform_config();
        self.tls = Some(config.map_err(|error| Error::with_source(ErrorKind::InvalidSetting, error))?.into());
        Ok(self)
    }

    /// Connects through these proxies. By default it connects directly, and does not read the environment.
    ///
    /// It has no effect on [`connect_over`](Self::connect_over).
    #[cfg(feature = "proxy")]
    #[cfg_attr(docsrs, doc(cfg(feature = "proxy")))]
    pub fn proxy(mut self, proxy: super::proxy::Proxy) -> Self {
        self.proxy = Some(proxy);
        self
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_was_set_can_be_read() {
        let keepalive = Keepalive::default().interval(Duration::from_secs(4));
        let limits = Limits::default().max_message_size(1234);
        let connector = Connector::new().keepalive(keepalive).limits(limits);
        let all_at_once = Connector::new().config(connector.get_config().clone());
        for config in [connector.get_config(), all_at_once.get_config()] {
            assert_eq!(*config.get_keepalive(), keepalive);
            assert_eq!(config.get_limits().get_max_message_size(), 1234);
        }
    }

    #[test]
    fn subprotocols_are_those_that_were_set_last() {
        let connector = Connector::new().subprotocols(["a", "b"]).subprotocols(["c", "a"]);
        let offered: Vec<_> = connector.headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter().collect();
        assert_eq!(offered, ["c", "a"]);
    }

    #[cfg(feature = "deflate")]
    #[test]
    fn compression_is_what_was_set_last() {
        let settings = Compression::default().threshold(77);
        let connector = Connector::new().without_compression();
        assert!(connector.get_config().get_compression().is_none());
        let connector = connector.compression(settings);
        assert_eq!(connector.get_config().get_compression().map(Compression::get_threshold), Some(77));
        assert!(Connector::new().get_config().get_compression().is_some());
    }
}
