//! A handshake that was accepted, on its way to becoming a connection.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::request::Parts;
use pin_project_lite::pin_project;
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tracing::{Instrument, Span};

use super::io::{OtherTransport, PendingTransport};
use crate::close::{CloseCode, CloseFrame};
use crate::connection::{self, ConnectionConfig, ConnectionFuture, Inner, OpenError};
use crate::debug::{visible, visible_span};
use crate::handler::HandlerOutput;
use crate::handshake::KeptRequest;
use crate::manager::{Manager, RequestToCompact};
use crate::shutdown::Ticket;

/// A handshake that was accepted: once the response is out, the connection can [`run`](Self::run).
///
/// Made by [`Upgrader::upgrade`](crate::Upgrader::upgrade). Dropping it drops the connection.
#[derive(Debug)]
#[must_use = "the connection is dropped unless this runs"]
pub struct Upgrade {
    transport: PendingTransport,
    config: ConnectionConfig,
    request: KeptRequest,
    subprotocol: Option<Box<str>>,
    context: Option<CancellationToken>,
    ticket: Option<Ticket>,
    /// Held for as long as the connection counts against `max_connections`.
    permit: Option<OwnedSemaphorePermit>,
}

impl Upgrade {
    pub(crate) fn new(
        transport: PendingTransport,
        config: ConnectionConfig,
        request: KeptRequest,
        subprotocol: Option<Box<str>>,
        context: Option<CancellationToken>,
    ) -> Self {
        Self { transport, config, request, subprotocol, context, ticket: None, permit: None }
    }

    /// Counts this connection until it is over.
    pub(crate) fn counted(mut self, ticket: Option<Ticket>, permit: Option<OwnedSemaphorePermit>) -> Self {
        self.ticket = ticket;
        self.permit = permit;
        self
    }

    /// Waits for the transport, then runs the connection with this handler until both are done.
    ///
    /// Where the server hands no transport over, that is logged at error level with the remedy, and the handler never
    /// runs.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the handler and the transport, without a close frame.
    pub async fn run<H, F>(self, handler: H)
    where
        H: FnOnce(Manager) -> F,
        F: Future<Output: HandlerOutput>,
    {
        self.start(handler).await;
    }

    /// Runs in a task of its own.
    pub(crate) fn spawn<H, F>(self, handler: H)
    where
        H: FnOnce(Manager) -> F + Send + 'static,
        F: Future<Output: HandlerOutput> + Send + 'static,
    {
        tokio::spawn(self.start(handler));
    }

    /// Runs without a handler, for as long as there is a handle. None where the transport is still to come.
    pub(crate) fn detach(self) -> Option<Manager> {
        let PendingTransport::Memory(Some(transport)) = self.transport else { return None };
        Some(Manager::detached(transport, self.config, self.request, self.subprotocol))
    }

    fn start<H, F>(mut self, handler: H) -> impl Future<Output = ()> + use<H, F>
    where
        H: FnOnce(Manager) -> F,
        F: Future<Output: HandlerOutput>,
    {
        let span = |request: &Parts| {
            tracing::info_span!(
                target: "tower_websocket",
                "websocket",
                path = request.uri.path(),
                peer = request.extensions.get::<SocketAddr>().map(tracing::field::display),
                subprotocol = self.subprotocol.as_deref(),
            )
        };
        let span = visible_span(|| self.request.look(span).unwrap_or_else(Span::none));
        let (connection, inner) = connection::prepare(self.config);
        if let Some(ticket) = &self.ticket {
            ticket.attach(&inner);
        }
        let manager = Manager::new(inner.clone(), self.request, self.subprotocol);
        // Boxed, or the runtime and the tracing around it would copy all of it again and again on the way to its task
        // (`benches/handshake.rs`).
        let upgraded = Box::pin(UpgradeFuture {
            to_compact: Some(manager.request_to_compact()),
            waiting: Some(Waiting { transport: self.transport, handler, manager }),
            connection,
            context: self.context.map(|context| Box::pin(context.cancelled_owned())),
            inner,
            _ticket: self.ticket,
            _permit: self.permit,
        });
        visible(upgraded.instrument(span))
    }
}

pin_project! {
    /// A connection, first without its transport, with what counts it and what may end it.
    struct UpgradeFuture<H, F> {
        waiting: Option<Waiting<H>>,
        #[pin]
        connection: ConnectionFuture<OtherTransport, F>,
        // Until the handler has had its first turn.
        to_compact: Option<RequestToCompact>,
        context: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
        inner: Arc<Inner>,
        _ticket: Option<Ticket>,
        _permit: Option<OwnedSemaphorePermit>,
    }
}

struct Waiting<H> {
    transport: PendingTransport,
    handler: H,
    manager: Manager,
}

impl<H, F> Future for UpgradeFuture<H, F>
where
    H: FnOnce(Manager) -> F,
    F: Future<Output: HandlerOutput>,
{
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        if let Some(waiting) = this.waiting {
            let opened = match waiting.transport.poll_ready(cx) {
                Poll::Ready(Ok(opened)) => opened,
                Poll::Ready(Err(error)) => {
                    if error.downcast_ref().is_some_and(hyper::Error::is_canceled) {
                        tracing::warn!(%error, "{NOT_ANSWERED}");
                    } else {
                        tracing::error!(%error, "{NO_UPGRADE}");
                    }
                    return Poll::Ready(());
                }
                Poll::Pending => {
                    return this.connection.poll_open_error(cx).map(|error| match error {
                        OpenError::Aborted => tracing::debug!("aborted before it was open"),
                        OpenError::TimedOut => tracing::error!("{NO_RESPONSE}"),
                    });
                }
            };
            if let Some(Waiting { handler, manager, .. }) = this.waiting.take() {
                tracing::debug!("open");
                this.connection.as_mut().open(opened.transport, &opened.read_buf, || handler(manager));
            }
        }
        if this.context.as_mut().is_some_and(|context| context.as_mut().poll(cx).is_ready()) {
            *this.context = None;
            this.inner.close(CloseFrame::new(CloseCode::GOING_AWAY, ""));
        }
        let polled = this.connection.poll(cx);
        if let Some(request) = this.to_compact.take() {
            request.compact();
        }
        ready!(polled);
        match this.inner.close_reason() {
            Some(Err(error)) => tracing::debug!(%error, "failed"),
            Some(Ok(frame)) => tracing::debug!(%frame, "closed"),
            None => {}
        }
        Poll::Ready(())
    }
}

const NO_UPGRADE: &str = "the server did not hand the upgraded connection over; serve it with hyper's \
    `with_upgrades()` or hyper-util's `serve_connection_with_upgrades` (tonic's own `Server` cannot upgrade: serve its \
    `Routes` with axum or hyper-util)";
const NOT_ANSWERED: &str =
    "the connection ended before the response was out, or a layer outside has replaced the response";
const NO_RESPONSE: &str = "the response to the handshake was not sent within the handshake time; a layer outside may \
    have replaced it";
