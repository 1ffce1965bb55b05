//! A handshake that was accepted, on its way to becoming a connection.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;

use http::request::Parts;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::close::{CloseCode, CloseFrame};
use crate::connection::{Connection, Shared, Terms};
use crate::debug::visible;
use crate::handler::{HandlerOutput, close_frame};
use crate::manager::Manager;
use crate::shutdown::Ticket;
use crate::transport::PendingTransport;

/// A handshake that was accepted: once the response is out, the connection can [`run`](Self::run).
///
/// Made by [`Upgrader::upgrade`](crate::Upgrader::upgrade). Dropping it drops the connection.
#[derive(Debug)]
#[must_use = "the connection is dropped unless this runs"]
pub struct Upgrade {
    transport: PendingTransport,
    terms: Terms,
    request: Parts,
    subprotocol: Option<Box<str>>,
    context: Option<CancellationToken>,
    ticket: Option<Ticket>,
    /// Held for as long as the connection counts against `max_connections`.
    _permit: Option<OwnedSemaphorePermit>,
}

impl Upgrade {
    pub(crate) fn new(
        transport: PendingTransport,
        terms: Terms,
        request: Parts,
        subprotocol: Option<Box<str>>,
        context: Option<CancellationToken>,
    ) -> Self {
        Self { transport, terms, request, subprotocol, context, ticket: None, _permit: None }
    }

    /// Counts this connection until it is over.
    pub(crate) fn counted(mut self, ticket: Option<Ticket>, permit: Option<OwnedSemaphorePermit>) -> Self {
        self.ticket = ticket;
        self._permit = permit;
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
        let peer = self.request.extensions.get::<SocketAddr>().map(tracing::field::display);
        let span = tracing::info_span!(
            target: "tower_websocket",
            "websocket",
            path = self.request.uri.path(),
            peer,
            subprotocol = self.subprotocol.as_deref(),
        );
        visible(self.run_in_span(handler).instrument(span)).await;
    }

    /// Runs without a handler, for as long as there is a handle. None where the transport is still to come.
    pub(crate) fn detach(self) -> Option<Manager> {
        let PendingTransport::Memory(transport) = self.transport else { return None };
        Some(Manager::detached(Connection::new(transport, self.terms), self.request, self.subprotocol))
    }

    async fn run_in_span<H, F>(self, handler: H)
    where
        H: FnOnce(Manager) -> F,
        F: Future<Output: HandlerOutput>,
    {
        let ready = timeout(self.terms.limits.handshake_time, self.transport.ready());
        let ready = async {
            match &self.ticket {
                Some(ticket) => ticket.unless_aborted(ready).await,
                None => Some(ready.await),
            }
        };
        let Some(ready) = ready.await else { return };
        let transport = match ready {
            Ok(Ok(transport)) => transport,
            Ok(Err(error)) => return tracing::error!(%error, "{NO_UPGRADE}"),
            Err(_) => return tracing::error!("{NO_RESPONSE}"),
        };
        tracing::debug!("open");
        let connection = Connection::new(transport, self.terms);
        let shared = connection.shared().clone();
        let manager = Manager::new(shared.clone(), self.request, self.subprotocol);
        // The handler is called within the connection: it may panic before it returns its future.
        let handler = async { close_frame(handler(manager).await) };
        let run = async {
            match self.context {
                Some(context) => connection.run(close_on(context, &shared, handler)).await,
                None => connection.run(handler).await,
            }
        };
        match self.ticket {
            Some(ticket) => ticket.run(&shared, run).await,
            None => run.await,
        }
        match shared.end() {
            Some(Err(error)) => tracing::debug!(%error, "failed"),
            Some(Ok(frame)) => tracing::debug!(%frame, "closed"),
            None => {}
        }
    }
}

/// Runs the handler, and closes the connection when the token is cancelled.
async fn close_on(
    context: CancellationToken,
    shared: &Shared,
    handler: impl Future<Output = CloseFrame>,
) -> CloseFrame {
    let mut handler = pin!(handler);
    tokio::select! {
        frame = &mut handler => return frame,
        () = context.cancelled_owned() => shared.close(CloseFrame::new(CloseCode::GOING_AWAY, "")),
    }
    handler.await
}

const NO_UPGRADE: &str = "the server did not hand the upgraded connection over; serve it with hyper's \
    `with_upgrades()` or hyper-util's `serve_connection_with_upgrades` (tonic's own `Server` cannot upgrade: serve its \
    `Routes` with axum or hyper-util)";
const NO_RESPONSE: &str = "the response to the handshake was not sent within the handshake time; a layer outside may \
    have replaced it";
