//! What a predicate on origins sees of a request.

use http::{Extensions, HeaderMap, Uri};

use crate::handshake::authority::Authority;
use crate::handshake::head::Head;

/// An origin and the request that has it: what [`OriginPolicy::predicate`](crate::OriginPolicy::predicate) decides on.
///
/// ```
/// use tower_websocket::{OriginPolicy, OriginRequest};
///
/// #[derive(Clone)]
/// struct Tenant { origin: String }
///
/// // An outer layer has put the tenant of this host into the request.
/// fn of_tenant(request: &OriginRequest<'_>) -> bool {
///     request.extensions().get::<Tenant>().is_some_and(|tenant| tenant.origin == request.origin())
/// }
///
/// let policy = OriginPolicy::predicate(of_tenant);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct OriginRequest<'a> {
    pub(super) origin: &'a str,
    /// What a trusted proxy says.
    pub(super) forwarded_host: Option<&'a str>,
    pub(super) head: Head<'a>,
}

impl<'a> OriginRequest<'a> {
    /// The `Origin` header as it was sent: visible ASCII, not checked further.
    #[must_use]
    pub fn origin(&self) -> &'a str {
        self.origin
    }

    /// The host, with its port when one was named: what one of the
    /// [`trusted_proxies`](crate::OriginPolicy::trusted_proxies) says, else from the URI or the one `Host` header. `None`
    /// when it cannot be read.
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

    /// What the server and outer layers know of the request, such as the peer's address.
    #[must_use]
    pub fn extensions(&self) -> &'a Extensions {
        self.head.extensions
    }
}
