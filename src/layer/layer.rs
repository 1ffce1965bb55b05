//! The tower layer.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{Response, Uri};
use tower_layer::Layer;

use super::endpoint::{Endpoint, Matcher};
use super::path::reason_against;
use super::service::{NotWebSocket, WebSocketService};
use crate::close::CloseFrame;
use crate::error::Error;
use crate::handler::HandlerOutput;
use crate::handshake::Rejection;
use crate::manager::Manager;
use crate::shutdown::Shutdown;
use crate::stats::Stats;
use crate::upgrade::Upgrader;

/// A [`Layer`] that answers WebSocket handshakes and runs a handler for each connection.
///
/// Every other request goes to the inner service unchanged, without an allocation. For several paths, use several layers.
///
/// ```
/// use tower::ServiceBuilder;
/// use tower_websocket::{Error, Manager, WebSocketLayer};
///
/// async fn echo(ws: Manager) -> Result<(), Error> {
///     while let Some(message) = ws.recv().await? {
///         ws.send(message).await?;
///     }
///     Ok(())
/// }
///
/// # async fn page(_: http::Request<String>) -> Result<http::Response<String>, std::convert::Infallible> {
/// #     Ok(http::Response::default())
/// # }
/// let service = ServiceBuilder::new().layer(WebSocketLayer::new(echo).path("/ws")).service_fn(page);
/// ```
///
/// A function that returns a layer needs a type for the handler, with a boxed future:
///
/// ```
/// use std::pin::Pin;
/// use tower_websocket::{Error, Manager, WebSocketLayer};
///
/// type Handler = fn(Manager) -> Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;
///
/// fn greeting() -> WebSocketLayer<Handler> {
///     WebSocketLayer::new(|ws| Box::pin(async move { ws.send("hello").await }))
/// }
/// ```
///
/// # Server
///
/// The server must support upgrades: `axum::serve`, hyper's `with_upgrades()` and hyper-util's
/// `serve_connection_with_upgrades` do, tonic's own `Server` does not. Without upgrades, clients get 500, or the connection
/// ends after the response, and the reason is logged at error level. WebSockets over HTTP/2 (RFC 8441) need
/// `enable_connect_protocol()` on hyper's HTTP/2 builder.
///
/// The server must limit the time before the handshake: hyper's `timer` with `header_read_timeout` and
/// `keep_alive_interval`, and a limit on accepting TLS. The layer cannot access the socket under TLS and over HTTP/2: there
/// the server must set `TCP_NODELAY`, with `axum::serve` by `ListenerExt::tap_io`. The guide
/// [`server`](crate::guide::server) and the examples show how.
///
/// # Tracing
///
/// Each connection has a span `websocket` (target `tower_websocket`, level info) with the request's `path`, the
/// `subprotocol`, and as `peer` the [`SocketAddr`](std::net::SocketAddr) in the request's extensions. Only the server knows
/// the address: insert it where the service for one TCP connection is made, as below. With it, a warning is logged when 100
/// WebSockets share one HTTP/2 connection.
/// [`Upgrader::span_from`] finds it in another type, such as axum's `ConnectInfo`.
///
/// A refused handshake is logged at level info with the reason, and at level warn if the origin, the host or the number of
/// connections was the reason. [`HandlerOutput`] says how a handler's error is logged.
///
/// ```
/// # use std::net::SocketAddr;
/// # use http::Request;
/// # use tower::ServiceBuilder;
/// # use tower_websocket::{Manager, WebSocketLayer};
/// # let layer = WebSocketLayer::new(|_: Manager| async {});
/// # let peer = SocketAddr::from(([192, 0, 2, 1], 4711));
/// // let (stream, peer) = axum::serve::Listener::accept(&mut listener).await;
/// let service = ServiceBuilder::new()
///     .map_request(move |mut request: Request<_>| {
///         request.extensions_mut().insert(peer);
///         request
///     })
///     .service(layer.into_service());
/// # fn check<S: tower::Service<Request<String>>>(_: S) {}
/// # check(service);
/// ```
#[must_use]
pub struct WebSocketLayer<H>(Arc<Endpoint<H>>);

impl<H, F> WebSocketLayer<H>
where
    H: Fn(Manager) -> F + Send + Sync + 'static,
    F: Future<Output: HandlerOutput> + Send + 'static,
{
    /// A layer that runs `handler` for each connection.
    ///
    /// The connection closes when the handler returns; [`HandlerOutput`] says with which code. A panic in the handler
    /// closes only its own connection, with 1011.
    ///
    /// The handler runs in the connection's own task. Put blocking code into
    /// [`spawn_blocking`](tokio::task::spawn_blocking), as pings are not answered while the handler blocks.
    ///
    /// Without [`path`](Self::path) it accepts handshakes for every path.
    pub fn new(handler: H) -> Self {
        Self(Arc::new(Endpoint { handler: Arc::new(handler), matcher: Matcher::All, upgrader: Upgrader::new() }))
    }
}

impl<H> WebSocketLayer<H> {
    /// Accepts only handshakes for exactly this path. The query is ignored.
    ///
    /// It is the path that reaches the layer: in a nested router of axum, without the prefix of that router.
    ///
    /// ```
    /// use tower_websocket::{Manager, WebSocketLayer};
    ///
    /// let layer = WebSocketLayer::new(|ws: Manager| async move { ws.send("welcome").await }).path("/ws");
    /// assert_eq!(layer.get_path(), Some("/ws"));
    /// ```
    ///
    /// # Panics
    ///
    /// If no request can have it: it does not begin with `/`, has a query or a fragment, is a template such as
    /// `/rooms/{id}` (see [`matching`](Self::matching)), or has characters that are percent-encoded in a URL.
    #[track_caller]
    pub fn path(self, path: impl Into<String>) -> Self {
        let path = path.into();
        if let Some(reason) = reason_against(&path) {
            panic!("no request would have the path {path:?}: {reason}");
        }
        let matcher = Matcher::Path(path.into());
        self.with(|endpoint| endpoint.matcher = matcher)
    }

    /// Accepts only handshakes whose URI matches the predicate.
    ///
    /// ```
    /// use tower_websocket::{Manager, WebSocketLayer};
    ///
    /// let layer = WebSocketLayer::new(|ws: Manager| async move { ws.send("welcome").await })
    ///     .matching(|uri| uri.path().starts_with("/rooms/"));
    /// ```
    pub fn matching(self, predicate: impl Fn(&Uri) -> bool + Send + Sync + 'static) -> Self {
        let matcher = Matcher::Predicate(Arc::new(predicate));
        self.with(|endpoint| endpoint.matcher = matcher)
    }

    /// The settings of this endpoint. An [`Upgrader`] in a request's extensions replaces them for that request.
    ///
    /// Settings of the shorthands below are kept, unless `upgrader` has them too.
    pub fn upgrader(self, upgrader: Upgrader) -> Self {
        self.with(|endpoint| endpoint.upgrader = upgrader.or(&endpoint.upgrader))
    }

    /// Shorthand for [`Upgrader::max_connections`]. Clones of this layer share the limit.
    pub fn max_connections(self, connections: usize) -> Self {
        self.set(|upgrader| upgrader.max_connections(connections))
    }

    /// Shorthand for [`Upgrader::shutdown`].
    pub fn shutdown(self, shutdown: &Shutdown) -> Self {
        self.set(|upgrader| upgrader.shutdown(shutdown))
    }

    /// Shorthand for [`Upgrader::on_rejection`].
    pub fn on_rejection(
        self,
        replace: impl Fn(&Rejection, Response<Bytes>) -> Response<Bytes> + Send + Sync + 'static,
    ) -> Self {
        self.set(|upgrader| upgrader.on_rejection(replace))
    }

    /// Shorthand for [`Upgrader::on_end`].
    pub fn on_end(self, report: impl Fn(&Parts, &Result<CloseFrame, Error>, Stats) + Send + Sync + 'static) -> Self {
        self.set(|upgrader| upgrader.on_end(report))
    }

    /// What was set with [`path`](Self::path), unless [`matching`](Self::matching) has replaced it.
    #[must_use]
    pub fn get_path(&self) -> Option<&str> {
        match &self.0.matcher {
            Matcher::Path(path) => Some(path),
            Matcher::All | Matcher::Predicate(_) => None,
        }
    }

    /// The settings of this endpoint.
    pub fn get_upgrader(&self) -> &Upgrader {
        &self.0.upgrader
    }

    /// A service without an inner service. A request that is not a handshake, or is for another path, gets 426.
    pub fn into_service(self) -> WebSocketService<NotWebSocket, H> {
        self.layer(NotWebSocket::default())
    }

    fn set(self, set: impl FnOnce(Upgrader) -> Upgrader) -> Self {
        self.with(|endpoint| endpoint.upgrader = set(std::mem::take(&mut endpoint.upgrader)))
    }

    fn with(self, set: impl FnOnce(&mut Endpoint<H>)) -> Self {
        let mut endpoint = Arc::try_unwrap(self.0).unwrap_or_else(|shared| Endpoint::clone(&shared));
        set(&mut endpoint);
        Self(Arc::new(endpoint))
    }
}

impl<S, H> Layer<S> for WebSocketLayer<H> {
    type Service = WebSocketService<S, H>;

    fn layer(&self, inner: S) -> Self::Service {
        WebSocketService::new(inner, self.0.clone())
    }
}

impl<H> Clone for WebSocketLayer<H> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<H> fmt::Debug for WebSocketLayer<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("WebSocketLayer").field(&self.0).finish()
    }
}
