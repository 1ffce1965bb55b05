//! Which pages may open a WebSocket.

use std::fmt;
use std::sync::Arc;

use http::{Extensions, HeaderValue};

use super::allowed_hosts::{AllowedHosts, write_list};
use super::forwarded::{Forwarded, ForwardedHeader, TrustedProxies};
use super::request::OriginRequest;
use super::serialised::{Origin, OriginPattern};
use crate::error::Error;
use crate::handshake::authority::Authority;
use crate::handshake::fields::Fields;
use crate::handshake::head::Head;
use crate::handshake::headers::Repeated;
use crate::handshake::rejection::{Rejection, RejectionKind};
use crate::handshake::setting::parse_some;

/// Which pages may open a WebSocket.
///
/// Browsers let every page open a WebSocket to every server, and send the visitor's cookies with it. They send the page's
/// origin (RFC 6454) in the `Origin` header. If a server does not check it, any page can act as its visitor (RFC 6455
/// §10.2). The default is [`same_host`](Self::same_host).
///
/// These rules apply under every policy except [`insecure_any`](Self::insecure_any):
///
/// - A request without an `Origin` does not come from a page, and is accepted, unless it has `Sec-Fetch-Site: cross-site`.
///   [`require_origin`](Self::require_origin) refuses it.
/// - Several `Origin` headers, and values that are not visible ASCII, are refused.
/// - The request's host is the one in its URI (HTTP/2, absolute form), otherwise that of its `Host` header. A handshake
///   without a valid host is refused with 400, under every policy.
/// - `Forwarded` and `X-Forwarded-*` headers are ignored, unless they come from one of the
///   [`trusted_proxies`](Self::trusted_proxies). An outer layer can also put the real host and scheme into the request's
///   URI.
///
/// ```
/// use tower_websocket::OriginPolicy;
///
/// let policy = OriginPolicy::list(["https://app.example.com", "https://*.partner.example"])?
///     .allowed_hosts(["api.example.com"])?
///     .require_origin();
/// # Ok::<(), tower_websocket::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct OriginPolicy {
    policy: Policy,
    allowed_hosts: Option<AllowedHosts>,
    require_origin: bool,
    trusted_proxies: Option<TrustedProxies>,
}

#[derive(Clone, Default)]
enum Policy {
    Any,
    List(Arc<[OriginPattern]>),
    Predicate(Arc<Predicate>),
    #[default]
    SameHost,
    SameOrigin,
}

type Predicate = dyn Fn(&OriginRequest<'_>) -> bool + Send + Sync;

impl OriginPolicy {
    /// Accepts `http` and `https` origins on the request's own host, whatever the port. This is the default.
    ///
    /// When the request's host is `localhost`, 127.0.0.0/8 or `[::1]`, pages on any of these are accepted, so that a
    /// development server on another port works. Case does not matter; `example.com.` and `example.com` are different
    /// hosts, as they are for browsers.
    ///
    /// If an attacker's host name resolves to this server's address (DNS rebinding), it is in both headers. Add
    /// [`allowed_hosts`](Self::allowed_hosts) if a server relies on not being reachable from the internet.
    pub fn same_host() -> Self {
        Policy::SameHost.into()
    }

    /// Accepts only the request's own origin: host, port and scheme, with the default port of the scheme if there is none.
    ///
    /// The scheme is an [`http::uri::Scheme`] in the request's extensions, which a layer behind TLS can put there,
    /// otherwise that of the request's URI, which it has over HTTP/2. An HTTP/1.1 request usually has none, and then the
    /// page's scheme is used: a page of `http://example.com` can open `wss://example.com`. To prevent that, put the scheme
    /// into the extensions, or use [`list`](Self::list).
    pub fn same_origin() -> Self {
        Policy::SameOrigin.into()
    }

    /// Accepts these origins, such as `https://app.example.com`, with any host of the request.
    ///
    /// `https://*.example.com` means every subdomain at any depth, but not `https://example.com` itself. Without a port,
    /// the default port of the scheme is meant, also for a wildcard. Any scheme can be listed, such as `tauri://localhost`.
    /// Write names that are not ASCII as browsers send them (`xn--...`).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidSetting`](crate::ErrorKind::InvalidSetting) if there is no origin, or one has another form: with
    /// a path (even `/`), user information or another `*`, or `null`, which is the origin of every sandboxed page.
    ///
    /// ```
    /// use tower_websocket::OriginPolicy;
    ///
    /// assert!(OriginPolicy::list(["https://example.com", "https://*.example.com"]).is_ok());
    /// assert!(OriginPolicy::list(["https://example.com/"]).is_err());
    /// assert!(OriginPolicy::list(["*"]).is_err());
    /// ```
    pub fn list<S: AsRef<str>>(origins: impl IntoIterator<Item = S>) -> Result<Self, Error> {
        let what = "an origin such as https://example.com or https://*.example.com:8443";
        let origins = parse_some(origins, what, OriginPattern::parse)?;
        Ok(Policy::List(origins).into())
    }

    /// Accepts the requests for which `predicate` returns `true`. It is called for requests with one `Origin` header, of
    /// any form, `null` included.
    ///
    /// ```
    /// use tower_websocket::OriginPolicy;
    ///
    /// let policy = OriginPolicy::predicate(|request| {
    ///     matches!(
    ///         (request.origin(), request.host()),
    ///         ("https://a.example", Some("api.a.example")) | ("https://b.example", Some("api.b.example"))
    ///     )
    /// });
    /// ```
    pub fn predicate(predicate: impl Fn(&OriginRequest<'_>) -> bool + Send + Sync + 'static) -> Self {
        Policy::Predicate(Arc::new(predicate)).into()
    }

    /// Accepts every origin: any web page can then act as its visitor.
    ///
    /// Neither the value of `Origin` nor `Sec-Fetch-Site` is checked. Use it for public data, or if the first message must
    /// contain a secret that other sites do not have.
    pub fn insecure_any() -> Self {
        Policy::Any.into()
    }

    /// Refuses requests to other hosts than these, with or without an `Origin`. By default every host is accepted.
    ///
    /// This prevents DNS rebinding, in which an attacker's host name resolves to this server's address, such as
    /// `127.0.0.1`. It can be combined with every policy. A host is a name, `*.example.com` (all subdomains, not
    /// `example.com`) or an address, IPv6 in brackets. With a port (`localhost:3000`) only that port is allowed, otherwise
    /// all; the port of a request without one is 443 or 80.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidSetting`](crate::ErrorKind::InvalidSetting) if there is no host, or one has another form.
    ///
    /// ```
    /// use tower_websocket::OriginPolicy;
    ///
    /// let policy = OriginPolicy::same_host().allowed_hosts(["localhost", "127.0.0.1", "[::1]"])?;
    /// # Ok::<(), tower_websocket::Error>(())
    /// ```
    pub fn allowed_hosts<S: AsRef<str>>(self, hosts: impl IntoIterator<Item = S>) -> Result<Self, Error> {
        Ok(Self { allowed_hosts: Some(AllowedHosts::parse(hosts)?), ..self })
    }

    /// Refuses requests without an `Origin`, under every policy. By default they are accepted, as programs other than
    /// browsers usually send none.
    pub fn require_origin(self) -> Self {
        Self { require_origin: true, ..self }
    }

    /// Uses the host and scheme in this header if the request comes from one of these proxies: addresses, and networks
    /// such as `10.0.0.0/8`. By default no proxy is trusted.
    ///
    /// It is better to let the proxy pass `Host` on (`proxy_set_header Host $host` in nginx, the default of HAProxy), as
    /// then no header has to be trusted. Use this if the proxy cannot do that. The proxy must set this header on every
    /// request and replace what the client sent; of a list, the last element is used. A missing host or scheme is taken
    /// from the request.
    ///
    /// The proxy's address is the [`SocketAddr`](std::net::SocketAddr) in the request's extensions, where the server or an
    /// outer layer has put it (see [`WebSocketLayer`](crate::WebSocketLayer#tracing)). Without one, no request is trusted.
    /// [`Upgrader::peer_addr`](crate::Upgrader::peer_addr) is not used for this, as its result may come from a client's
    /// header. [`trusted_proxies_by`](Self::trusted_proxies_by) is for addresses of another type, such as axum's
    /// `ConnectInfo`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidSetting`](crate::ErrorKind::InvalidSetting) if there is no proxy, or one is neither an address
    /// nor a network.
    ///
    /// ```
    /// use tower_websocket::{ForwardedHeader, OriginPolicy};
    ///
    /// let policy = OriginPolicy::same_host().trusted_proxies(ForwardedHeader::XForwarded, ["127.0.0.1", "10.0.0.0/8"])?;
    /// # Ok::<(), tower_websocket::Error>(())
    /// ```
    pub fn trusted_proxies<S: AsRef<str>>(
        self,
        header: ForwardedHeader,
        proxies: impl IntoIterator<Item = S>,
    ) -> Result<Self, Error> {
        Ok(Self { trusted_proxies: Some(TrustedProxies::parse(header, proxies)?), ..self })
    }

    /// As [`trusted_proxies`](Self::trusted_proxies), with a function that decides from a request's extensions whether a
    /// trusted proxy has sent it: for addresses of another type, and for Unix sockets.
    ///
    /// ```
    /// use std::net::SocketAddr;
    /// use axum::extract::ConnectInfo;
    /// use tower_websocket::{ForwardedHeader, OriginPolicy};
    ///
    /// let policy = OriginPolicy::same_host().trusted_proxies_by(ForwardedHeader::Forwarded, |extensions| {
    ///     extensions.get::<ConnectInfo<SocketAddr>>().is_some_and(|peer| peer.0.ip().is_loopback())
    /// });
    /// ```
    pub fn trusted_proxies_by(
        self,
        header: ForwardedHeader,
        is_trusted: impl Fn(&Extensions) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self { trusted_proxies: Some(TrustedProxies::predicate(header, is_trusted)), ..self }
    }

    /// The origins of [`list`](Self::list). None under another policy.
    pub fn get_list(&self) -> impl Iterator<Item = String> {
        let list: &[OriginPattern] = match &self.policy {
            Policy::List(list) => list,
            Policy::Any | Policy::Predicate(_) | Policy::SameHost | Policy::SameOrigin => &[],
        };
        list.iter().map(ToString::to_string)
    }

    /// The hosts that were set with [`allowed_hosts`](Self::allowed_hosts). None where every host is accepted.
    pub fn get_allowed_hosts(&self) -> impl Iterator<Item = String> {
        self.allowed_hosts.iter().flat_map(AllowedHosts::shown)
    }

    /// Whether [`require_origin`](Self::require_origin) was set.
    #[must_use]
    pub fn get_require_origin(&self) -> bool {
        self.require_origin
    }

    /// The header that trusted proxies write, where there are any.
    #[must_use]
    pub fn get_forwarded_header(&self) -> Option<ForwardedHeader> {
        self.trusted_proxies.as_ref().map(TrustedProxies::header)
    }

    /// The networks that were set with [`trusted_proxies`](Self::trusted_proxies); a single address is a network, too. None if
    /// [`trusted_proxies_by`](Self::trusted_proxies_by) was used.
    pub fn get_trusted_proxies(&self) -> impl Iterator<Item = String> {
        self.trusted_proxies.iter().flat_map(TrustedProxies::networks)
    }

    /// The host to which the request was sent, not validated: the one that a trusted proxy has forwarded, otherwise that of the
    /// request.
    pub(crate) fn host<'a>(&self, head: Head<'a>) -> Option<&'a str> {
        self.forwarded(head).host.or(head.host())
    }

    /// Whether a page is refused only because of the request's host, which happens if a proxy does not pass `Host` on.
    pub(crate) fn differs_by_host(&self, head: Head<'_>) -> bool {
        let fields = Fields::of(head.headers);
        let Ok(Some(origin)) = fields.origin.single() else { return false };
        let Some(origin) = origin.to_str().ok().and_then(Origin::parse) else { return false };
        if is_cross_site(&fields) || !origin.is_http() {
            return false;
        }
        let forwarded = self.forwarded(head);
        let Ok(host) = request_host(head, forwarded) else { return false };
        let is_refused = |allowed: &&AllowedHosts| !allowed.contains(&host, forwarded.scheme.or(head.scheme()));
        if let Some(allowed) = self.allowed_hosts.as_ref().filter(is_refused) {
            let (scheme, page) = origin.parts();
            return allowed.contains(page, Some(scheme));
        }
        matches!(self.policy, Policy::SameHost | Policy::SameOrigin) && !origin.is_same_host(&host)
    }

    /// Whether no proxy can be trusted, because the request's extensions have no address.
    pub(crate) fn lacks_address(&self, head: Head<'_>) -> bool {
        self.trusted_proxies.as_ref().is_some_and(|proxies| proxies.lacks_address(head))
    }

    /// A short form of the policy, for the log.
    pub(crate) fn shown(&self) -> impl fmt::Display + '_ {
        Shown(self)
    }

    pub(in crate::handshake) fn check(&self, head: Head<'_>, fields: &Fields<'_>) -> Result<(), Rejection> {
        let forwarded = self.forwarded(head);
        if let Some(allowed) = &self.allowed_hosts {
            let host = request_host(head, forwarded)?;
            if !allowed.contains(&host, forwarded.scheme.or(head.scheme())) {
                return Err(Rejection::new(RejectionKind::HostNotAllowed));
            }
        }
        match fields.origin.single() {
            Ok(None) => self.check_without_origin(fields),
            _ if matches!(self.policy, Policy::Any) => Ok(()),
            Ok(Some(origin)) => self.check_origin(origin, head, forwarded),
            Err(Repeated) => Err(refuse("Origin must not be repeated")),
        }
    }

    /// The values that a trusted proxy has forwarded.
    fn forwarded<'a>(&self, head: Head<'a>) -> Forwarded<'a> {
        self.trusted_proxies.as_ref().map_or_else(Forwarded::default, |proxies| proxies.forwarded(head))
    }

    fn check_without_origin(&self, fields: &Fields<'_>) -> Result<(), Rejection> {
        if self.require_origin {
            return Err(refuse("an Origin is required"));
        }
        if !matches!(self.policy, Policy::Any) && is_cross_site(fields) {
            return Err(refuse("a request from another site must name its Origin"));
        }
        Ok(())
    }

    fn check_origin(&self, origin: &HeaderValue, head: Head<'_>, forwarded: Forwarded<'_>) -> Result<(), Rejection> {
        let text = origin.to_str().map_err(|_| refuse("Origin must be ASCII"))?;
        let origin = || Origin::parse(text).ok_or_else(|| Rejection::new(RejectionKind::Origin));
        let accepted = match &self.policy {
            Policy::Any => true,
            Policy::List(list) => {
                let origin = origin()?;
                list.iter().any(|listed| listed.matches(&origin))
            }
            Policy::Predicate(predicate) => {
                predicate(&OriginRequest { origin: text, forwarded_host: forwarded.host, head })
            }
            Policy::SameHost => origin()?.is_same_host(&request_host(head, forwarded)?),
            Policy::SameOrigin => {
                origin()?.is_same_origin(&request_host(head, forwarded)?, forwarded.scheme.or(head.scheme()))
            }
        };
        if accepted { Ok(()) } else { Err(Rejection::new(RejectionKind::Origin)) }
    }
}

impl From<Policy> for OriginPolicy {
    fn from(policy: Policy) -> Self {
        Self { policy, ..Self::default() }
    }
}

struct Shown<'a>(&'a OriginPolicy);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(OriginPolicy { policy, allowed_hosts, require_origin, trusted_proxies }) = self;
        match policy {
            Policy::Any => f.write_str("insecure_any"),
            Policy::List(list) => {
                f.write_str("list of ")?;
                write_list(f, list)
            }
            Policy::Predicate(_) => f.write_str("predicate"),
            Policy::SameHost => f.write_str("same_host"),
            Policy::SameOrigin => f.write_str("same_origin"),
        }?;
        if let Some(hosts) = allowed_hosts {
            write!(f, ", allowed_hosts {hosts}")?;
        }
        if let Some(proxies) = trusted_proxies {
            write!(f, ", trusted_proxies {proxies}")?;
        }
        f.write_str(if *require_origin { ", require_origin" } else { "" })
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("Any"),
            Self::List(list) => f.debug_tuple("List").field(list).finish(),
            Self::Predicate(_) => f.write_str("Predicate"),
            Self::SameHost => f.write_str("SameHost"),
            Self::SameOrigin => f.write_str("SameOrigin"),
        }
    }
}

/// The host to which the client has sent the request.
fn request_host<'a>(head: Head<'a>, forwarded: Forwarded<'a>) -> Result<Authority<'a>, Rejection> {
    forwarded.host.or(head.host()).and_then(Authority::of_url).ok_or_else(|| Rejection::new(RejectionKind::InvalidHost))
}

fn refuse(reason: &'static str) -> Rejection {
    Rejection::because(RejectionKind::Origin, reason)
}

/// Whether `Sec-Fetch-Site` says that the page is from another site.
fn is_cross_site(fields: &Fields<'_>) -> bool {
    fields.fetch_site.elements().any(|site| site.eq_ignore_ascii_case(b"cross-site"))
}
