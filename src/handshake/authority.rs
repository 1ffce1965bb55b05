//! Hosts and ports, as in origins, requests and URLs.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A host: an IP address, whose spelling does not matter, or a name in ASCII.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Host<S> {
    Ip(IpAddr),
    Name(S),
}

impl<'a> Host<&'a str> {
    /// Reads a name, an IPv4 address, or an IPv6 address in brackets.
    ///
    /// A host whose last label is a number must be an IPv4 address, as for browsers: resolvers also read `127.1` and
    /// `0x7f.1` as addresses.
    ///
    /// Names have the characters that a browser can put into an `Origin`, non-ASCII names as punycode. One dot may
    /// follow the last label. That is a different name, as it is for browsers, which have separate cookies for it.
    fn parse(text: &'a str) -> Option<Self> {
        if let Some(bracketed) = text.strip_prefix('[') {
            let address: Ipv6Addr = bracketed.strip_suffix(']')?.parse().ok()?;
            return Some(Self::Ip(address.into()));
        }
        if let Ok(address) = text.parse::<Ipv4Addr>() {
            return Some(Self::Ip(address.into()));
        }
        let name = text.strip_suffix('.').unwrap_or(text);
        (labels(name).all(is_label) && (!ends_in_number(name) || name.parse::<Ipv4Addr>().is_ok()))
            .then_some(Self::Name(text))
    }

    fn into_owned(self) -> Host<Box<str>> {
        match self {
            Self::Ip(address) => Host::Ip(address),
            Self::Name(name) => Host::Name(name.into()),
        }
    }

    /// Whether the host is this machine for every browser: `localhost`, 127.0.0.0/8 and `[::1]`.
    ///
    /// `*.localhost` is not included: by RFC 6761 §6.3 it should resolve to the loopback address, but not all resolvers comply.
    pub(crate) fn is_loopback(&self) -> bool {
        match self {
            Self::Ip(address) => address.is_loopback(),
            Self::Name(name) => name.eq_ignore_ascii_case("localhost"),
        }
    }
}

impl<S: AsRef<str>> Host<S> {
    pub(crate) fn is(&self, other: &Host<impl AsRef<str>>) -> bool {
        match (self, other) {
            (Self::Ip(this), Host::Ip(other)) => this == other,
            (Self::Name(this), Host::Name(other)) => this.as_ref().eq_ignore_ascii_case(other.as_ref()),
            _ => false,
        }
    }
}

/// A host with an optional port (RFC 3986 §3.2, without user information).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Authority<'a> {
    pub(crate) host: Host<&'a str>,
    pub(crate) port: Option<u16>,
}

impl<'a> Authority<'a> {
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let (host, port) = split_port(text)?;
        Some(Self { host: Host::parse(host)?, port })
    }

    /// Parses the authority of a request or of a URL. Unlike in an origin, the port may be empty (RFC 3986 §3.2.3).
    pub(crate) fn of_url(text: &'a str) -> Option<Self> {
        match text.strip_suffix(':') {
            Some(host) => Self::parse(host).filter(|authority| authority.port.is_none()),
            None => Self::parse(text),
        }
    }

    /// Whether both are the same host and port in a URL with this scheme.
    pub(super) fn is(&self, other: &Authority<'_>, scheme: &str) -> bool {
        let port = |port: Option<u16>| port.or(default_port(scheme));
        self.host.is(&other.host) && port(self.port) == port(other.port)
    }
}

impl<S: fmt::Display> fmt::Display for Host<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(IpAddr::V6(address)) => write!(f, "[{address}]"),
            Self::Ip(address) => address.fmt(f),
            Self::Name(name) => name.fmt(f),
        }
    }
}

/// A host, or all subdomains of one.
#[derive(Clone, Debug)]
pub(crate) enum HostPattern {
    Exact(Host<Box<str>>),
    Subdomains(Box<str>),
}

impl HostPattern {
    /// Parses a host, or `*.` and a name, with an optional port.
    pub(crate) fn parse(text: &str) -> Option<(Self, Option<u16>)> {
        let Some(rest) = text.strip_prefix("*.") else {
            let Authority { host, port } = Authority::parse(text)?;
            return Some((Self::Exact(host.into_owned()), port));
        };
        match Authority::parse(rest)? {
            Authority { host: Host::Name(name), port } => Some((Self::Subdomains(name.into()), port)),
            Authority { host: Host::Ip(_), .. } => None,
        }
    }

    pub(crate) fn matches(&self, host: &Host<&str>) -> bool {
        match (self, host) {
            (Self::Exact(exact), host) => exact.is(host),
            (Self::Subdomains(parent), Host::Name(name)) => {
                let labels = name.len().checked_sub(parent.len()).and_then(|start| name.split_at_checked(start));
                labels.is_some_and(|(sub, rest)| sub.ends_with('.') && rest.eq_ignore_ascii_case(parent))
            }
            (Self::Subdomains(_), Host::Ip(_)) => false,
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(host) => host.fmt(f),
            Self::Subdomains(parent) => write!(f, "*.{parent}"),
        }
    }
}

/// The default port of a scheme.
pub(crate) fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        _ if scheme.eq_ignore_ascii_case("http") => Some(80),
        _ if scheme.eq_ignore_ascii_case("https") => Some(443),
        _ => None,
    }
}

fn split_port(text: &str) -> Option<(&str, Option<u16>)> {
    // The colons of an IPv6 address are within brackets.
    let end = if text.starts_with('[') {
        text.find(']')? + 1
    } else {
        text.bytes().position(|byte| byte == b':').unwrap_or(text.len())
    };
    let (host, rest) = text.split_at(end);
    if rest.is_empty() {
        return Some((host, None));
    }
    let digits = rest.strip_prefix(':')?;
    // `u16::from_str` accepts a plus sign.
    digits.bytes().all(|byte| byte.is_ascii_digit()).then_some(())?;
    Some((host, Some(digits.parse().ok()?)))
}

/// Whether resolvers may read the last label as a part of an IPv4 address.
fn ends_in_number(name: &str) -> bool {
    let last = labels(name).next_back().unwrap_or_default();
    let hex = last.strip_prefix(b"0x").or_else(|| last.strip_prefix(b"0X"));
    last.iter().all(u8::is_ascii_digit) || hex.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
}

/// The labels of a name. As bytes, because iterating over characters needs more than twice the instructions (callgrind).
fn labels(name: &str) -> impl DoubleEndedIterator<Item = &[u8]> {
    name.as_bytes().split(|byte| *byte == b'.')
}

fn is_label(label: &[u8]) -> bool {
    !label.is_empty() && label.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_that_ends_in_a_number_is_an_address_or_nothing() {
        for (host, valid) in [
            ("127.0.0.1", true),
            ("127.0.0.1.", true),
            ("1.example", true),
            ("0x7f", false),
            ("0x", false),
            ("0xfg.example", true),
            ("a.0xfg", true),
            ("127.1", false),
            ("0x7f.1", false),
            ("0177.0.0.1", false),
            ("2130706433", false),
            ("256.0.0.1", false),
            ("1.2.3.4.5", false),
            ("a.1", false),
            ("a.1.", false),
        ] {
            assert_eq!(Authority::parse(host).is_some(), valid, "{host}");
        }
    }

    #[test]
    fn the_port_of_a_url_may_be_empty() {
        for (text, port) in [("a:", Some(None)), ("[::1]:", Some(None)), ("a", Some(None)), ("a:1", Some(Some(1)))] {
            assert_eq!(Authority::of_url(text).map(|authority| authority.port), port, "{text}");
        }
        for text in ["", ":", "a::", "a:1:", "::1:", "::", "a/:", "u@a:", "a:99999"] {
            assert!(Authority::of_url(text).is_none(), "{text}");
        }
    }

    fn same(this: &str, other: &str) -> bool {
        Authority::parse(this).unwrap().host.is(&Authority::parse(other).unwrap().host)
    }

    #[test]
    fn reads_hosts_with_and_without_a_port() {
        for (text, port) in [
            ("example.com", None),
            ("example.com.", None),
            ("a_b-c.example:8080", Some(8080)),
            ("127.0.0.1:1", Some(1)),
            ("[::1]", None),
            ("[2001:db8::1]:443", Some(443)),
        ] {
            assert_eq!(Authority::parse(text).map(|authority| authority.port), Some(port), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_not_a_host() {
        for text in [
            "",
            ".",
            "..",
            ":80",
            "a:",
            "a:+1",
            "a:65536",
            "a:1:2",
            "a:b",
            "::1",
            "[::1",
            "[::1]x",
            "[]",
            "[a]",
            "[1.2.3.4]",
            "[fe80::1%eth0]",
            "a..b",
            ".a",
            "a b",
            "a/b",
            "u@a",
            "*.a",
            "a%41",
            "ä",
            "a]",
            "a,b",
            "[::1]:",
            "a?b",
            "a#b",
        ] {
            assert!(Authority::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn compares_names_in_any_case_and_addresses_by_value() {
        for (this, other, equal) in [
            ("Example.COM", "example.com", true),
            ("[::1]", "[0:0:0:0:0:0:0:1]", true),
            ("[2001:DB8::1]", "[2001:db8::1]", true),
            ("example.com", "example.com.", false),
            ("127.0.0.1", "127.0.0.1.", false),
            ("127.0.0.1", "[::ffff:127.0.0.1]", false),
            ("example.com", "example.co", false),
        ] {
            assert_eq!(same(this, other), equal, "{this} {other}");
        }
    }

    #[test]
    fn knows_the_loopback_hosts() {
        for (host, loopback) in [
            ("localhost", true),
            ("LOCALHOST", true),
            ("127.0.0.1", true),
            ("127.255.0.3", true),
            ("[::1]", true),
            ("0.0.0.0", false),
            ("128.0.0.1", false),
            ("127.0.0.1.evil.example", false),
            ("localhost.evil.example", false),
            ("evil.localhost", false),
            ("localhost.", false),
            ("[::2]", false),
        ] {
            assert_eq!(Authority::parse(host).unwrap().host.is_loopback(), loopback, "{host}");
        }
    }

    #[test]
    fn a_pattern_covers_subdomains_at_any_depth_and_not_the_bare_domain() {
        let (pattern, port) = HostPattern::parse("*.Example.com:8443").unwrap();
        assert_eq!(port, Some(8443));
        for (host, matches) in [
            ("a.example.com", true),
            ("a.B.EXAMPLE.com", true),
            ("example.com", false),
            ("evilexample.com", false),
            ("a.example.com.", false),
            ("a.example.com.evil.example", false),
            ("1.2.3.4", false),
        ] {
            assert_eq!(pattern.matches(&Authority::parse(host).unwrap().host), matches, "{host}");
        }
        for text in ["*", "*.", "*.1.2.3.4", "*.[::1]", "a.*.b", "**.a", "*a.b"] {
            assert!(HostPattern::parse(text).is_none(), "{text}");
        }
    }
}
