//! The settings of one endpoint.

use std::sync::Arc;

use http::request::Parts;
use http::{Request, Response, Version};
use tokio_util::sync::CancellationToken;

use super::config::WebSocketConfig;
use super::io::PendingTransport;
use super::upgrade::Upgrade;
use crate::connection::{Keepalive, Terms};
use crate::deflate::Compression;
use crate::handshake::{
    Accepted, Head, KeptRequest, OriginPolicy, Protocol, Rejection, RejectionKind, Rules, Subprotocols, copied,
};
use crate::limits::Limits;
use crate::role::Role;

/// The settings of one endpoint: who may connect, and on what terms.
///
/// Give it to a [`WebSocketLayer`](crate::WebSocketLayer), put it into a request's extensions to override the layer's
/// for that request, or use it without a layer with [`upgrade`](Self::upgrade). Cloning is cheap.
///
/// ```
/// use std::time::Duration;
/// use tower_websocket::{Compression, Keepalive, OriginPolicy, Upgrader};
///
/// let upgrader = Upgrader::new()
///     .origin(OriginPolicy::list(["https://app.example.com"])?)
///     .subprotocols(["chat.v2", "chat.v1"])
///     .compression(Compression::default().threshold(256))
///     .keepalive(Keepalive::default().interval(Duration::from_secs(20)).timeout(Duration::from_secs(45)));
/// # Ok::<(), tower_websocket::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Upgrader(Arc<Settings>);

#[derive(Clone, Debug, Default)]
struct Settings {
    rules: Rules,
    config: WebSocketConfig,
    context: Option<CancellationToken>,
}

impl Upgrader {
    /// The default settings.
    pub fn new() -> Self {
        Self::default()
    }

    /// Which origins may connect. [`OriginPolicy::same_host`] by default.
    pub fn origin(mut self, policy: OriginPolicy) -> Self {
        self.settings().rules.origin = policy;
        self
    }

    /// The subprotocols of this endpoint, the preferred one first (RFC 6455 §1.9). None by default.
    ///
    /// The first one that the client offers is agreed on; where none is, the connection opens without a subprotocol.
    ///
    /// # Panics
    ///
    /// If one of them is not a token, such as an empty one or one with a space.
    pub fn subprotocols<S: AsRef<str>>(mut self, subprotocols: impl IntoIterator<Item = S>) -> Self {
        self.settings().rules.subprotocols =
            Subprotocols::list(subprotocols).expect("a subprotocol is a token (RFC 6455 section 4.1)");
        self
    }

    /// Chooses the subprotocol by a function of those that the client offers, in the client's order.
    ///
    /// What was not offered is not sent (RFC 6455 §4.2.2): the connection then opens without a subprotocol.
    ///
    /// ```
    /// use tower_websocket::Upgrader;
    ///
    /// // The client's CSRF token travels as a subprotocol, which must be echoed.
    /// let upgrader = Upgrader::new().select_subprotocol(|offered| {
    ///     offered.iter().find(|name| name.starts_with("csrf.")).map(ToString::to_string)
    /// });
    /// ```
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
    pub fn compression(self, compression: Compression) -> Self {
        self.with_config(|config| config.compression(compression))
    }

    /// Accepts no compression.
    pub fn without_compression(self) -> Self {
        self.with_config(WebSocketConfig::without_compression)
    }

    /// How the connection is kept alive. A ping every 3 s of silence and an end after 5 s by default.
    pub fn keepalive(self, keepalive: Keepalive) -> Self {
        self.with_config(|config| config.keepalive(keepalive))
    }

    /// What a connection may cost.
    pub fn limits(self, limits: Limits) -> Self {
        self.with_config(|config| config.limits(limits))
    }

    /// A token whose cancellation closes the connections with 1001. None by default.
    pub fn context(mut self, context: CancellationToken) -> Self {
        self.settings().context = Some(context);
        self
    }

    /// The origin policy that was set, or the default.
    pub fn get_origin(&self) -> &OriginPolicy {
        &self.0.rules.origin
    }

    /// What was set for compression, keepalive and limits, or the default.
    pub fn get_config(&self) -> &WebSocketConfig {
        &self.0.config
    }

    /// Answers an opening handshake without a layer, in any handler that gets the whole request.
    ///
    /// Send the response, and run the [`Upgrade`] in a task of its own: it waits for the response to be out.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use http::{Request, Response};
    /// use http_body_util::Full;
    /// use tower_websocket::{Manager, Upgrader};
    ///
    /// fn handle<B>(mut request: Request<B>) -> Response<Full<Bytes>> {
    ///     match Upgrader::new().upgrade(&mut request) {
    ///         Ok((response, upgrade)) => {
    ///             tokio::spawn(upgrade.run(|ws: Manager| async move { ws.send("welcome").await }));
    ///             response
    ///         }
    ///         Err(rejection) => rejection.into_response(request.version()).map(Full::new),
    ///     }
    /// }
    /// ```
    ///
    /// An `Upgrader` in the request's extensions means nothing here, and neither a
    /// [`Shutdown`](crate::Shutdown) nor a limit on connections counts this one: give it a [`context`](Self::context).
    ///
    /// # Errors
    ///
    /// Why the handshake is refused, and [`RejectionKind::NotWebSocket`] where the request is none;
    /// [`Rejection::into_response`] makes the response that says so.
    pub fn upgrade<B, R: Default>(&self, request: &mut Request<B>) -> Result<(Response<R>, Upgrade), Rejection> {
        let head = Head::from(&*request);
        let protocol = head.protocol().ok_or_else(|| Rejection::new(RejectionKind::NotWebSocket))?;
        let accepted = self.check(head, protocol)?;
        let transport = PendingTransport::take(request.extensions_mut())
            .ok_or_else(|| Rejection::new(RejectionKind::NotUpgradable))?;
        Ok(self.accept(accepted, copied(request), transport))
    }
}

impl Upgrader {
    /// Whether this endpoint takes the handshake.
    pub(crate) fn check(&self, head: Head<'_>, protocol: Protocol) -> Result<Accepted, Rejection> {
        self.0.rules.check(head, protocol)
    }

    /// Answers a handshake that was taken.
    pub(crate) fn accept<R: Default>(
        &self,
        accepted: Accepted,
        request: Parts,
        transport: PendingTransport,
    ) -> (Response<R>, Upgrade) {
        let compression = self.0.config.get_compression();
        let deflate = compression.and_then(|compression| Some((compression, compression.accept(&request.headers)?)));
        let subprotocol = accepted.subprotocol().map(Box::from);
        let response = accepted.into_response(deflate.as_ref().map(|(_, negotiated)| negotiated.response_value()));
        // RFC 6455 §7.1.1: over HTTP/1.1 the server ends the transport. A stream of HTTP/2 would be reset by that.
        let terms =
            Terms { read_to_end: request.version >= Version::HTTP_2, ..self.0.config.terms(Role::Server, deflate) };
        let request = KeptRequest::new(request);
        let upgrade = Upgrade::new(transport, terms, request, subprotocol, self.0.context.clone());
        (response.map(|()| R::default()), upgrade)
    }

    fn with_config(mut self, set: impl FnOnce(WebSocketConfig) -> WebSocketConfig) -> Self {
        let settings = self.settings();
        settings.config = set(std::mem::take(&mut settings.config));
        self
    }

    fn settings(&mut self) -> &mut Settings {
        Arc::make_mut(&mut self.0)
    }
}
