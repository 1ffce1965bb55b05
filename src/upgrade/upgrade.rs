//! An accepted handshake, which becomes a connection.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::Version;
use pin_project_lite::pin_project;
use tokio_util::either::Either;
use tokio_util::sync::WaitForCancellationFutureOwned;
use tracing::{Instrument, Span};

use super::handled::Handled;
use super::hooks::EndReport;
use super::io::PendingTransport;
use super::permits::Permits;
use super::streams::OpenStream;
use super::upgrader::Upgrader;
use crate::close::{CloseCode, CloseFrame};
use crate::connection::{self, ConnectionFuture, Inner, OpenError, OtherTransport, Waiter};
use crate::debug::{in_view, with_debug_output};
use crate::deflate::Negotiated;
use crate::error::Error;
use crate::error_chain::Causes;
use crate::handler::{HandlerOutput, is_ordinary};
use crate::handshake::StoredRequest;
use crate::log_text::OneLine;
use crate::manager::{Manager, RequestToCompact};
use crate::shutdown::Ticket;

/// An accepted handshake. Once the response is sent, the connection can [`run`](Self::run).
///
/// Made by [`Upgrader::upgrade`](crate::Upgrader::upgrade). Dropping it drops the connection, and calls
/// [`on_end`](crate::Upgrader::on_end).
#[derive(Debug)]
#[must_use = "the connection is dropped unless this runs"]
pub struct Upgrade {
    pub(super) transport: PendingTransport,
    pub(super) version: Version,
    pub(super) negotiated: Option<Negotiated>,
    pub(super) request: StoredRequest,
    pub(super) subprotocol: Option<Box<str>>,
    pub(super) upgrader: Upgrader,
    /// Dropped before what counts the connection.
    pub(super) end_report: Option<Box<EndReport>>,
    pub(super) ticket: Option<Ticket>,
    /// While they exist, the connection counts against `max_connections` and `max_connections_per_key`.
    pub(super) permits: Permits,
}

impl Upgrade {
    /// The subprotocol that was agreed upon (RFC 6455 §1.9).
    #[doc(alias = "selected_protocol")]
    #[must_use]
    pub fn subprotocol(&self) -> Option<&str> {
        self.subprotocol.as_deref()
    }

    /// Waits for the transport, then runs the connection and its handler until both have ended.
    ///
    /// If the server does not support upgrades, an error with the remedy is logged, and the handler never runs.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the handler and the transport, without a close frame.
    #[doc(alias = "on_upgrade")]
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

    /// Runs without a handler, as long as there is a handle. `None` if the transport does not exist yet.
    pub(crate) fn detach(mut self) -> Option<Manager> {
        let PendingTransport::Memory(Some(transport)) = self.transport else { return None };
        let config = self.upgrader.connection_config(self.version, self.negotiated);
        let manager = Manager::detached(transport, config, self.request, self.subprotocol);
        if let Some(ticket) = &self.ticket {
            ticket.attach(manager.connection());
        }
        if let Some(end_report) = &mut self.end_report {
            end_report.attach(manager.connection());
        }
        if self.ticket.is_some() || self.permits.is_some() || self.end_report.is_some() {
            // Not a handle: the connection closes when the last one is dropped.
            let inner = manager.connection().clone();
            let end_report = self.end_report;
            let counted = (self.ticket, self.permits);
            tokio::spawn(async move {
                let mut waiter = Waiter::new(&inner, connection::Waiting::Watcher);
                // Ignored here: `EndReport` reports it, and the handle returns it.
                let _ = poll_fn(|cx| waiter.poll(cx, Inner::poll_ended)).await;
                drop(end_report);
                drop(counted);
            });
        }
        Some(manager)
    }

    fn start<H, F>(mut self, handler: H) -> impl Future<Output = ()> + use<H, F>
    where
        H: FnOnce(Manager) -> F,
        F: Future<Output: HandlerOutput>,
    {
        let described = self.request.peek(|request| {
            let span = in_view(|| self.upgrader.span(request, self.subprotocol.as_deref()));
            (span, OpenStream::count(request, || self.upgrader.peer_of(request)))
        });
        let (span, stream) = described.unwrap_or_else(|| (Span::none(), None));
        let mut config = self.upgrader.connection_config(self.version, self.negotiated);
        let inner = connection::prepare(&mut config);
        if let Some(ticket) = &self.ticket {
            ticket.attach(&inner);
        }
        if let Some(end_report) = &mut self.end_report {
            end_report.attach(&inner);
        }
        let manager = Manager::new(inner.clone(), self.request, self.subprotocol);
        // Boxed, because the runtime and `tracing` would move the large future several times (`benches/handshake.rs`).
        let upgraded = Box::pin(UpgradeFuture {
            to_compact: Some(manager.request_to_compact()),
            waiting: Some(Waiting { transport: self.transport, handler, manager }),
            context: self.upgrader.get_context().map(|context| Box::pin(context.clone().cancelled_owned())),
            inner: inner.clone(),
            end_report: self.end_report,
            _ticket: self.ticket,
            _permits: self.permits.is_some().then(|| Box::new(self.permits)),
            _stream: stream,
            // Last, so that the compiler constructs it in place: it is large.
            connection: ConnectionFuture::new(inner, config),
        });
        // Without a subscriber, the span is not entered at each poll.
        let upgraded = if span.is_none() { Either::Left(upgraded) } else { Either::Right(upgraded.instrument(span)) };
        with_debug_output(upgraded)
    }
}

pin_project! {
    /// A connection with its handler, which waits for its transport first.
    struct UpgradeFuture<H, F> {
        waiting: Option<Waiting<H>>,
        #[pin]
        connection: ConnectionFuture<OtherTransport, Handled<F>>,
        // `None` after the handler was polled for the first time.
        to_compact: Option<RequestToCompact>,
        context: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
        inner: Arc<Inner>,
        // Dropped after the connection and its handler, whose end it reports, and before the ticket and the permits.
        end_report: Option<Box<EndReport>>,
        _ticket: Option<Ticket>,
        // Boxed, because most connections have none.
        _permits: Option<Box<Permits>>,
        _stream: Option<OpenStream>,
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
                    let causes = Causes(&*error);
                    if error.downcast_ref().is_some_and(hyper::Error::is_canceled) {
                        tracing::warn!(error = %causes, "{NOT_ANSWERED}");
                    } else {
                        tracing::error!(error = %causes, "{NO_UPGRADE}");
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
                let inner = this.inner.clone();
                let handler = || Handled::new(handler(manager), inner);
                this.connection.as_mut().open(opened.transport, &opened.read_buf, handler);
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
        if let Some(end) = this.inner.close_reason() {
            log(&end);
        }
        *this.end_report = None;
        Poll::Ready(())
    }
}

/// Logs how a connection has ended: at level info if the peer broke a rule or exceeded a limit.
fn log(end: &Result<CloseFrame, Error>) {
    match end {
        Ok(frame) => tracing::debug!(frame = %OneLine(frame), "closed"),
        Err(error) if is_ordinary(end) => tracing::debug!(error = %Causes(error), "failed"),
        Err(error) => tracing::info!(error = %Causes(error), "failed"),
    }
}

const NO_UPGRADE: &str = "the server did not hand the upgraded connection over; serve it with hyper's \
    `with_upgrades()` or hyper-util's `serve_connection_with_upgrades` (tonic's own `Server` cannot upgrade: serve its \
    `Routes` with axum or hyper-util)";
const NOT_ANSWERED: &str =
    "the connection ended before the response was out, or a layer outside has replaced the response";
const NO_RESPONSE: &str = "the response to the handshake was not sent within the handshake time; a layer outside may \
    have replaced it";
