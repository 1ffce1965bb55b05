//! A refused handshake, and its response.

use std::fmt;

use bytes::Bytes;
use http::header::{ALLOW, CONNECTION, CONTENT_TYPE, RETRY_AFTER, SEC_WEBSOCKET_VERSION, UPGRADE};
use http::{HeaderMap, HeaderValue, Response, StatusCode, Version};

/// Why an opening handshake was refused.
///
/// It is in the extensions of the response, so that an outer layer can log it or replace the response:
///
/// ```
/// use tower_websocket::{Rejection, RejectionKind};
///
/// fn count<B>(response: &http::Response<B>) {
///     if let Some(rejection) = response.extensions().get::<Rejection>() {
///         match rejection.kind() {
///             RejectionKind::Origin => println!("a page of another site: {rejection}"),
///             _ => println!("{}: {rejection}", rejection.status()),
///         }
///     }
/// }
/// # count(&http::Response::new(()));
/// ```
#[doc(alias = "HandshakeError")]
#[derive(Clone, Debug)]
pub struct Rejection {
    kind: RejectionKind,
    reason: &'static str,
}

/// The kind of a [`Rejection`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RejectionKind {
    /// The request has a body, or, over HTTP/2, a `Content-Length` (400). Over HTTP/2 even `content-length: 0` would end
    /// the stream at its first frame.
    Body,
    /// The request's host is not among [`OriginPolicy::allowed_hosts`](crate::OriginPolicy::allowed_hosts) (403).
    HostNotAllowed,
    /// The request is HTTP/1.0, which cannot be upgraded (400).
    HttpVersion,
    /// `Sec-WebSocket-Extensions` is not a list of names with parameters (400; RFC 6455 §9.1).
    InvalidExtensions,
    /// `Host` is missing, repeated or malformed (400; RFC 9112 §3.2). Over HTTP/2, `:authority` is missing or malformed, or
    /// `Host` differs from it (RFC 9113 §8.3.1).
    InvalidHost,
    /// `Sec-WebSocket-Key` is missing, repeated, or not 16 bytes of base64 (400; RFC 6455 §4.2.1).
    #[doc(alias = "WebSocketKeyHeaderMissing")]
    InvalidKey,
    /// `Sec-WebSocket-Protocol` is not a list of tokens (400; RFC 6455 §4.1).
    InvalidSubprotocol,
    /// The request's target is not the path of an `http` or `https` URL, for instance with the `:scheme` `ftp` (400; RFC
    /// 6455 §4.1, RFC 8441 §5).
    InvalidTarget,
    /// The method is not `GET` (405 with `Allow`).
    #[doc(alias = "MethodNotGet")]
    #[doc(alias = "MethodNotConnect")]
    Method,
    /// The server does not support upgrades: it is not set up for them (500).
    #[doc(alias = "ConnectionNotUpgradable")]
    NotUpgradable,
    /// The request is not a WebSocket handshake, and there is no inner service (426).
    #[doc(alias = "InvalidConnectionHeader")]
    #[doc(alias = "InvalidUpgradeHeader")]
    #[doc(alias = "InvalidProtocolPseudoheader")]
    NotWebSocket,
    /// The [`OriginPolicy`](crate::OriginPolicy) refuses the page's origin (403).
    Origin,
    /// The server is shutting down (503 with `Retry-After`).
    ShuttingDown,
    /// As many connections are open as [`Upgrader::max_connections`](crate::Upgrader::max_connections) allows (503 with
    /// `Retry-After`).
    TooManyConnections,
    /// As many connections with the same key are open as
    /// [`Upgrader::max_connections_per_key`](crate::Upgrader::max_connections_per_key) allows (429 with `Retry-After`).
    TooManyConnectionsPerKey,
    /// `Sec-WebSocket-Version` is not 13 (426; RFC 6455 §4.4).
    #[doc(alias = "InvalidWebSocketVersionHeader")]
    Version,
}

impl Rejection {
    /// A rejection with the default sentence for its kind.
    pub(crate) fn new(kind: RejectionKind) -> Self {
        let reason = match kind {
            RejectionKind::Body => "a WebSocket handshake must not have a body",
            RejectionKind::HostNotAllowed => "the request's host is not one of the allowed hosts",
            RejectionKind::HttpVersion => {
                "a WebSocket needs HTTP/1.1 or HTTP/2, and the client or a proxy sent this request as HTTP/1.0"
            }
            RejectionKind::InvalidExtensions => {
                "Sec-WebSocket-Extensions must be a list of extensions with their parameters"
            }
            RejectionKind::InvalidHost => "the request must name exactly one valid host",
            RejectionKind::InvalidKey => "Sec-WebSocket-Key must be 16 bytes in base64",
            RejectionKind::InvalidSubprotocol => "Sec-WebSocket-Protocol must be a list of tokens",
            RejectionKind::InvalidTarget => "a WebSocket handshake must ask for a path of an http or https URL",
            RejectionKind::Method => "a WebSocket handshake must use the method GET",
            RejectionKind::NotUpgradable => "the server is not set up for upgrading connections",
            RejectionKind::NotWebSocket => "only WebSocket connections are served here",
            RejectionKind::Origin => "pages of this origin may not open a WebSocket here",
            RejectionKind::ShuttingDown => "the server is shutting down",
            RejectionKind::TooManyConnections => "too many WebSocket connections are open",
            RejectionKind::TooManyConnectionsPerKey => "too many WebSocket connections of this client are open",
            RejectionKind::Version => "Sec-WebSocket-Version must be 13",
        };
        Self::because(kind, reason)
    }

    /// A rejection with a more specific sentence.
    pub(super) fn because(kind: RejectionKind, reason: &'static str) -> Self {
        Self { kind, reason }
    }

    /// The kind, to match on.
    #[must_use]
    pub fn kind(&self) -> RejectionKind {
        self.kind
    }

    /// What was wrong, in one sentence. It contains nothing from the request.
    #[must_use]
    pub fn reason(&self) -> &str {
        self.reason
    }

    /// The status of the response.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self.kind {
            RejectionKind::Body
            | RejectionKind::HttpVersion
            | RejectionKind::InvalidExtensions
            | RejectionKind::InvalidHost
            | RejectionKind::InvalidKey
            | RejectionKind::InvalidSubprotocol
            | RejectionKind::InvalidTarget => StatusCode::BAD_REQUEST,
            RejectionKind::HostNotAllowed | RejectionKind::Origin => StatusCode::FORBIDDEN,
            RejectionKind::Method => StatusCode::METHOD_NOT_ALLOWED,
            RejectionKind::NotWebSocket | RejectionKind::Version => StatusCode::UPGRADE_REQUIRED,
            RejectionKind::NotUpgradable => StatusCode::INTERNAL_SERVER_ERROR,
            RejectionKind::ShuttingDown | RejectionKind::TooManyConnections => StatusCode::SERVICE_UNAVAILABLE,
            RejectionKind::TooManyConnectionsPerKey => StatusCode::TOO_MANY_REQUESTS,
        }
    }

    /// The response to a request of this HTTP version: the sentence as text, and this rejection in the extensions.
    ///
    /// The layer and the extractor send it by themselves. It is for handlers that use
    /// [`Upgrader::upgrade`](crate::Upgrader::upgrade); with an [`on_rejection`](crate::Upgrader::on_rejection), use
    /// [`Upgrader::rejection_response`](crate::Upgrader::rejection_response). Over HTTP/2 it has no connection-specific
    /// headers (RFC 9113 §8.2.2).
    pub fn into_response(self, version: Version) -> Response<Bytes> {
        let mut response = Response::new(Bytes::from(format!("{self}\n")));
        *response.status_mut() = self.status();
        self.write_headers(version, response.headers_mut());
        response.extensions_mut().insert(self);
        response
    }

    fn write_headers(&self, version: Version, headers: &mut HeaderMap) {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        // RFC 9113 §8.2.2: HTTP/2 has neither `Connection` nor `Upgrade`.
        let http1 = version < Version::HTTP_2;
        match self.status() {
            StatusCode::METHOD_NOT_ALLOWED => {
                headers.insert(ALLOW, HeaderValue::from_static("GET"));
            }
            StatusCode::UPGRADE_REQUIRED if http1 => {
                headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
                headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
            }
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_SECONDS));
            }
            _ => {}
        }
        if self.kind == RejectionKind::Version {
            headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        }
        // So that the client's next attempt makes a new connection, which a load balancer can give to another server.
        if self.kind == RejectionKind::ShuttingDown && http1 {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason)
    }
}

impl std::error::Error for Rejection {}

/// In seconds: long enough for a restart, or for a few connections to end, and short enough for a user to wait.
const RETRY_AFTER_SECONDS: &str = "5";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_status_its_headers_and_its_sentence() {
        use RejectionKind::*;

        let text = ("content-type", "text/plain; charset=utf-8");
        let upgrade = [text, ("connection", "Upgrade"), ("upgrade", "websocket")];
        let version = [upgrade[0], upgrade[1], upgrade[2], ("sec-websocket-version", "13")];
        for (kind, status, headers, reason) in [
            (Body, 400, &[text][..], "a WebSocket handshake must not have a body"),
            (HostNotAllowed, 403, &[text], "the request's host is not one of the allowed hosts"),
            (
                HttpVersion,
                400,
                &[text],
                "a WebSocket needs HTTP/1.1 or HTTP/2, and the client or a proxy sent this request as HTTP/1.0",
            ),
            (
                InvalidExtensions,
                400,
                &[text],
                "Sec-WebSocket-Extensions must be a list of extensions with their parameters",
            ),
            (InvalidHost, 400, &[text], "the request must name exactly one valid host"),
            (InvalidKey, 400, &[text], "Sec-WebSocket-Key must be 16 bytes in base64"),
            (InvalidSubprotocol, 400, &[text], "Sec-WebSocket-Protocol must be a list of tokens"),
            (InvalidTarget, 400, &[text], "a WebSocket handshake must ask for a path of an http or https URL"),
            (Method, 405, &[text, ("allow", "GET")], "a WebSocket handshake must use the method GET"),
            (NotUpgradable, 500, &[text], "the server is not set up for upgrading connections"),
            (NotWebSocket, 426, &upgrade, "only WebSocket connections are served here"),
            (Origin, 403, &[text], "pages of this origin may not open a WebSocket here"),
            (ShuttingDown, 503, &[text, ("retry-after", "5"), ("connection", "close")], "the server is shutting down"),
            (TooManyConnections, 503, &[text, ("retry-after", "5")], "too many WebSocket connections are open"),
            (
                TooManyConnectionsPerKey,
                429,
                &[text, ("retry-after", "5")],
                "too many WebSocket connections of this client are open",
            ),
            (Version, 426, &version, "Sec-WebSocket-Version must be 13"),
        ] {
            let response = Rejection::new(kind).into_response(http::Version::HTTP_11);
            assert_eq!(response.status(), status, "{kind:?}");
            assert_eq!(response.headers().len(), headers.len(), "{kind:?}: {:?}", response.headers());
            for (name, value) in headers {
                assert_eq!(response.headers().get(*name).unwrap(), value, "{kind:?} {name}");
            }
            assert_eq!(response.body(), format!("{reason}\n").as_bytes(), "{kind:?}");
            let rejection = response.extensions().get::<Rejection>().unwrap();
            assert_eq!((rejection.kind(), rejection.reason()), (kind, reason));
        }
    }

    #[test]
    fn http2_gets_no_headers_about_the_connection() {
        for (kind, headers) in [
            (RejectionKind::NotWebSocket, &["content-type"][..]),
            (RejectionKind::ShuttingDown, &["content-type", "retry-after"]),
            (RejectionKind::Version, &["content-type", "sec-websocket-version"]),
        ] {
            let response = Rejection::new(kind).into_response(Version::HTTP_2);
            let names: Vec<_> = response.headers().keys().map(|name| name.as_str()).collect();
            assert_eq!(names, headers, "{kind:?}");
        }
    }
}
