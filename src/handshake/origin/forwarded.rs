//! The host and scheme that a trusted proxy forwards with a request.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use http::header::FORWARDED;
use http::{Extensions, HeaderMap, HeaderName};

use super::allowed_hosts::write_list;
use crate::error::Error;
use crate::handshake::head::Head;
use crate::handshake::setting::parse_some;

/// The header in which a proxy forwards the host of the client's request:
/// [`OriginPolicy::trusted_proxies`](crate::OriginPolicy::trusted_proxies).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ForwardedHeader {
    /// `host` and `proto` in `Forwarded` (RFC 7239).
    Forwarded,
    /// `X-Forwarded-Host`, and for the scheme `X-Forwarded-Proto`.
    XForwarded,
}

/// Which proxies are trusted, and the header that they use.
#[derive(Clone)]
pub(super) struct TrustedProxies {
    header: ForwardedHeader,
    proxies: Proxies,
}

#[derive(Clone)]
enum Proxies {
    Networks(Arc<[Network]>),
    Predicate(Arc<Predicate>),
}

type Predicate = dyn Fn(&Extensions) -> bool + Send + Sync;

/// The values that a proxy has forwarded. Missing ones are taken from the request itself.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Forwarded<'a> {
    pub(super) host: Option<&'a str>,
    pub(super) scheme: Option<&'a str>,
}

impl TrustedProxies {
    pub(super) fn parse<S: AsRef<str>>(
        header: ForwardedHeader,
        proxies: impl IntoIterator<Item = S>,
    ) -> Result<Self, Error> {
        let networks = parse_some(proxies, "an address or a network such as 10.0.0.0/8 or fd00::/8", Network::parse)?;
        Ok(Self { header, proxies: Proxies::Networks(networks) })
    }

    pub(super) fn predicate(
        header: ForwardedHeader,
        is_trusted: impl Fn(&Extensions) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self { header, proxies: Proxies::Predicate(Arc::new(is_trusted)) }
    }

    /// The header that the proxies use.
    pub(super) fn header(&self) -> ForwardedHeader {
        self.header
    }

    /// The networks of the proxies. None if a predicate decides.
    pub(super) fn networks(&self) -> impl Iterator<Item = String> {
        let networks: &[Network] = match &self.proxies {
            Proxies::Networks(networks) => networks,
            Proxies::Predicate(_) => &[],
        };
        networks.iter().map(ToString::to_string)
    }

    /// Whether proxies are identified by their addresses, and the request's extensions have no address.
    pub(super) fn lacks_address(&self, head: Head<'_>) -> bool {
        matches!(self.proxies, Proxies::Networks(_)) && head.extensions.get::<SocketAddr>().is_none()
    }

    /// The values that the proxy has forwarded with this request, if it is trusted.
    pub(super) fn forwarded<'a>(&self, head: Head<'a>) -> Forwarded<'a> {
        let is_trusted = match &self.proxies {
            Proxies::Networks(networks) => head
                .extensions
                .get::<SocketAddr>()
                .is_some_and(|peer| networks.iter().any(|network| network.contains(peer.ip()))),
            Proxies::Predicate(is_trusted) => is_trusted(head.extensions),
        };
        match self.header {
            _ if !is_trusted => Forwarded::default(),
            ForwardedHeader::Forwarded => {
                last_element(head.headers, FORWARDED).map_or_else(Forwarded::default, parse_forwarded)
            }
            ForwardedHeader::XForwarded => Forwarded {
                host: last_element(head.headers, X_FORWARDED_HOST),
                scheme: last_element(head.headers, X_FORWARDED_PROTO).and_then(known_scheme),
            },
        }
    }
}

impl fmt::Debug for TrustedProxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("TrustedProxies");
        debug.field("header", &self.header);
        match &self.proxies {
            Proxies::Networks(networks) => debug.field("networks", networks).finish(),
            Proxies::Predicate(_) => debug.finish_non_exhaustive(),
        }
    }
}

/// A short form, for the log.
impl fmt::Display for TrustedProxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.proxies {
            Proxies::Networks(networks) => write_list(f, networks),
            Proxies::Predicate(_) => f.write_str("predicate"),
        }
    }
}

/// A network: the addresses whose first `bits` bits are those of `address`.
#[derive(Debug)]
struct Network {
    address: IpAddr,
    bits: u32,
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

impl Network {
    fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            // `parse` accepts a sign.
            Some((_, bits)) if !bits.bytes().all(|byte| byte.is_ascii_digit()) => return None,
            Some((address, bits)) => (address, Some(bits.parse().ok()?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let all = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(all);
        // `contains` compares canonical addresses, so an IPv4-mapped network must be stored as an IPv4 network.
        if let (IpAddr::V4(address), 96..=128) = (address.to_canonical(), bits)
            && all == 128
        {
            return Some(Self { address: address.into(), bits: bits - 96 });
        }
        (bits <= all).then_some(Self { address, bits })
    }

    fn contains(&self, address: IpAddr) -> bool {
        // A listener for both families reports IPv4 addresses as ::ffff:a.b.c.d.
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                has_same_prefix(network.to_bits().into(), address.to_bits().into(), 32 - self.bits)
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                has_same_prefix(network.to_bits(), address.to_bits(), 128 - self.bits)
            }
            _ => false,
        }
    }
}

/// Whether both are the same except for the last `suffix` bits.
fn has_same_prefix(this: u128, other: u128, suffix: u32) -> bool {
    let differing = this ^ other;
    differing.checked_shr(suffix).unwrap_or(0) == 0
}

/// The last element of all lines: the nearest proxy has added it. Elements before it came from the client or from other proxies.
fn last_element(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    let line = headers.get_all(name).iter().next_back()?.to_str().ok()?;
    Some(split_unquoted(line, ',').last()?.trim_ascii()).filter(|element| !element.is_empty())
}

/// Parses `for=..;host=..;proto=..` (RFC 7239 §4).
fn parse_forwarded(element: &str) -> Forwarded<'_> {
    let mut forwarded = Forwarded::default();
    for (name, value) in split_unquoted(element, ';').filter_map(|pair| pair.trim_ascii().split_once('=')) {
        // Escapes in a quoted value are not decoded: a host cannot contain them, and is refused then.
        let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
        match name {
            _ if name.eq_ignore_ascii_case("host") => forwarded.host = Some(value),
            _ if name.eq_ignore_ascii_case("proto") => forwarded.scheme = known_scheme(value),
            _ => {}
        }
    }
    forwarded
}

/// Splits at separators outside of quotes.
fn split_unquoted(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |c: char| {
        if escaped {
            escaped = false;
            return false;
        }
        match c {
            '"' => quoted = !quoted,
            '\\' => escaped = quoted,
            _ => {}
        }
        c == separator && !quoted
    })
}

fn known_scheme(scheme: &str) -> Option<&'static str> {
    match scheme {
        _ if scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("ws") => Some("http"),
        _ if scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("wss") => Some("https"),
        _ => None,
    }
}

const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

#[cfg(test)]
mod tests {
    use http::request::Parts;

    use super::*;
    use crate::handshake::fields::Fields;
    use crate::handshake::fixture::parts;
    use crate::handshake::origin::OriginPolicy;
    use crate::handshake::rejection::RejectionKind;

    fn check(policy: &OriginPolicy, parts: &Parts) -> Result<(), RejectionKind> {
        policy.check(Head::from(parts), &Fields::of(&parts.headers)).map_err(|rejection| rejection.kind())
    }

    #[test]
    fn reads_what_the_nearest_proxy_wrote() {
        use ForwardedHeader::*;

        for (header, lines, host, scheme) in [
            (XForwarded, "X-Forwarded-Host: a.example", Some("a.example"), None),
            (XForwarded, "X-Forwarded-Host: evil.example, a.example:8443", Some("a.example:8443"), None),
            (XForwarded, "X-Forwarded-Host: evil.example\nX-Forwarded-Host: a.example", Some("a.example"), None),
            (XForwarded, "X-Forwarded-Host: a\nX-Forwarded-Proto: http, HTTPS", Some("a"), Some("https")),
            (XForwarded, "X-Forwarded-Host:\nX-Forwarded-Proto: gopher", None, None),
            (XForwarded, "Forwarded: host=a.example", None, None),
            (Forwarded, "X-Forwarded-Host: a.example", None, None),
            (Forwarded, "Forwarded: host=a.example;proto=https", Some("a.example"), Some("https")),
            (Forwarded, "Forwarded: for=\"[::1]:4711\"; Host=\"a.example:8443\"", Some("a.example:8443"), None),
            (Forwarded, "Forwarded: host=evil.example, for=10.0.0.1;host=a.example", Some("a.example"), None),
            (Forwarded, "Forwarded: host=evil.example, for=10.0.0.1", None, None),
            (Forwarded, "Forwarded: for=\"a, host=evil.example\";host=a.example", Some("a.example"), None),
            (Forwarded, "Forwarded: for=\"a\\\", host=evil.example\"", None, None),
            (Forwarded, "Forwarded: host=a.example;proto=https;ext=http", Some("a.example"), Some("https")),
            (Forwarded, "Forwarded: for=\"\\\"\";host=a.example", Some("a.example"), None),
            (Forwarded, "Forwarded: host=\"a\\.example\"", Some("a\\.example"), None),
        ] {
            let request = parts(&format!("GET / HTTP/1.1\nHost: inner\n{lines}"));
            let forwarded = TrustedProxies::predicate(header, |_| true).forwarded(Head::from(&request));
            assert_eq!((forwarded.host, forwarded.scheme), (host, scheme), "{lines}");
            let forwarded = TrustedProxies::predicate(header, |_| false).forwarded(Head::from(&request));
            assert_eq!((forwarded.host, forwarded.scheme), (None, None), "{lines}");
        }
    }

    #[test]
    fn a_network_has_the_addresses_that_begin_alike() {
        for (network, address, contained) in [
            ("10.0.0.0/8", "10.255.1.2", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7", "192.0.2.6", false),
            ("192.0.2.7", "::ffff:192.0.2.7", true),
            ("0.0.0.0/0", "203.0.113.1", true),
            ("0.0.0.0/0", "::1", false),
            ("::/0", "2001:db8::1", true),
            ("fd00::/8", "fdff::1", true),
            ("fd00::/8", "fe00::1", false),
            ("::1", "::1", true),
        ] {
            let parsed = Network::parse(network).unwrap();
            assert_eq!(parsed.contains(address.parse().unwrap()), contained, "{network} {address}");
        }
        for text in [
            "",
            "10.0.0.0/33",
            "::/129",
            "10.0.0/8",
            "10.0.0.0/",
            "10.0.0.0/-1",
            "10.0.0.0/+8",
            "proxy.example",
            "[::1]",
        ] {
            assert!(Network::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_policy_believes_a_trusted_proxy_alone() {
        let trusted =
            |policy: OriginPolicy| policy.trusted_proxies(ForwardedHeader::XForwarded, ["10.0.0.0/8"]).unwrap();
        let same_host = trusted(OriginPolicy::same_host());
        let same_origin = trusted(OriginPolicy::same_origin());
        let allowed = trusted(OriginPolicy::insecure_any().allowed_hosts(["a.example"]).unwrap());
        let predicate = trusted(OriginPolicy::predicate(|request| request.host() == Some("a.example")));
        let proxy = Some([10, 1, 2, 3]);
        let forwarded = "X-Forwarded-Host: a.example\nX-Forwarded-Proto: https";
        for (policy, peer, lines, accepted) in [
            (&same_host, proxy, forwarded, Ok(())),
            (&same_host, proxy, "", Err(RejectionKind::Origin)),
            (&same_host, proxy, "X-Forwarded-Host: b.example", Err(RejectionKind::Origin)),
            (&same_host, proxy, "X-Forwarded-Host: a.example/b", Err(RejectionKind::InvalidHost)),
            (&same_host, Some([11, 1, 2, 3]), forwarded, Err(RejectionKind::Origin)),
            (&same_host, None, forwarded, Err(RejectionKind::Origin)),
            (&same_origin, proxy, forwarded, Ok(())),
            (&same_origin, proxy, "X-Forwarded-Host: a.example\nX-Forwarded-Proto: http", Err(RejectionKind::Origin)),
            (&same_origin, None, forwarded, Err(RejectionKind::Origin)),
            (&allowed, proxy, forwarded, Ok(())),
            (&allowed, None, forwarded, Err(RejectionKind::HostNotAllowed)),
            (&predicate, proxy, forwarded, Ok(())),
            (&predicate, None, forwarded, Err(RejectionKind::Origin)),
            (&OriginPolicy::same_host(), proxy, forwarded, Err(RejectionKind::Origin)),
        ] {
            let mut request = parts(&format!("GET / HTTP/1.1\nHost: inner:8080\nOrigin: https://a.example\n{lines}"));
            if let Some(address) = peer {
                request.extensions.insert(SocketAddr::from((address, 4711)));
            }
            assert_eq!(check(policy, &request), accepted, "{policy:?} {peer:?} {lines}");
        }
        let by = OriginPolicy::same_host()
            .trusted_proxies_by(ForwardedHeader::XForwarded, |extensions| extensions.get::<u8>() == Some(&1));
        for (mark, accepted) in [(1_u8, Ok(())), (2, Err(RejectionKind::Origin))] {
            let mut request =
                parts(&format!("GET / HTTP/1.1\nHost: inner:8080\nOrigin: https://a.example\n{forwarded}"));
            request.extensions.insert(mark);
            assert_eq!(check(&by, &request), accepted);
        }
        for proxies in [&["proxy.example"][..], &[]] {
            assert!(OriginPolicy::same_host().trusted_proxies(ForwardedHeader::Forwarded, proxies).is_err());
        }
    }

    #[test]
    fn an_address_lacks_only_where_proxies_are_known_by_theirs() {
        let by_address = OriginPolicy::same_host().trusted_proxies(ForwardedHeader::Forwarded, ["10.0.0.0/8"]).unwrap();
        let by_function = OriginPolicy::same_host().trusted_proxies_by(ForwardedHeader::Forwarded, |_| false);
        let without = parts("GET / HTTP/1.1\nHost: inner");
        let mut with = without.clone();
        with.extensions.insert(SocketAddr::from(([10, 1, 2, 3], 4711)));
        for (policy, request, lacks) in [
            (&by_address, &without, true),
            (&by_address, &with, false),
            (&by_function, &without, false),
            (&OriginPolicy::same_host(), &without, false),
        ] {
            assert_eq!(policy.lacks_address(Head::from(request)), lacks, "{policy:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_value_is_read(value in "[ -~]{0,40}") {
            let mut request = parts("GET / HTTP/1.1\nHost: inner");
            request.headers.insert(FORWARDED, value.parse().unwrap());
            TrustedProxies::predicate(ForwardedHeader::Forwarded, |_| true).forwarded(Head::from(&request));
        }
    }
}
