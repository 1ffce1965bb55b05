//! The target of a connection: a WebSocket URL, with headers.

use std::convert::Infallible;

use http::header::{
    CONNECTION, CONTENT_LENGTH, HOST, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY, TRANSFER_ENCODING, UPGRADE,
};
use http::uri::{self, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderValue, Request, Uri, Version};

use crate::error::{Error, ErrorKind};
use crate::handshake::Authority;

/// A checked WebSocket URL (RFC 6455 §3), with headers and extensions of the request.
///
/// The host is a name of letters, digits, `-` and `_`, an IPv4 address, or an IPv6 address in brackets without a zone; the
/// port is a number. Path and query are ASCII. Characters that browsers percent-encode must be percent-encoded, except `'`,
/// which RFC 3986 allows.
///
/// It is made from a URL, as text or [`Uri`], or from an [`http::Request`], whose method and version are ignored. It can be
/// cloned for several connections.
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
#[doc(alias = "IntoClientRequest")]
#[doc(alias = "uri_mode")]
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

    /// Checks the `Host` header, if the request or `defaults` have one.
    pub(super) fn check_host(&self, defaults: &HeaderMap) -> Result<(), Error> {
        let headers = [self.request.headers(), defaults].into_iter().find(|headers| headers.contains_key(HOST));
        let Some(headers) = headers else { return Ok(()) };
        let mut hosts = headers.get_all(HOST).into_iter();
        let host = hosts.next().and_then(|host| Authority::of_url(host.to_str().ok()?));
        if host.is_none() || hosts.next().is_some() {
            return Err(invalid("the Host header is not one host with an optional port"));
        }
        Ok(())
    }

    /// The request as it is sent over this version. Headers of `defaults` are added, unless the request has them.
    pub(super) fn request<B: Default>(&self, version: Version, defaults: &HeaderMap) -> Request<B> {
        let mut request = self.request.clone().map(|()| B::default());
        *request.version_mut() = version;
        let headers = request.headers_mut();
        for name in defaults.keys().filter(|name| !self.request.headers().contains_key(*name)) {
            for value in defaults.get_all(name) {
                headers.append(name, value.clone());
            }
        }
        // The handshake sets its own headers, and there is no body.
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

    /// RFC 8441 §5: the scheme is that of HTTP. A `Host` header replaces the authority.
    fn absolute_uri(&self, host: Option<&HeaderValue>) -> Uri {
        let host = host.and_then(|host| uri::Authority::try_from(host.as_bytes()).ok());
        let mut parts = uri::Parts::default();
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
        let named = uri.authority().map_or("", |named| named.as_str());
        if named.contains('@') {
            return Err(invalid("a WebSocket URL has no user name and no password"));
        }
        if named.is_empty() || named.starts_with(':') {
            return Err(invalid("the URL names no host"));
        }
        let Authority { host, port } = Authority::of_url(named).ok_or_else(|| invalid(NO_HOST))?;
        let (host, port) = (host.to_string(), port.unwrap_or(default_port(is_secure)));
        let path = match uri.path_and_query() {
            Some(path) if path.as_str().starts_with('/') => path.clone(),
            path => {
                let query = path.map_or("", PathAndQuery::as_str);
                format!("/{query}").parse().map_err(|_| invalid("the URL's path is not valid"))?
            }
        };
        check_path(&path)?;
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
        // `Uri` would remove the fragment silently.
        if url.contains('#') {
            return Err(invalid("a WebSocket URL has no fragment (RFC 6455 section 3)"));
        }
        if !url.is_ascii() {
            return Err(invalid("a URL is ASCII: its path and query are percent-encoded, and its host is punycode"));
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

/// Converting a [`Target`] into itself never fails.
impl From<Infallible> for Error {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

/// Refuses characters that browsers percent-encode (WHATWG URL), as servers may read them in different ways. `'` is allowed: it
/// is one of the sub-delims of RFC 3986 §2.2, which need no encoding in a path and a query.
fn check_path(path: &PathAndQuery) -> Result<(), Error> {
    let (path, query) = (path.path().as_bytes(), path.query().unwrap_or_default().as_bytes());
    let is_plain = |byte: &u8| byte.is_ascii_graphic() && !b"\"<>".contains(byte);
    if !path.iter().all(|byte| is_plain(byte) && !b"\\^`{}".contains(byte)) || !query.iter().all(is_plain) {
        return Err(invalid("the URL's path or query has characters that must be percent-encoded (RFC 3986)"));
    }
    let is_encoded = |rest: &[u8]| rest.len() >= 2 && rest[..2].iter().all(u8::is_ascii_hexdigit);
    let are_encoded = |text: &[u8]| text.split(|byte| *byte == b'%').skip(1).all(is_encoded);
    if are_encoded(path) && are_encoded(query) {
        Ok(())
    } else {
        Err(invalid("the URL's path or query has a % without two hexadecimal digits after it (RFC 3986)"))
    }
}

fn default_port(is_secure: bool) -> u16 {
    if is_secure { 443 } else { 80 }
}

const NO_HOST: &str = "the URL's host is not a name, an IPv4 address, or an IPv6 address in brackets, with an optional port \
    up to 65535";

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
            ("ws://[0:0::1]:81/", "::1", 81, "[::1]:81 /", "http://[::1]:81/"),
            ("ws://a_b.example./", "a_b.example.", 80, "a_b.example. /", "http://a_b.example./"),
            // RFC 3986 section 3.4 allows it, though browsers encode it in the query of ws: and wss: URLs.
            ("ws://h/it's?q='a'", "h", 80, "h /it's?q='a'", "http://h/it's?q='a'"),
            (
                "ws://h/%C3%BC/~a;b=1|2?q=%22&a[]=1&j={}",
                "h",
                80,
                "h /%C3%BC/~a;b=1|2?q=%22&a[]=1&j={}",
                "http://h/%C3%BC/~a;b=1|2?q=%22&a[]=1&j={}",
            ),
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
            ("ws://127.0.0.1:+21000/ws", "port"),
            ("ws://h:-1/", "port"),
            ("ws://h:80:80/", ""),
            ("ws://[::1]x/", ""),
            ("ws://[]/", ""),
            ("ws://[::1/", ""),
            ("ws://[fe80::1%25eth0]/", ""),
            ("ws://[1.2.3.4]/", "host"),
            ("ws://[v1.a]/", ""),
            ("ws://a..b/", "host"),
            ("ws://.a/", "host"),
            ("ws://a%41/", ""),
            ("ws://a,b/", "host"),
            ("ws://*/", "host"),
            ("ws://m\u{fc}nchen.example/", "punycode"),
            ("ws://h/?q=\u{fc}", "percent-encoded"),
            ("ws://h/\u{fc}", "percent-encoded"),
            ("ws://h/\u{7f}", ""),
            ("ws://h/?q=\"a\"", ""),
            ("ws://h/?q=<a>", ""),
            ("ws://h/{a}", "percent-encoded"),
            ("ws://h/a\\b", ""),
            ("ws://h/%", "hexadecimal"),
            ("ws://h/%4", "hexadecimal"),
            ("ws://h/?q=%zz", "hexadecimal"),
            ("ws://h/?q=a%4g", "hexadecimal"),
            (" ws://h/", ""),
            ("ws://h/ ", ""),
            ("ws://h\\a/", ""),
            ("ws:h", ""),
            ("ws:/h/", ""),
            ("ws://h/#top", "fragment"),
            ("ws://h/a b", "invalid"),
        ] {
            let error = Target::try_from(url).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidSetting, "{url}");
            let source = error.source().unwrap().to_string();
            assert!(source.contains(reason), "{url}: {source}");
        }
    }

    /// A [`Uri`] lets more through than text does.
    #[test]
    fn every_form_of_a_target_is_checked_alike() {
        for path in [&b"ws://h/?q=\xc3\xbc"[..], b"ws://h/\xfc", b"ws://a..b/", b"ws://h/%zz"] {
            let Ok(uri) = Uri::try_from(path) else { continue };
            assert!(Target::try_from(uri.clone()).is_err(), "{uri}");
            assert!(Target::try_from(Request::get(uri.clone()).body(()).unwrap()).is_err(), "{uri}");
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
