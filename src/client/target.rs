//! Where a connection goes.

use std::convert::Infallible;

use http::header::{
    CONNECTION, CONTENT_LENGTH, HOST, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY, TRANSFER_ENCODING, UPGRADE,
};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderValue, Request, Uri, Version};

use crate::error::{Error, ErrorKind};

/// A WebSocket URL (RFC 6455 §3), and the request's own headers and extensions, checked.
///
/// It is made from a URL, as text or [`Uri`], or from an [`http::Request`], whose method and version do not count. Whoever
/// connects more than once can make it once.
///
/// ```
/// use http::Request;
/// use tower_websocket::Target;
///
/// let target = Target::try_from("wss://example.com/chat?room=1")?;
/// let target = Target::try_from(Request::get("ws://localhost:3000/ws").header("cookie", "session=1").body(())?)?;
///
/// for not_a_target in ["https://example.com/", "ws://", "ws://me:secret@example.com/", "ws://example.com/#top"] {
///     assert!(Target::try_from(not_a_target).is_err());
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// A user name and a password in the URL are refused: put them into an `Authorization` header.
#[derive(Clone, Debug)]
pub struct Target {
    request: Request<()>,
    is_secure: bool,
    host: String,
    port: u16,
    path: PathAndQuery,
}

impl Target {
    /// Whether this is a `wss://` URL.
    pub(super) fn is_secure(&self) -> bool {
        self.is_secure
    }

    /// A name or an address without brackets.
    pub(super) fn host(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// The request as it is sent over this version. Of `defaults`, what the request does not have itself is added.
    pub(super) fn request<B: Default>(&self, version: Version, defaults: &HeaderMap) -> Request<B> {
        let mut request = self.request.clone().map(|()| B::default());
        *request.version_mut() = version;
        let headers = request.headers_mut();
        for name in defaults.keys().filter(|name| !self.request.headers().contains_key(*name)) {
            for value in defaults.get_all(name) {
                headers.append(name, value.clone());
            }
        }
        // The handshake's own; a body there is not.
        for name in
            [CONNECTION, CONTENT_LENGTH, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY, TRANSFER_ENCODING, UPGRADE]
        {
            headers.remove(name);
        }
        if version >= Version::HTTP_2 {
            let host = headers.remove(HOST);
            *request.uri_mut() = self.absolute_uri(host.as_ref());
        } else {
            if let (false, Ok(host)) = (headers.contains_key(HOST), HeaderValue::from_str(&self.authority())) {
                headers.insert(HOST, host);
            }
            *request.uri_mut() = Uri::from(self.path.clone());
        }
        request
    }

    /// RFC 8441 §5: the scheme is that of HTTP. A `Host` header says what the authority is to be.
    fn absolute_uri(&self, host: Option<&HeaderValue>) -> Uri {
        let host = host.and_then(|host| Authority::try_from(host.as_bytes()).ok());
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(if self.is_secure { Scheme::HTTPS } else { Scheme::HTTP });
        parts.authority = host.or_else(|| self.authority().parse().ok());
        parts.path_and_query = Some(self.path.clone());
        Uri::from_parts(parts).expect("scheme, authority and path make a URI")
    }

    /// Host and port, without the scheme's default port (RFC 6455 §4.1).
    fn authority(&self) -> String {
        let is_default = self.port == default_port(self.is_secure);
        if is_default { self.host.clone() } else { format!("{}:{}", self.host, self.port) }
    }
}

impl TryFrom<Request<()>> for Target {
    type Error = Error;

    fn try_from(request: Request<()>) -> Result<Self, Error> {
        let uri = request.uri();
        let is_secure = match uri.scheme_str() {
            Some(scheme) if scheme.eq_ignore_ascii_case("ws") => false,
            Some(scheme) if scheme.eq_ignore_ascii_case("wss") => true,
            _ => return Err(invalid("a WebSocket URL starts with ws:// or wss://")),
        };
        let authority = uri.authority().filter(|authority| !authority.host().is_empty());
        let authority = authority.ok_or_else(|| invalid("the URL names no host"))?;
        if authority.as_str().contains('@') {
            return Err(invalid("a WebSocket URL has no user name and no password"));
        }
        let host = authority.host().to_owned();
        let port = match authority.as_str()[host.len()..].trim_start_matches(':') {
            "" => default_port(is_secure),
            port => port.parse().map_err(|_| invalid("the URL's port is not a number up to 65535"))?,
        };
        let path = match uri.path_and_query() {
            Some(path) if path.as_str().starts_with('/') => path.clone(),
            path => {
                let query = path.map_or("", PathAndQuery::as_str);
                format!("/{query}").parse().map_err(|_| invalid("the URL's path is not valid"))?
            }
        };
        Ok(Self { is_secure, host, port, path, request })
    }
}

impl TryFrom<Uri> for Target {
    type Error = Error;

    fn try_from(uri: Uri) -> Result<Self, Error> {
        let mut request = Request::new(());
        *request.uri_mut() = uri;
        Self::try_from(request)
    }
}

impl TryFrom<&str> for Target {
    type Error = Error;

    fn try_from(url: &str) -> Result<Self, Error> {
        // `Uri` would drop it silently.
        if url.contains('#') {
            return Err(invalid("a WebSocket URL has no fragment (RFC 6455 section 3)"));
        }
        let uri = url.parse::<Uri>().map_err(|error| Error::with_source(ErrorKind::InvalidSetting, error))?;
        Self::try_from(uri)
    }
}

impl TryFrom<String> for Target {
    type Error = Error;

    fn try_from(url: String) -> Result<Self, Error> {
        Self::try_from(url.as_str())
    }
}

impl TryFrom<&String> for Target {
    type Error = Error;

    fn try_from(url: &String) -> Result<Self, Error> {
        Self::try_from(url.as_str())
    }
}

/// A [`Target`] is one already.
impl From<Infallible> for Error {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

fn default_port(is_secure: bool) -> u16 {
    if is_secure { 443 } else { 80 }
}

fn invalid(reason: &str) -> Error {
    Error::with_source(ErrorKind::InvalidSetting, reason)
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    #[test]
    fn says_where_to_go_and_what_to_ask_for() {
        for (url, host, port, http1, http2) in [
            ("ws://example.com", "example.com", 80, "example.com /", "http://example.com/"),
            ("WSS://Example.com/", "Example.com", 443, "Example.com /", "https://Example.com/"),
            ("ws://h:80/a?b=c", "h", 80, "h /a?b=c", "http://h/a?b=c"),
            ("wss://h:80?b", "h", 80, "h:80 /?b", "https://h:80/?b"),
            ("ws://h:/", "h", 80, "h /", "http://h/"),
            ("ws://[::1]:3000/", "::1", 3000, "[::1]:3000 /", "http://[::1]:3000/"),
            ("ws://[::1]", "::1", 80, "[::1] /", "http://[::1]/"),
        ] {
            let target = Target::try_from(url).unwrap();
            assert_eq!((target.host(), target.port()), (host, port), "{url}");
            let request: Request<()> = target.request(Version::HTTP_11, &HeaderMap::new());
            assert_eq!(format!("{} {}", request.headers()[HOST].to_str().unwrap(), request.uri()), http1, "{url}");
            let request: Request<()> = target.request(Version::HTTP_2, &HeaderMap::new());
            assert_eq!((request.uri().to_string().as_str(), request.headers().len()), (http2, 0), "{url}");
        }
    }

    #[test]
    fn refuses_what_is_no_websocket_url() {
        for (url, reason) in [
            ("http://h/", "starts with"),
            ("h:80", "starts with"),
            ("/ws", "starts with"),
            ("", "empty"),
            ("ws:///path", "invalid"),
            ("ws://:80/", "no host"),
            ("ws://me@h/", "no user name"),
            ("ws://me:pw@h/", "no user name"),
            ("ws://h:65536/", "port"),
            ("ws://h:x/", ""),
            ("ws://h/#top", "fragment"),
            ("ws://h/a b", "invalid"),
        ] {
            let error = Target::try_from(url).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidSetting, "{url}");
            let source = error.source().unwrap().to_string();
            assert!(source.contains(reason), "{url}: {source}");
        }
    }

    #[test]
    fn the_request_keeps_its_headers_and_those_of_the_handshake_are_ours() {
        let request = Request::post("ws://h/")
            .header("cookie", "a=1")
            .header("host", "other.example")
            .header("content-length", "5")
            .header("sec-websocket-key", "x")
            .header("sec-websocket-extensions", "x");
        let target = Target::try_from(request.body(()).unwrap()).unwrap();
        let mut defaults = HeaderMap::new();
        defaults.insert("cookie", HeaderValue::from_static("b=2"));
        defaults.append("x-a", HeaderValue::from_static("1"));
        defaults.append("x-a", HeaderValue::from_static("2"));

        let request: Request<()> = target.request(Version::HTTP_11, &defaults);
        let headers: Vec<_> =
            request.headers().iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        assert_eq!(headers, [("cookie", "a=1"), ("host", "other.example"), ("x-a", "1"), ("x-a", "2")]);

        let request: Request<()> = target.request(Version::HTTP_2, &defaults);
        assert_eq!(*request.uri(), "http://other.example/");
        assert!(!request.headers().contains_key(HOST));
    }
}
