//! Origins as browsers serialise them (RFC 6454 §6), and patterns of origins.

use std::fmt;

use crate::handshake::authority::{Authority, HostPattern, default_port};

/// The origin of a page: scheme, host and port.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin<'a> {
    scheme: &'a str,
    authority: Authority<'a>,
}

impl<'a> Origin<'a> {
    /// Parses one serialised origin. Returns `None` for `null`, and for a value with a path, user information or a second origin.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let (scheme, authority) = split_scheme(text)?;
        Some(Self { scheme, authority: Authority::parse(authority)? })
    }

    /// Whether this is an `http` or `https` origin on the host of the request, or on a loopback host if that of the request is one.
    pub(crate) fn is_same_host(&self, request: &Authority<'_>) -> bool {
        let (page, request) = (&self.authority.host, &request.host);
        self.is_http() && (page.is(request) || page.is_loopback() && request.is_loopback())
    }

    /// Whether this is the origin of the request itself. If the request's scheme is unknown, that of the page is used.
    pub(crate) fn is_same_origin(&self, request: &Authority<'_>, scheme: Option<&str>) -> bool {
        let scheme = scheme.unwrap_or(self.scheme);
        self.is_http()
            && self.scheme.eq_ignore_ascii_case(scheme)
            && self.authority.host.is(&request.host)
            && self.port() == request.port.or(default_port(scheme))
    }

    pub(crate) fn is_http(&self) -> bool {
        default_port(self.scheme).is_some()
    }

    /// The scheme, and the host with the port.
    pub(super) fn parts(&self) -> (&str, &Authority<'a>) {
        (self.scheme, &self.authority)
    }

    fn port(&self) -> Option<u16> {
        self.authority.port.or(default_port(self.scheme))
    }
}

/// One origin, or the origins of all subdomains.
#[derive(Clone, Debug)]
pub(crate) struct OriginPattern {
    scheme: Box<str>,
    host: HostPattern,
    port: Option<u16>,
}

impl OriginPattern {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (scheme, authority) = split_scheme(text)?;
        let (host, port) = HostPattern::parse(authority)?;
        Some(Self { scheme: scheme.into(), host, port: port.or(default_port(scheme)) })
    }

    pub(crate) fn matches(&self, origin: &Origin<'_>) -> bool {
        self.scheme.eq_ignore_ascii_case(origin.scheme)
            && self.port == origin.port()
            && self.host.matches(&origin.authority.host)
    }
}

impl fmt::Display for OriginPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.host)?;
        match self.port.filter(|port| default_port(&self.scheme) != Some(*port)) {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}

fn split_scheme(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once(':')?;
    let rest = rest.strip_prefix("//")?;
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    is_scheme.then_some((scheme, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_serialised_origins_only() {
        for (text, valid) in [
            ("https://example.com", true),
            ("HTTP://EXAMPLE.COM:80", true),
            ("http://[::1]:3000", true),
            ("https://xn--mnchen-3ya.example", true),
            ("chrome-extension://abcdefgh", true),
            ("null", false),
            ("", false),
            ("example.com", false),
            ("//example.com", false),
            ("://example.com", false),
            ("1http://example.com", false),
            ("file://", false),
            ("https:example.com", false),
            ("https://example.com/", false),
            ("https://example.com?a", false),
            ("https://user@example.com", false),
            ("http://good.example@evil.example", false),
            ("https://a.example https://b.example", false),
            ("https://a.example, https://b.example", false),
            ("https://*.example.com", false),
            ("https://münchen.example", false),
        ] {
            assert_eq!(Origin::parse(text).is_some(), valid, "{text}");
        }
    }

    #[test]
    fn a_pattern_compares_scheme_host_and_port() {
        for (pattern, origin, matches) in [
            ("https://app.example.com", "https://app.example.com", true),
            ("https://app.example.com", "HTTPS://App.Example.COM:443", true),
            ("https://app.example.com:443", "https://app.example.com", true),
            ("https://app.example.com", "http://app.example.com", false),
            ("https://app.example.com", "https://app.example.com:8443", false),
            ("https://app.example.com", "https://app.example.com.", false),
            ("https://app.example.com", "https://app.example.com.evil.example", false),
            ("https://app.example.com", "https://evilapp.example.com", false),
            ("http://localhost:5173", "http://localhost:5173", true),
            ("http://localhost:5173", "http://localhost:5174", false),
            ("http://localhost:5173", "http://127.0.0.1:5173", false),
            ("http://[::1]", "http://[0:0::1]:80", true),
            ("https://*.example.com", "https://a.example.com", true),
            ("https://*.example.com", "https://b.a.example.com:443", true),
            ("https://*.example.com", "https://example.com", false),
            ("https://*.example.com", "http://a.example.com", false),
            ("https://*.example.com", "https://a.example.com:8443", false),
            ("https://*.example.com:8443", "https://a.example.com:8443", true),
            ("https://*.example.com", "https://evilexample.com", false),
            ("https://xn--mnchen-3ya.example", "https://XN--mnchen-3ya.example", true),
            ("tauri://localhost", "tauri://localhost", true),
            ("tauri://localhost", "http://localhost", false),
        ] {
            let pattern = OriginPattern::parse(pattern).unwrap();
            assert_eq!(pattern.matches(&Origin::parse(origin).unwrap()), matches, "{pattern:?} {origin}");
        }
    }
}
