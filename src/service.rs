//! The service that a layer makes: where the stages are joined.

use std::convert::Infallible;
use std::fmt;
use std::future::{Future, Ready, ready};
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Empty;
use tower_service::Service;

use crate::body::ResponseBody;
use crate::future::ResponseFuture;
use crate::handler::HandlerOutput;
use crate::handshake::{Head, Protocol, Rejection, RejectionKind};
use crate::layer::Endpoint;
use crate::manager::Manager;
use crate::transport::PendingTransport;
use crate::upgrader::Upgrader;

/// A service that answers WebSocket handshakes and passes every other request on.
///
/// Made by [`WebSocketLayer`](crate::WebSocketLayer). Accepted connections run in tasks of their own, so it must be
/// called within a tokio runtime.
pub struct WebSocketService<S, H> {
    inner: S,
    endpoint: Arc<Endpoint<H>>,
}

impl<S, H> WebSocketService<S, H> {
    pub(crate) fn new(inner: S, endpoint: Arc<Endpoint<H>>) -> Self {
        Self { inner, endpoint }
    }
}

impl<S, H, F, RequestBody, ResponseBodyInner> Service<Request<RequestBody>> for WebSocketService<S, H>
where
    S: Service<Request<RequestBody>, Response = Response<ResponseBodyInner>>,
    H: Fn(Manager) -> F + Send + Sync + 'static,
    F: Future<Output: HandlerOutput> + Send + 'static,
{
    type Response = Response<ResponseBody<ResponseBodyInner>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, ResponseBodyInner>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<RequestBody>) -> Self::Future {
        let matcher = &self.endpoint.matcher;
        let Some(protocol) = Head::from(&request).protocol().filter(|_| matcher.matches(request.uri())) else {
            return ResponseFuture::inner(self.inner.call(request));
        };
        let version = request.version();
        ResponseFuture::answer(self.endpoint.answer(request, protocol).unwrap_or_else(|rejection| {
            tracing::debug!(%rejection, "handshake refused");
            let replace = self.endpoint.on_rejection.as_deref();
            let response = rejection.clone().into_response(version);
            let response = replace.map_or_else(|| response.clone(), |replace| replace(&rejection, response.clone()));
            response.map(ResponseBody::text)
        }))
    }
}

impl<H, F> Endpoint<H>
where
    H: Fn(Manager) -> F + Send + Sync + 'static,
    F: Future<Output: HandlerOutput> + Send + 'static,
{
    /// Answers a handshake; the connection then runs by itself.
    fn answer<RequestBody, B>(
        &self,
        request: Request<RequestBody>,
        protocol: Protocol,
    ) -> Result<Response<ResponseBody<B>>, Rejection> {
        let upgrader = request.extensions().get::<Upgrader>().unwrap_or(&self.upgrader).clone();
        let accepted = upgrader.check(Head::from(&request), protocol)?;
        let ticket = match &self.shutdown {
            Some(shutdown) => Some(shutdown.admit().ok_or_else(|| Rejection::new(RejectionKind::ShuttingDown))?),
            None => None,
        };
        let permit = match &self.connections {
            Some(connections) => {
                let permit = connections.clone().try_acquire_owned();
                Some(permit.map_err(|_| Rejection::new(RejectionKind::TooManyConnections))?)
            }
            None => None,
        };
        let (mut parts, _) = request.into_parts();
        let transport = PendingTransport::take(&mut parts.extensions).ok_or_else(|| {
            tracing::error!("{NO_UPGRADES}");
            Rejection::new(RejectionKind::NotUpgradable)
        })?;
        let (response, upgrade) = upgrader.accept(accepted, parts, transport);
        let handler = self.handler.clone();
        upgrade.counted(ticket, permit).spawn(move |ws| handler(ws));
        Ok(response)
    }
}

impl<S: Clone, H> Clone for WebSocketService<S, H> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), endpoint: self.endpoint.clone() }
    }
}

impl<S: fmt::Debug, H> fmt::Debug for WebSocketService<S, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketService").field("inner", &self.inner).field("endpoint", &self.endpoint).finish()
    }
}

/// The inner service of a layer that has none: answers 426.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct NotWebSocket {}

impl<B> Service<Request<B>> for NotWebSocket {
    type Response = Response<ResponseBody<Empty<Bytes>>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let rejection = Rejection::new(RejectionKind::NotWebSocket);
        ready(Ok(rejection.into_response(request.version()).map(ResponseBody::text)))
    }
}

const NO_UPGRADES: &str = "a WebSocket handshake came without hyper's `OnUpgrade` in its extensions: either the server \
    performs no upgrades, or another layer has taken it before";
