//! The argument of an origin predicate.

use http::{Extensions, HeaderMap, Uri};

use crate::handshake::authority::Authority;
use crate::handshake::head::Head;

/// An origin and its request, for [`OriginPolicy::predicate`](crate::OriginPolicy::predicate).
///
/// ```
/// use tower_websocket::{OriginPolicy, OriginRequest};
///
/// #[derive(Clone)]
/// struct Tenant { origin: String }
///
/// // An outer layer has put the tenant of this host into the request's extensions.
/// fn of_tenant(request: &OriginRequest<'_>) -> bool {
///     request.extensions().get::<Tenant>().is_some_and(|tenant| tenant.origin == request.origin())
/// }
///
/// let policy = OriginPolicy::predicate(of_tenant);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct OriginRequest<'a> {
    pub(super) origin: &'a str,
    /// The host that a trusted proxy has forwarded.
    pub(super) forwarded_host: Option<&'a str>,
    pub(super) head: Head<'a>,
}

impl<'a> OriginRequest<'a> {
    /// The `Origin` header as it was sent: visible ASCII, not validated.
    #[must_use]
    pub fn origin(&self) -> &'a str {
        self.origin
    }

    /// The host, with the port if there is one: from the header of one of the
    /// [`trusted_proxies`](crate::OriginPolicy::trusted_proxies), otherwise from the URI or the `Host` header. `None` if it
    /// is not valid.
    #[must_use]
    pub fn host(&self) -> Option<&'a str> {
        self.forwarded_host.or(self.head.host()).filter(|host| Authority::of_url(host).is_some())
    }

    /// The request's URI.
    #[must_use]
    pub fn uri(&self) -> &'a Uri {
        self.head.uri
    }

    /// The request's headers.
    #[must_use]
    pub fn headers(&self) -> &'a HeaderMap {
        self.head.headers
    }

    /// The request's extensions, in which the server and outer layers put values such as the peer's address.
    #[must_use]
    pub fn extensions(&self) -> &'a Extensions {
        self.head.extensions
    }
}
