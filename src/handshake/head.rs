//! The head of a request, and whether it is a handshake.

use http::header::{CONNECTION, HOST, SEC_WEBSOCKET_KEY, UPGRADE};
use http::uri::Scheme;
use http::{Extensions, HeaderMap, Method, Request, Uri, Version, request};

use super::authority::Authority;
use super::fields::Fields;
use super::headers::{Lines, has_token};
use super::rejection::{Rejection, RejectionKind};

/// Whether this request is a WebSocket handshake.
///
/// Over HTTP/1.1 it has `websocket` among the tokens of `Upgrade` and `upgrade` among those of `Connection` (RFC 6455
/// §4.2.1); over HTTP/2 it is a `CONNECT` whose `:protocol` is `websocket` (RFC 8441 §4), which hyper reports as
/// [`hyper::ext::Protocol`] in the extensions. Nothing else is checked: a request with a wrong method, version or key still
/// returns `true`, and is refused later with the reason.
///
/// It looks up at most two headers and does not allocate.
///
/// ```
/// use http::Request;
/// use tower_websocket::is_websocket_request;
///
/// let request = Request::get("/ws").header("connection", "keep-alive, Upgrade").header("upgrade", "websocket");
/// assert!(is_websocket_request(&request.body(())?));
/// assert!(!is_websocket_request(&Request::get("/ws").body(())?));
/// # Ok::<(), http::Error>(())
/// ```
#[doc(alias = "IsWebSocketUpgrade")]
#[doc(alias = "IsWebsocket")]
#[must_use]
pub fn is_websocket_request<B>(request: &Request<B>) -> bool {
    Head::from(request).protocol().is_some()
}

/// A borrowed view of a request's head.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head<'a> {
    pub(crate) method: &'a Method,
    pub(crate) uri: &'a Uri,
    pub(crate) version: Version,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) extensions: &'a Extensions,
}

/// How a handshake is carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// An upgrade (RFC 6455). The request may still be HTTP/1.0, which cannot be upgraded.
    Http1,
    /// An extended `CONNECT` (RFC 8441).
    Http2,
}

impl<'a> Head<'a> {
    /// Which handshake this is, if it is one.
    pub(crate) fn protocol(&self) -> Option<Protocol> {
        if self.version >= Version::HTTP_2 {
            let protocol = || self.extensions.get::<hyper::ext::Protocol>();
            let connect = self.method == Method::CONNECT
                && protocol().is_some_and(|protocol| protocol.as_str().eq_ignore_ascii_case("websocket"));
            return connect.then_some(Protocol::Http2);
        }
        let upgrade = has_token(self.headers, UPGRADE, "websocket") && has_token(self.headers, CONNECTION, "upgrade");
        upgrade.then_some(Protocol::Http1)
    }

    /// Whether this request, which is not a handshake, probably was one before a proxy forwarded it without its `Upgrade` and
    /// `Connection` headers, as nginx does without `proxy_set_header Upgrade`.
    pub(crate) fn has_lost_upgrade(&self) -> bool {
        self.version < Version::HTTP_2 && self.headers.contains_key(SEC_WEBSOCKET_KEY)
    }

    /// The rejection for a request that is not a handshake.
    pub(crate) fn not_websocket(&self) -> Rejection {
        if self.has_lost_upgrade() {
            Rejection::because(RejectionKind::NotWebSocket, NO_UPGRADE_HEADERS)
        } else {
            Rejection::new(RejectionKind::NotWebSocket)
        }
    }

    /// Checks that the request has exactly one valid host, and a path. This is checked for every handshake, under every origin
    /// policy.
    pub(super) fn check_target(&self, fields: &Fields<'_>, protocol: Protocol) -> Result<(), Rejection> {
        let invalid = |reason| Rejection::because(RejectionKind::InvalidHost, reason);
        // RFC 3986 §3.1: schemes are case-insensitive.
        let is_one_of = |scheme: &str, known: &[&str]| known.iter().any(|known| scheme.eq_ignore_ascii_case(known));
        let is_known = match (self.uri.scheme_str(), protocol) {
            // RFC 8441 §5. Over HTTP/1.1, a layer may have completed the URI with either scheme.
            (Some(scheme), Protocol::Http2) => is_one_of(scheme, &["http", "https"]),
            (Some(scheme), Protocol::Http1) => is_one_of(scheme, &["http", "https", "ws", "wss"]),
            (None, _) => true,
        };
        if !is_known || !self.uri.path().starts_with('/') {
            return Err(Rejection::new(RejectionKind::InvalidTarget));
        }
        let named = self.uri.authority().map(|named| Authority::of_url(named.as_str()));
        let header = fields.host.single().map_err(|_| invalid("Host must not be repeated"))?;
        let header = header.map(|header| header.to_str().ok().and_then(Authority::of_url));
        match (protocol, named, header) {
            (_, Some(None), _) | (_, _, Some(None)) => Err(Rejection::new(RejectionKind::InvalidHost)),
            // RFC 9112 §3.2: `Host` is required whatever the form of the target.
            (Protocol::Http1, _, None) => Err(invalid("Host is missing")),
            (Protocol::Http1, _, Some(Some(_))) => Ok(()),
            (Protocol::Http2, None, _) => Err(invalid("a handshake over HTTP/2 must have an :authority")),
            (Protocol::Http2, Some(Some(named)), Some(Some(header)))
                if !named.is(&header, self.uri.scheme_str().unwrap_or_default()) =>
            {
                Err(invalid("Host must not differ from :authority"))
            }
            (Protocol::Http2, Some(Some(_)), _) => Ok(()),
        }
    }

    /// The host and port of the request: those of the URI (HTTP/2, absolute form), otherwise of the single `Host` header
    /// (RFC 9112 §3.2.2, RFC 9113 §8.3.1). Not validated.
    pub(crate) fn host(&self) -> Option<&'a str> {
        match self.uri.authority() {
            Some(authority) => Some(authority.as_str()),
            None => Lines::of(self.headers, HOST).single().ok()??.to_str().ok(),
        }
    }

    /// `http` or `https`, if it is known: from a [`Scheme`] in the request's extensions, otherwise from its URI.
    pub(crate) fn scheme(&self) -> Option<&'a str> {
        let scheme = self.extensions.get::<Scheme>().or(self.uri.scheme())?.as_str();
        Some(match scheme {
            _ if scheme.eq_ignore_ascii_case("ws") => "http",
            _ if scheme.eq_ignore_ascii_case("wss") => "https",
            _ => scheme,
        })
    }
}

impl<'a, B> From<&'a Request<B>> for Head<'a> {
    fn from(request: &'a Request<B>) -> Self {
        Self {
            method: request.method(),
            uri: request.uri(),
            version: request.version(),
            headers: request.headers(),
            extensions: request.extensions(),
        }
    }
}

impl<'a> From<&'a request::Parts> for Head<'a> {
    fn from(parts: &'a request::Parts) -> Self {
        Self {
            method: &parts.method,
            uri: &parts.uri,
            version: parts.version,
            headers: &parts.headers,
            extensions: &parts.extensions,
        }
    }
}

const NO_UPGRADE_HEADERS: &str = "this looks like a WebSocket handshake whose Connection and Upgrade headers a proxy has \
    not passed on";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handshake::fixture::parts;

    #[test]
    fn knows_a_websocket_request() {
        for (text, protocol) in [
            ("GET / HTTP/1.1\nConnection: Upgrade\nUpgrade: websocket", Some(Protocol::Http1)),
            ("GET / HTTP/1.1\nConnection: keep-alive, upgrade\nUpgrade: WebSocket", Some(Protocol::Http1)),
            ("GET / HTTP/1.1\nConnection: close\nConnection: UPGRADE\nUpgrade: h2c,websocket", Some(Protocol::Http1)),
            ("POST / HTTP/1.1\nConnection: Upgrade\nUpgrade: websocket", Some(Protocol::Http1)),
            ("GET / HTTP/1.0\nConnection: Upgrade\nUpgrade: websocket", Some(Protocol::Http1)),
            ("GET / HTTP/1.1\nConnection: upgradex\nUpgrade: websocket", None),
            ("GET / HTTP/1.1\nConnection: Upgrade\nUpgrade: websocket2", None),
            ("GET / HTTP/1.1\nConnection: Upgrade\nUpgrade: websocket/13", None),
            ("GET / HTTP/1.1\nConnection: Upgrade", None),
            ("GET / HTTP/1.1\nUpgrade: websocket", None),
            ("GET / HTTP/1.1", None),
            ("CONNECT https://example.com/ HTTP/2", Some(Protocol::Http2)),
            ("GET / HTTP/2\nConnection: Upgrade\nUpgrade: websocket", None),
            ("CONNECT example.com:80 HTTP/1.1", None),
        ] {
            assert_eq!(Head::from(&parts(text)).protocol(), protocol, "{text}");
            assert_eq!(is_websocket_request(&Request::from_parts(parts(text), ())), protocol.is_some(), "{text}");
        }
    }

    #[test]
    fn a_key_without_an_upgrade_was_a_handshake_over_http1() {
        for (text, lost) in [
            ("GET / HTTP/1.1\nSec-WebSocket-Key: x", true),
            ("GET / HTTP/1.0\nSec-WebSocket-Key: x", true),
            ("GET / HTTP/2\nSec-WebSocket-Key: x", false),
            ("GET / HTTP/1.1\nSec-WebSocket-Version: 13", false),
        ] {
            assert_eq!(Head::from(&parts(text)).has_lost_upgrade(), lost, "{text}");
        }
    }

    #[test]
    fn another_or_no_protocol_over_http2_is_no_websocket() {
        let mut parts = parts("CONNECT https://example.com/ HTTP/2");
        parts.extensions.insert(hyper::ext::Protocol::from_static("connect-udp"));
        assert_eq!(Head::from(&parts).protocol(), None);
        parts.extensions.remove::<hyper::ext::Protocol>();
        assert_eq!(Head::from(&parts).protocol(), None);
        parts.method = Method::GET;
        parts.extensions.insert(hyper::ext::Protocol::from_static("websocket"));
        assert_eq!(Head::from(&parts).protocol(), None);
    }

    #[test]
    fn takes_the_host_from_the_uri_and_then_from_the_one_host_header() {
        for (text, host) in [
            ("GET / HTTP/1.1\nHost: a.example:8080", Some("a.example:8080")),
            ("GET http://b.example/ HTTP/1.1\nHost: a.example", Some("b.example")),
            ("GET http://b.example/ HTTP/1.1\nHost: a.example\nHost: c.example", Some("b.example")),
            ("CONNECT https://b.example:8443/ HTTP/2", Some("b.example:8443")),
            ("CONNECT / HTTP/2\nHost: a.example", Some("a.example")),
            ("GET / HTTP/1.1", None),
            ("GET / HTTP/1.1\nHost: a.example\nHost: a.example", None),
            ("GET / HTTP/1.1\nHost: ex\u{e4}mple", None),
            ("GET / HTTP/1.1\nX-Forwarded-Host: a.example", None),
        ] {
            assert_eq!(Head::from(&parts(text)).host(), host, "{text}");
        }
    }

    #[test]
    fn takes_the_scheme_from_the_extensions_and_then_from_the_uri() {
        for (text, scheme) in [
            ("GET / HTTP/1.1\nX-Forwarded-Proto: https", None),
            ("GET ws://example.com/ HTTP/1.1", Some("http")),
            ("CONNECT https://example.com/ HTTP/2", Some("https")),
        ] {
            let mut parts = parts(text);
            assert_eq!(Head::from(&parts).scheme(), scheme, "{text}");
            parts.extensions.insert("WSS".parse::<Scheme>().unwrap());
            assert_eq!(Head::from(&parts).scheme(), Some("https"), "{text}");
        }
    }
}
