//! An extractor for [axum](https://docs.rs/axum) and everything else that is built on `axum-core`.
//!
//! A handler can take a [`WebSocketUpgrade`] together with `State`, `Path` and any other extractor. The handshake is
//! checked before the handler's body runs. If it, or another extractor, refuses the request, the handler does not run.
//!
//! ```
//! use axum::extract::{Path, State};
//! use axum::response::Response;
//! use axum::routing::any;
//! use axum::Router;
//! use tower_websocket::axum::WebSocketUpgrade;
//! use tower_websocket::{Error, Manager};
//!
//! #[derive(Clone)]
//! struct App {
//!     greeting: &'static str,
//! }
//!
//! async fn room(ws: WebSocketUpgrade, Path(id): Path<u64>, State(app): State<App>) -> Response {
//!     ws.on_upgrade(move |ws| chat(ws, app, id))
//! }
//!
//! async fn chat(ws: Manager, app: App, id: u64) -> Result<(), Error> {
//!     ws.send(format!("{} in room {id}", app.greeting)).await?;
//!     while let Some(message) = ws.recv().await? {
//!         ws.send(message).await?;
//!     }
//!     Ok(())
//! }
//!
//! // `any`, as over HTTP/2 a handshake is a CONNECT.
//! let app: Router = Router::new().route("/rooms/{id}", any(room)).with_state(App { greeting: "welcome" });
//! ```
//!
//! Import from this crate by name: with `use tower_websocket::*` the name `axum` would mean this module too, and the
//! compiler calls it ambiguous.
//!
//! # Settings
//!
//! The settings are an [`Upgrader`]: the one in the request's extensions, where `axum::Extension` puts it, or the default.
//! To take it from the router's state, name its type: `WebSocketUpgrade<Upgrader>`, or, for several endpoints, a type of
//! your own that implements `Into<Upgrader>`.
//!
//! ```
//! use axum::extract::FromRef;
//! use axum::response::Response;
//! use axum::routing::any;
//! use axum::{Extension, Router};
//! use tower_websocket::axum::WebSocketUpgrade;
//! use tower_websocket::{Manager, Shutdown, Upgrader};
//!
//! #[derive(Clone)]
//! struct App {
//!     upgrader: Upgrader,
//! }
//!
//! impl FromRef<App> for Upgrader {
//!     fn from_ref(app: &App) -> Self {
//!         app.upgrader.clone()
//!     }
//! }
//!
//! async fn by_state(ws: WebSocketUpgrade<Upgrader>) -> Response {
//!     ws.on_upgrade(|ws: Manager| async move { ws.send("welcome").await })
//! }
//!
//! async fn by_extension(ws: WebSocketUpgrade) -> Response {
//!     ws.on_upgrade(|ws: Manager| async move { ws.send("welcome").await })
//! }
//!
//! let shutdown = Shutdown::new();
//! let upgrader = Upgrader::new().shutdown(&shutdown).max_connections(10_000);
//! let app: Router = Router::new()
//!     .route("/state", any(by_state))
//!     .route("/extension", any(by_extension).layer(Extension(upgrader.clone())))
//!     .with_state(App { upgrader });
//! ```
//!
//! A plain `WebSocketUpgrade` does not look into the state, and `from_ref` runs for each request: it should clone an `Upgrader`,
//! as one that is made there counts its own connections only. The guide [`with_axum`](crate::guide::with_axum) says more.
//!
//! # Tracing
//!
//! axum keeps the peer's address and the path before nesting in its own types, which are not in `axum-core`. One call names
//! them for the span of each connection:
//!
//! ```
//! use std::net::SocketAddr;
//! use axum::extract::{ConnectInfo, OriginalUri};
//! use tower_websocket::Upgrader;
//!
//! let upgrader = Upgrader::new().span_from::<ConnectInfo<SocketAddr>, OriginalUri>();
//! ```
//!
//! `ConnectInfo` is in the extensions if the router is served with `into_make_service_with_connect_info::<SocketAddr>()`.
//!
//! # Coming from `axum::extract::ws`
//!
//! The guide [`migration`](crate::guide::migration) has a table of what changes; [`with_axum`](crate::guide::with_axum) is
//! about state, authentication, and the choice between this and the layer.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::sync::OnceLock;

use axum_core::body::Body;
use axum_core::extract::{FromRef, FromRequestParts, OptionalFromRequestParts};
use axum_core::response::{IntoResponse, Response};
use bytes::Bytes;
use http::request::Parts;

use crate::handler::HandlerOutput;
use crate::handshake::{Head, Rejection, RejectionKind};
use crate::limits::Limits;
use crate::manager::Manager;
use crate::upgrade::{Admission, PendingTransport, Upgrader, WebSocketConfig, log_lost_upgrade};

/// Extracts a WebSocket handshake that was checked; [`on_upgrade`](Self::on_upgrade) answers it.
///
/// `T` says where the settings come from: by default the request's extensions, with any other type the router's state; see
/// the [module](self). If both have an [`Upgrader`], that of the request is used. Settings that it does not have come from
/// the other, as with a [`WebSocketLayer`](crate::WebSocketLayer).
///
/// `Upgrader::new().span_from::<ConnectInfo<SocketAddr>, OriginalUri>()` makes axum's types the `peer` and the `path` of a
/// connection's tracing span: see [`Upgrader::span_from`].
///
/// `Option<WebSocketUpgrade>` is `None` for a request that is not a WebSocket handshake, so that one handler can serve a
/// page too.
///
/// If it is dropped without a call of `on_upgrade`, the handler's response is sent, and no connection counts for
/// [`Shutdown`](crate::Shutdown).
///
/// # Errors
///
/// [`WebSocketRejection`], which answers as a `WebSocketLayer` does.
#[must_use = "the handshake is answered by `on_upgrade`"]
pub struct WebSocketUpgrade<T = FromExtensions> {
    upgrader: Upgrader,
    admission: Admission,
    request: Parts,
    transport: PendingTransport,
    settings: PhantomData<fn() -> T>,
}

/// The settings of a [`WebSocketUpgrade`] come from the request's extensions, or are the defaults.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct FromExtensions {}

impl<T> WebSocketUpgrade<T> {
    /// Answers the handshake, and runs `handler` once the connection is open.
    ///
    /// The connection closes when the handler returns; [`HandlerOutput`] says with which code. Return the response
    /// unchanged. Headers may be added, but with another status or body the connection is not opened.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    #[doc(alias = "accept")]
    pub fn on_upgrade<H, F>(self, handler: H) -> Response
    where
        H: FnOnce(Manager) -> F + Send + 'static,
        F: Future<Output: HandlerOutput> + Send + 'static,
    {
        let Self { upgrader, admission, request, transport, .. } = self;
        let (response, upgrade) = upgrader.accept(admission, request, transport);
        upgrade.spawn(handler);
        response.map(|()| Body::empty())
    }

    /// The subprotocols for this connection, the preferred one first, instead of those of the settings.
    ///
    /// # Panics
    ///
    /// If one of them is not a token, such as an empty one or one with a space.
    #[doc(alias = "protocols")]
    #[track_caller]
    pub fn subprotocols<S: AsRef<str>>(mut self, subprotocols: impl IntoIterator<Item = S>) -> Self {
        self.upgrader = self.upgrader.subprotocols(subprotocols);
        self.upgrader.choose_subprotocol(&mut self.admission, &self.request.headers);
        self
    }

    /// Limits of this connection, instead of those of the settings.
    ///
    /// ```
    /// use axum::response::Response;
    /// use tower_websocket::axum::WebSocketUpgrade;
    /// use tower_websocket::{Limits, Manager};
    ///
    /// async fn small(ws: WebSocketUpgrade) -> Response {
    ///     ws.limits(Limits::default().max_message_size(1024)).on_upgrade(async |ws: Manager| ws.send("1 KiB at most").await)
    /// }
    /// # let _: axum::Router = axum::Router::new().route("/ws", axum::routing::any(small));
    /// ```
    ///
    /// To change one of the limits of the settings, start from a clone of `get_config().get_limits()`.
    #[doc(alias = "max_message_size")]
    #[doc(alias = "max_write_buffer_size")]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.upgrader = self.upgrader.limits(limits);
        self
    }

    /// Compression, keepalive and limits of this connection, instead of those of the settings. For limits alone see
    /// [`limits`](Self::limits).
    pub fn config(mut self, config: WebSocketConfig) -> Self {
        self.upgrader = self.upgrader.config(config);
        self
    }

    /// Compression, keepalive and limits of this connection.
    pub fn get_config(&self) -> &WebSocketConfig {
        self.upgrader.get_config()
    }

    /// The subprotocol that was chosen (RFC 6455 §1.9).
    #[doc(alias = "selected_protocol")]
    #[must_use]
    pub fn subprotocol(&self) -> Option<&str> {
        self.admission.subprotocol()
    }

    fn extract(parts: &mut Parts, fallback: &Upgrader) -> Result<Self, WebSocketRejection> {
        let upgrader = match parts.extensions.get::<Upgrader>() {
            Some(own) => own.clone().or(fallback),
            None => fallback.clone(),
        };
        let admitted = upgrader.admit(Head::from(&*parts)).and_then(|admission| {
            let transport = PendingTransport::take(&mut parts.extensions)
                .ok_or_else(|| upgrader.refuse(Head::from(&*parts), RejectionKind::NotUpgradable))?;
            Ok((admission, transport))
        });
        match admitted {
            Ok((admission, transport)) => {
                Ok(Self { upgrader, admission, request: parts.clone(), transport, settings: PhantomData })
            }
            Err(rejection) => {
                let response = upgrader.rejection_response(rejection.clone(), parts.version);
                Err(WebSocketRejection(Box::new((rejection, response))))
            }
        }
    }

    fn extract_if_asked(parts: &mut Parts, fallback: &Upgrader) -> Result<Option<Self>, WebSocketRejection> {
        let head = Head::from(&*parts);
        if head.protocol().is_some() {
            return Self::extract(parts, fallback).map(Some);
        }
        if head.has_lost_upgrade() {
            log_lost_upgrade(head);
        }
        Ok(None)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for WebSocketUpgrade {
    type Rejection = WebSocketRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, WebSocketRejection> {
        Self::extract(parts, defaults())
    }
}

impl<S: Send + Sync> OptionalFromRequestParts<S> for WebSocketUpgrade {
    type Rejection = WebSocketRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, WebSocketRejection> {
        Self::extract_if_asked(parts, defaults())
    }
}

impl<S, T> FromRequestParts<S> for WebSocketUpgrade<T>
where
    S: Send + Sync,
    T: FromRef<S> + Into<Upgrader>,
{
    type Rejection = WebSocketRejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, WebSocketRejection> {
        Self::extract(parts, &T::from_ref(state).into())
    }
}

impl<S, T> OptionalFromRequestParts<S> for WebSocketUpgrade<T>
where
    S: Send + Sync,
    T: FromRef<S> + Into<Upgrader>,
{
    type Rejection = WebSocketRejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Option<Self>, WebSocketRejection> {
        Self::extract_if_asked(parts, &T::from_ref(state).into())
    }
}

impl<T> fmt::Debug for WebSocketUpgrade<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketUpgrade")
            .field("uri", &self.request.uri)
            .field("subprotocol", &self.subprotocol())
            .finish_non_exhaustive()
    }
}

/// A refused handshake, with its response.
#[doc(alias = "WebSocketUpgradeRejection")]
#[derive(Debug)]
pub struct WebSocketRejection(Box<(Rejection, http::Response<Bytes>)>);

impl WebSocketRejection {
    /// Why it was refused.
    #[must_use]
    pub fn rejection(&self) -> &Rejection {
        &self.0.0
    }
}

impl IntoResponse for WebSocketRejection {
    fn into_response(self) -> Response {
        self.0.1.map(Body::from)
    }
}

impl fmt::Display for WebSocketRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.rejection().fmt(f)
    }
}

impl std::error::Error for WebSocketRejection {}

/// The settings if the application has set none.
fn defaults() -> &'static Upgrader {
    static DEFAULTS: OnceLock<Upgrader> = OnceLock::new();
    DEFAULTS.get_or_init(Upgrader::new)
}
