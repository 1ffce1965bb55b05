//! Connections through HTTP and SOCKS5 proxies.

use std::env;
use std::fmt;
use std::future::{Ready, ready};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::Uri;
use hyper_util::client::legacy::connect::proxy::SocksV5;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpStream, lookup_host};
use tower_service::Service;

use super::dial::dial;
use super::failed::proxy_failed;
use super::no_proxy::{ANY_PROXY, NoProxy, comparable, comparable_list};
use super::observed::{Failure, Observed};
use super::tunnel::{ByteWise, open_tunnel};
use crate::error::{BoxError, Error, ErrorKind};
use crate::handshake::Authority;

/// The proxies that a client connects through.
///
/// An HTTP proxy is asked for a tunnel (`CONNECT`, RFC 9110 §9.3.6), for `ws://` as well as for `wss://` URLs (RFC 6455
/// §4.1). With a SOCKS5 proxy (RFC 1928) and `socks5h`, the proxy resolves the server's name; with `socks5` the client
/// does, and tries one address after the other. User name and password are part of the URL.
///
/// If a proxy cannot be reached or refuses, the error's kind is [`ErrorKind::Connect`]. It is not retryable
/// ([`Error::is_retryable`]) if the proxy refuses the password or this server: with any status except 408, 425, 429, 500,
/// 502, 503 and 504, or with SOCKS5's "connection not allowed". The source is then an [`io::Error`] of the kind
/// [`PermissionDenied`](io::ErrorKind::PermissionDenied).
///
/// ```
/// use tower_websocket::{Connector, Proxy};
///
/// let connector = Connector::new().proxy(Proxy::all("http://user:secret@proxy.example:3128")?.no_proxy("localhost, .example")?);
/// let connector = Connector::new().proxy(Proxy::all("socks5h://127.0.0.1:9050")?);
/// let connector = Connector::new().proxy(Proxy::from_env());
/// # Ok::<(), tower_websocket::Error>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct Proxy(Arc<Rules>);

struct Rules {
    proxies: Arc<Matcher>,
    /// Intercepts the servers for which the environment has an invalid proxy.
    unusable: Option<Arc<Matcher>>,
    /// The servers that are connected to directly.
    direct: Option<NoProxy>,
}

impl Proxy {
    /// Connects to every server through the proxy at this URL: `http://`, `socks5://` or `socks5h://`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidSetting`] if the URL has another form.
    pub fn all(url: &str) -> Result<Self, Error> {
        let matcher = Matcher::builder().all(url).build();
        let proxy = matcher.intercept(&Uri::from_static("http://server.invalid/"));
        let scheme = proxy.as_ref().filter(|proxy| has_address(proxy)).and_then(|proxy| proxy.uri().scheme_str());
        // The library ignores what follows the port.
        let rest = url.split_once("://").map(|(_, rest)| rest.strip_suffix('/').unwrap_or(rest));
        let is_whole = rest.is_some_and(|rest| !rest.contains(['/', '?', '#']));
        if !is_whole || !scheme.is_some_and(|scheme| SCHEMES.contains(&scheme)) {
            let reason = "a proxy is http://host:port, socks5://host:port or socks5h://host:port";
            return Err(Error::with_source(ErrorKind::InvalidSetting, reason));
        }
        Ok(Self::by(matcher))
    }

    /// Takes the proxies from the environment, as it is now: `HTTP_PROXY` for `ws://`, `HTTPS_PROXY` for `wss://`,
    /// `ALL_PROXY` for both, except for the servers in `NO_PROXY`. Each name may also be in lower case. Elements of `NO_PROXY`
    /// that [`no_proxy`](Self::no_proxy) would refuse are ignored, as other programs may support them.
    ///
    /// In CGI programs, where `REQUEST_METHOD` is set, the environment is ignored, as there clients can set `HTTP_PROXY`.
    /// With a proxy that [`all`](Self::all) does not support, or a value that is not a URL, connecting fails.
    #[doc(alias = "ProxyFromEnvironment")]
    pub fn from_env() -> Self {
        let has_all = value("NO_PROXY").split(',').any(|element| element.trim() == "*");
        if has_all || env::var_os("REQUEST_METHOD").is_some() {
            return Self::by(Matcher::builder().build());
        }
        let [all, http, https] = ["ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY"].map(value);
        let proxies = Matcher::builder().all(all).http(http).https(https).no(comparable_list(&value("NO_PROXY")));
        Self(Arc::new(Rules { proxies: proxies.build().into(), unusable: unusable_in_env(), direct: None }))
    }

    fn by(proxies: Matcher) -> Self {
        Self(Arc::new(Rules { proxies: Arc::new(proxies), unusable: None, direct: None }))
    }

    /// Connects directly to these servers: names, which include their subdomains, addresses and networks such as
    /// `10.0.0.0/8`, separated by commas; `*` means all.
    ///
    /// Another call replaces the list. After [`from_env`](Self::from_env), the servers in `NO_PROXY` are added to it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidSetting`] if an element has another form: with a port or brackets, or a network with more bits than
    /// an address has. An empty list is valid.
    pub fn no_proxy(self, hosts: &str) -> Result<Self, Error> {
        let direct = Some(NoProxy::parse(hosts)?);
        let (proxies, unusable) = (self.0.proxies.clone(), self.0.unusable.clone());
        Ok(Self(Arc::new(Rules { proxies, unusable, direct })))
    }

    /// What was set with [`no_proxy`](Self::no_proxy).
    #[must_use]
    pub fn get_no_proxy(&self) -> Option<&str> {
        self.0.direct.as_ref().map(NoProxy::list)
    }

    /// The route to this server, or `None` if it is connected to directly.
    pub(super) fn intercept(&self, host: &str, port: u16, is_secure: bool) -> Result<Option<Route>, Error> {
        let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        let scheme = if is_secure { "https" } else { "http" };
        let server = Uri::try_from(format!("{scheme}://{host}:{port}/"))
            .map_err(|error| Error::with_source(ErrorKind::InvalidSetting, error))?;
        let compared =
            Uri::try_from(format!("{scheme}://{}:{port}/", comparable(&host))).unwrap_or_else(|_| server.clone());
        if self.0.direct.as_ref().is_some_and(|direct| direct.contains(&compared)) {
            return Ok(None);
        }
        match self.0.proxies.intercept(&compared) {
            Some(proxy) if has_address(&proxy) => Ok(Some(Route { proxy, server })),
            None if self.0.unusable.as_ref().is_none_or(|unusable| unusable.intercept(&compared).is_none()) => Ok(None),
            _ => {
                let reason = "the proxy in the environment is not valid";
                Err(Error::with_source(ErrorKind::InvalidSetting, reason))
            }
        }
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the password.
        f.debug_struct("Proxy").field("proxies", &self.0.proxies).field("no_proxy", &self.get_no_proxy()).finish()
    }
}

/// Finds invalid proxies in the environment. The library would connect directly instead.
fn unusable_in_env() -> Option<Arc<Matcher>> {
    let is_unusable = |name: &str| {
        let server = Uri::from_static("http://server.invalid/");
        let url = value(name);
        !url.is_empty() && Matcher::builder().all(url).build().intercept(&server).is_none()
    };
    let mut unusable = Matcher::builder().no(comparable_list(&value("NO_PROXY")));
    let [all, http, https] = ["ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY"].map(is_unusable);
    if all {
        unusable = unusable.all(ANY_PROXY);
    }
    if http {
        unusable = unusable.http(ANY_PROXY);
    }
    if https {
        unusable = unusable.https(ANY_PROXY);
    }
    (all || http || https).then(|| Arc::new(unusable.build()))
}

/// The value of a variable, or of the variable with its name in lower case. Empty if there is none.
fn value(name: &str) -> String {
    env::var(name).or_else(|_| env::var(name.to_lowercase())).unwrap_or_default()
}

/// Whether a proxy's host and port are valid: the library ignores an invalid port.
fn has_address(proxy: &Intercept) -> bool {
    proxy.uri().authority().is_some_and(|authority| Authority::of_url(authority.as_str()).is_some())
}

/// A server, and the proxy through which it is connected to.
#[derive(Debug)]
pub(super) struct Route {
    proxy: Intercept,
    server: Uri,
}

impl Route {
    /// Opens a tunnel to the server.
    pub(super) async fn connect(&self) -> io::Result<TcpStream> {
        match self.proxy.uri().scheme_str() {
            Some("http") => {
                let (stream, failure) = self.reach(80).await?;
                let server = self.server.authority().ok_or(io::ErrorKind::InvalidInput)?;
                Ok(open_tunnel(stream, &failure, server, self.proxy.basic_auth()).await?.into_inner())
            }
            Some("socks5") => self.resolved().await,
            Some("socks5h") => self.socks5(self.server.clone()).await,
            _ => Err(io::Error::new(io::ErrorKind::Unsupported, "the proxy is neither HTTP nor SOCKS5")),
        }
    }

    /// Resolves the server's name, and connects to one of its addresses. hyper-util would block the thread for that.
    async fn resolved(&self) -> io::Result<TcpStream> {
        let authority = self.server.authority().map_or("", |authority| authority.as_str());
        self.first_of(lookup_host(authority).await?).await
    }

    /// Connects to the first address that the proxy can reach. It may have no route to others, for instance without IPv6.
    async fn first_of(&self, addresses: impl Iterator<Item = SocketAddr>) -> io::Result<TcpStream> {
        let mut failure = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in addresses {
            let server = Uri::try_from(format!("http://{address}/")).map_err(io::Error::other)?;
            match self.socks5(server).await {
                // A refused password, or a refused connection, is final.
                Err(error) if error.kind() != io::ErrorKind::PermissionDenied => failure = error,
                connected => return connected,
            }
        }
        Err(failure)
    }

    async fn socks5(&self, server: Uri) -> io::Result<TcpStream> {
        let (stream, failure) = self.reach(1080).await?;
        let mut socks = SocksV5::new(self.proxy.uri().clone(), Connected(Some(TokioIo::new(ByteWise(stream)))));
        if let Some((user, password)) = self.proxy.raw_auth() {
            socks = socks.with_auth(user.to_owned(), password.to_owned());
        }
        let stream = socks.call(server).await.map_err(|error| refused(error, &failure))?;
        Ok(stream.into_inner().0.into_inner())
    }

    /// Connects to the proxy itself. Later failures of that connection are recorded, as hyper-util's errors do not contain them.
    async fn reach(&self, default_port: u16) -> io::Result<(Observed<TcpStream>, Failure)> {
        let proxy = self.proxy.uri();
        let host = proxy.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        let stream = dial(host, proxy.port_u16().unwrap_or(default_port)).await.map_err(proxy_failed)?;
        Ok(Observed::new(stream))
    }
}

/// A connector for hyper-util that returns an existing connection to the proxy, once.
#[derive(Debug)]
struct Connected(Option<SocksIo>);

type SocksIo = TokioIo<ByteWise<Observed<TcpStream>>>;

impl Service<Uri> for Connected {
    type Response = SocksIo;
    type Error = io::Error;
    type Future = Ready<io::Result<Self::Response>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        ready(self.0.take().ok_or_else(|| io::ErrorKind::NotConnected.into()))
    }
}

const SCHEMES: [&str; 3] = ["http", "socks5", "socks5h"];

/// The error if a SOCKS5 proxy has refused, or if its connection has failed. hyper-util's errors have no kind for a refused user,
/// password or server: their text must be searched.
fn refused(error: impl fmt::Display + Into<BoxError>, failure: &Failure) -> io::Error {
    let text = error.to_string();
    if REFUSED.iter().any(|refused| text.contains(refused)) {
        return io::Error::new(io::ErrorKind::PermissionDenied, error);
    }
    failure.take_or_end().map_or_else(|| io::Error::other(error), proxy_failed)
}

/// Parts of hyper-util's error texts. `tests/clients` checks that they are still the same.
const REFUSED: [&str; 3] = ["authentication", "credentials not accepted", "connection not allowed"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_proxies_that_it_can_use() {
        for (url, valid) in [
            ("http://proxy:3128", true),
            ("http://user:pa%20ss@proxy", true),
            ("socks5://[::1]:1080", true),
            ("socks5h://proxy", true),
            ("https://proxy", false),
            ("socks4://proxy", false),
            ("proxy:3128", false),
            ("http://proxy/", true),
            ("HTTP://proxy:80", true),
            ("http://user:a%2Fb@proxy:1", true),
            ("http://proxy:99999", false),
            ("http://proxy:x", false),
            ("socks5://user:pw@proxy:65536", false),
            ("http://proxy/path", false),
            ("http://proxy?query", false),
            ("http://proxy#fragment", false),
            ("http://a,b", false),
            ("http://", false),
            ("", false),
        ] {
            assert_eq!(Proxy::all(url).is_ok(), valid, "{url}");
        }
    }

    #[test]
    fn a_server_may_be_left_out() {
        let proxy = Proxy::all("http://proxy").unwrap().no_proxy("direct.example, 10.0.0.0/8, ::1").unwrap();
        for (host, direct) in [
            ("direct.example", true),
            ("a.direct.example", true),
            ("Direct.Example", true),
            ("direct.example.", true),
            ("indirect.example", false),
            ("10.1.2.3", true),
            ("11.1.2.3", false),
            ("::1", true),
            ("::2", false),
        ] {
            for is_secure in [false, true] {
                assert_eq!(proxy.intercept(host, 80, is_secure).unwrap().is_none(), direct, "{host}");
            }
        }
    }

    #[test]
    fn neither_case_nor_a_dot_at_the_end_makes_another_server_of_a_name() {
        let proxy = Proxy::all("http://proxy").unwrap().no_proxy("A.Example, .B.example , c.example.").unwrap();
        assert_eq!(proxy.get_no_proxy(), Some("A.Example, .B.example , c.example."));
        for host in ["a.example", "A.EXAMPLE", "b.Example", "x.b.example", "c.example", "C.example."] {
            assert!(proxy.intercept(host, 80, false).unwrap().is_none(), "{host}");
        }
        let route = proxy.intercept("Other.Example.", 80, false).unwrap().unwrap();
        assert_eq!(route.server, "http://Other.Example.:80/", "it is asked for as it was given");
    }

    #[test]
    fn a_list_of_direct_servers_is_replaced_by_another() {
        let proxy = Proxy::all("http://proxy").unwrap().no_proxy("a.example").unwrap().no_proxy("b.example").unwrap();
        for (host, direct) in [("a.example", false), ("b.example", true)] {
            assert_eq!(proxy.intercept(host, 80, false).unwrap().is_none(), direct, "{host}");
        }
        let proxy = proxy.no_proxy("*").unwrap();
        for host in ["a.example", "192.0.2.1", "::1"] {
            assert!(proxy.intercept(host, 80, false).unwrap().is_none(), "{host}");
        }
    }

    #[tokio::test]
    async fn the_next_address_is_tried_where_the_proxy_does_not_reach_the_first() {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};

        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = format!("socks5://{}", listener.local_addr().unwrap());
        let route = Proxy::all(&proxy).unwrap().intercept("server.example", 80, false).unwrap().unwrap();
        let addresses = ["[2001:db8::1]:80", "192.0.2.1:80", "192.0.2.2:80"].map(|address| address.parse().unwrap());
        for (answers, expected) in [
            // Network unreachable, then success.
            (&[3, 0][..], Ok(())),
            // Connection refused by all.
            (&[5, 5, 5], Err(io::ErrorKind::Other)),
            // Not allowed: that is said once.
            (&[2], Err(io::ErrorKind::PermissionDenied)),
        ] {
            let serving = async {
                for answer in answers {
                    let (mut client, _) = listener.accept().await.unwrap();
                    client.read_exact(&mut [0; 3]).await.unwrap();
                    client.write_all(&[5, 0]).await.unwrap();
                    let mut request = [0; 4];
                    client.read_exact(&mut request).await.unwrap();
                    let rest = if request[3] == 4 { 18 } else { 6 };
                    client.read_exact(&mut vec![0; rest]).await.unwrap();
                    client.write_all(&[5, *answer, 0, 1, 0, 0, 0, 0, 0, 0]).await.unwrap();
                }
            };
            let (connected, ()) = tokio::join!(route.first_of(addresses.into_iter()), serving);
            assert_eq!(connected.map(drop).map_err(|error| error.kind()), expected, "{answers:?}");
        }
    }

    #[test]
    fn the_proxy_and_what_it_is_not_for_are_printed_and_the_password_is_not() {
        let proxy = Proxy::all("http://user:secret@proxy").unwrap();
        assert_eq!(proxy.get_no_proxy(), None);
        let proxy = proxy.no_proxy("a.example, ::1").unwrap();
        assert_eq!(proxy.get_no_proxy(), Some("a.example, ::1"));
        let printed = format!("{proxy:?}");
        assert!(printed.contains("proxy/") && printed.contains("a.example, ::1"), "{printed}");
        assert!(!printed.contains("secret"), "{printed}");
    }
}
