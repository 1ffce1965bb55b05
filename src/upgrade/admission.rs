//! How an endpoint handles a handshake: it is admitted and counted, or refused and logged; then it is answered.

use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response, Version};

use super::hooks::EndReport;
use super::io::PendingTransport;
use super::permits::Permits;
use super::refused::{log_lost_upgrade, log_refusal};
use super::upgrade::Upgrade;
use super::upgrader::Upgrader;
use crate::connection::ConnectionConfig;
use crate::deflate::Negotiated;
use crate::handshake::{Accepted, Head, Protocol, Rejection, RejectionKind, StoredRequest, copied};
use crate::metrics::rejected;
use crate::role::Role;
use crate::shutdown::Ticket;

/// Without a layer.
impl Upgrader {
    /// Answers an opening handshake without a layer, in any handler that gets the whole request.
    ///
    /// Return the response, and run the [`Upgrade`] in a task of its own: it waits until the response is sent. It counts as
    /// any other connection for [`shutdown`](Self::shutdown) and [`max_connections`](Self::max_connections).
    ///
    /// ```
    /// use bytes::Bytes;
    /// use http::{Request, Response};
    /// use http_body_util::Full;
    /// use tower_websocket::{Manager, Upgrader};
    ///
    /// fn handle<B>(upgrader: &Upgrader, mut request: Request<B>) -> Response<Full<Bytes>> {
    ///     match upgrader.upgrade(&mut request) {
    ///         Ok((response, upgrade)) => {
    ///             tokio::spawn(upgrade.run(|ws: Manager| async move { ws.send("welcome").await }));
    ///             response
    ///         }
    ///         Err(rejection) => upgrader.rejection_response(rejection, request.version()).map(Full::new),
    ///     }
    /// }
    /// ```
    ///
    /// An `Upgrader` in the request's extensions is ignored.
    ///
    /// # Errors
    ///
    /// Why the handshake is refused; [`RejectionKind::NotWebSocket`] if the request is not a handshake.
    /// [`rejection_response`](Self::rejection_response) makes the response.
    #[doc(alias = "create_response")]
    #[doc(alias = "derive_accept_key")]
    #[doc(alias = "Upgrade")]
    #[doc(alias = "NewManagerWithUpgrade")]
    #[doc(alias = "accept_hdr_async")]
    pub fn upgrade<B, R: Default>(&self, request: &mut Request<B>) -> Result<(Response<R>, Upgrade), Rejection> {
        let admission = self.admit(Head::from(&*request))?;
        let transport = PendingTransport::take(request.extensions_mut())
            .ok_or_else(|| self.refuse(Head::from(&*request), RejectionKind::NotUpgradable))?;
        Ok(self.accept(admission, copied(&*request), transport))
    }

    /// As [`upgrade`](Self::upgrade), for code that has only the head of the request, such as an extractor.
    ///
    /// ```
    /// use http::request::Parts;
    /// use http::{Response, StatusCode};
    /// use tower_websocket::{Manager, Upgrader};
    ///
    /// fn handle(upgrader: &Upgrader, parts: &mut Parts) -> Result<Response<String>, StatusCode> {
    ///     let (response, upgrade) = upgrader.upgrade_parts(parts).map_err(|rejection| rejection.status())?;
    ///     tokio::spawn(upgrade.run(|ws: Manager| async move { ws.send("welcome").await }));
    ///     Ok(response)
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`upgrade`](Self::upgrade).
    pub fn upgrade_parts<R: Default>(&self, parts: &mut Parts) -> Result<(Response<R>, Upgrade), Rejection> {
        let admission = self.admit(Head::from(&*parts))?;
        let transport = PendingTransport::take(&mut parts.extensions)
            .ok_or_else(|| self.refuse(Head::from(&*parts), RejectionKind::NotUpgradable))?;
        Ok(self.accept(admission, parts.clone(), transport))
    }

    /// The response to a refused handshake of this HTTP version: that of [`Rejection::into_response`], or the one that
    /// [`on_rejection`](Self::on_rejection) returns for it.
    pub fn rejection_response(&self, rejection: Rejection, version: Version) -> Response<Bytes> {
        let response = rejection.clone().into_response(version);
        match &self.0.on_rejection {
            Some(replace) => (replace.0)(&rejection, response),
            None => response,
        }
    }
}

/// A handshake that passed all checks. It counts against the limits until it is dropped.
#[derive(Debug)]
pub(crate) struct Admission {
    accepted: Accepted,
    ticket: Option<Ticket>,
    permits: Permits,
}

#[cfg(feature = "axum")]
impl Admission {
    /// The subprotocol that was chosen.
    pub(crate) fn subprotocol(&self) -> Option<&str> {
        self.accepted.subprotocol()
    }
}

impl Upgrader {
    /// Checks a handshake, and counts it. A refusal is logged.
    pub(crate) fn admit(&self, head: Head<'_>) -> Result<Admission, Rejection> {
        let protocol = head.protocol().ok_or_else(|| {
            if head.has_lost_upgrade() {
                log_lost_upgrade(head);
            }
            head.not_websocket()
        })?;
        self.admit_handshake(head, protocol)
    }

    /// As [`admit`](Self::admit), for a request that is known to be a handshake.
    pub(crate) fn admit_handshake(&self, head: Head<'_>, protocol: Protocol) -> Result<Admission, Rejection> {
        let accepted = self.0.rules.check(head, protocol).inspect_err(|rejection| self.log_refusal(head, rejection))?;
        let ticket = match &self.0.shutdown {
            Some(shutdown) => Some(shutdown.admit().ok_or_else(|| self.refuse(head, RejectionKind::ShuttingDown))?),
            None => None,
        };
        let permits = self.0.connections.admit(head).map_err(|kind| self.refuse(head, kind))?;
        Ok(Admission { accepted, ticket, permits })
    }

    /// Refuses a valid handshake for another reason, and logs that.
    pub(crate) fn refuse(&self, head: Head<'_>, kind: RejectionKind) -> Rejection {
        let rejection = Rejection::new(kind);
        self.log_refusal(head, &rejection);
        rejection
    }

    fn log_refusal(&self, head: Head<'_>, rejection: &Rejection) {
        rejected(rejection.kind());
        let policy = &self.0.rules.origin;
        if self.0.peer_addr.is_none() && self.0.original_uri.is_none() {
            return log_refusal(head, rejection, policy, head.uri.path(), head.extensions.get().copied());
        }
        let request = copied(head);
        log_refusal(head, rejection, policy, self.uri_of(&request).path(), self.peer_of(&request));
    }

    /// Answers a handshake that was admitted.
    pub(crate) fn accept<R: Default>(
        &self,
        admission: Admission,
        request: Parts,
        transport: PendingTransport,
    ) -> (Response<R>, Upgrade) {
        let Admission { accepted, ticket, permits } = admission;
        let negotiated = self.0.config.offered().and_then(|compression| compression.accept(&request.headers));
        let subprotocol = accepted.subprotocol().map(Box::from);
        let response = accepted.into_response(negotiated.as_ref().map(Negotiated::response_value));
        let version = request.version;
        let mut request = StoredRequest::new(request);
        let end_report = self.0.on_end.clone().map(|hook| EndReport::new(hook, &mut request));
        let upgrader = self.clone();
        let upgrade =
            Upgrade { transport, version, negotiated, request, subprotocol, upgrader, end_report, ticket, permits };
        (response, upgrade)
    }

    /// The configuration of a connection over this version of HTTP.
    pub(super) fn connection_config(&self, version: Version, negotiated: Option<Negotiated>) -> ConnectionConfig<'_> {
        ConnectionConfig {
            // RFC 6455 §7.1.1: over HTTP/1.1 the server ends the transport. Over HTTP/2 that would reset the stream.
            read_to_end: version >= Version::HTTP_2,
            ..self.0.config.connection_config(Role::Server, negotiated)
        }
    }

    /// Chooses the subprotocol again, with other settings. The offer is known to be valid.
    #[cfg(feature = "axum")]
    pub(crate) fn choose_subprotocol(&self, admission: &mut Admission, headers: &http::HeaderMap) {
        let offered = crate::handshake::Lines::of(headers, http::header::SEC_WEBSOCKET_PROTOCOL);
        admission.accepted.set_subprotocol(self.0.rules.subprotocols.choose(&offered).unwrap_or_default());
    }
}
