//! The service of the layer: answers handshakes, and passes other requests to the inner service.

use std::convert::Infallible;
use std::fmt;
use std::future::{Future, Ready, ready};
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use tower_service::Service;

use super::body::{EmptyBody, ResponseBody};
use super::endpoint::Endpoint;
use super::future::ResponseFuture;
use crate::handler::HandlerOutput;
use crate::handshake::Head;
use crate::manager::Manager;
use crate::upgrade::log_lost_upgrade;

/// A service that answers WebSocket handshakes and passes every other request on.
///
/// Made by [`WebSocketLayer`](crate::WebSocketLayer). Each accepted connection is spawned as a task, so it must be called
/// within a tokio runtime.
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
        let (head, matcher) = (Head::from(&request), &self.endpoint.matcher);
        match head.protocol() {
            Some(protocol) if matcher.matches(head.uri) => {
                return ResponseFuture::answer(self.endpoint.answer(request, protocol));
            }
            None if head.has_lost_upgrade() && matcher.matches(head.uri) => log_lost_upgrade(head),
            _ => {}
        }
        ResponseFuture::inner(self.inner.call(request))
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
    type Response = Response<ResponseBody<EmptyBody>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let rejection = Head::from(&request).not_websocket();
        ready(Ok(rejection.into_response(request.version()).map(ResponseBody::text)))
    }
}
