//! Ways through HTTP and SOCKS5 proxies.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::Uri;
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpStream, lookup_host};
use tower_service::Service;

use super::dial::dial;
use crate::error::{BoxError, Error, ErrorKind};

/// The proxies that a client connects through.
///
/// An HTTP proxy is asked for a tunnel (`CONNECT`, RFC 9110 §9.3.6), for `ws://` as well as for `wss://` URLs, as WebSockets
/// demand (RFC 6455 §4.1). A SOCKS5 proxy (RFC 1928) is too; with `socks5h` it resolves the server's name itself, with
/// `socks5` the client does. User name and password stand in the URL.
///
/// ```
/// use tower_websocket::{Connector, Proxy};
///
/// let connector = Connector::new().proxy(Proxy::all("http://user:secret@proxy.example:3128")?.no_proxy("localhost, .example"));
/// let connector = Connector::new().proxy(Proxy::all("socks5h://127.0.0.1:9050")?);
/// let connector = Connector::new().proxy(Proxy::from_env());
/// # Ok::<(), tower_websocket::Error>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct Proxy(Arc<Rules>);

#[derive(Clone)]
struct Rules {
    /// None: from the environment.
    url: Option<String>,
    matcher: Arc<Matcher>,
}

impl Proxy {
    /// Connects to every server through the proxy at this URL: `http://`, `socks5://` or `socks5h://`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidSetting`] where it is not of that form.
    pub fn all(url: &str) -> Result<Self, Error> {
        let matcher = Matcher::builder().all(url).build();
        let proxy = matcher.intercept(&Uri::from_static("http://server.invalid/"));
        let scheme = proxy.as_ref().and_then(|proxy| proxy.uri().scheme_str());
        if !url.contains("://") || !scheme.is_some_and(|scheme| SCHEMES.contains(&scheme)) {
            let reason = "a proxy is http://host:port, socks5://host:port or socks5h://host:port";
            return Err(Error::with_source(ErrorKind::InvalidSetting, reason));
        }
        Ok(Self(Arc::new(Rules { url: Some(url.to_owned()), matcher: Arc::new(matcher) })))
    }

    /// Takes the proxies from the environment, as it is now: `HTTP_PROXY` for `ws://`, `HTTPS_PROXY` for `wss://`,
    /// `ALL_PROXY` for both, but not for what `NO_PROXY` names; each of them in lower case too.
    ///
    /// Where `REQUEST_METHOD` is set, which is so in CGI programs, nothing is taken, as there anybody can set `HTTP_PROXY`.
    /// A proxy of another kind than [`all`](Self::all) takes is not passed by: connecting fails then.
    pub fn from_env() -> Self {
        Self(Arc::new(Rules { url: None, matcher: Arc::new(Matcher::from_env()) }))
    }

    /// The servers that are connected to directly: names, which cover their subdomains, addresses and networks such as
    /// `10.0.0.0/8`, separated by commas; `*` is all. It has no effect on [`from_env`](Self::from_env).
    pub fn no_proxy(mut self, hosts: &str) -> Self {
        if let Some(url) = self.0.url.clone() {
            let matcher = Matcher::builder().all(url.as_str()).no(hosts).build();
            self.0 = Arc::new(Rules { url: Some(url), matcher: Arc::new(matcher) });
        }
        self
    }

    /// The way to this server, if it leads through a proxy.
    pub(super) fn intercept(&self, host: &str, port: u16, is_secure: bool) -> Result<Option<Route>, Error> {
        let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        let scheme = if is_secure { "https" } else { "http" };
        let server = Uri::try_from(format!("{scheme}://{host}:{port}/"))
            .map_err(|error| Error::with_source(ErrorKind::InvalidSetting, error))?;
        Ok(self.0.matcher.intercept(&server).map(|proxy| Route { proxy, server }))
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the password.
        f.debug_tuple("Proxy").field(&self.0.matcher).finish()
    }
}

/// A server behind a proxy.
#[derive(Debug)]
pub(super) struct Route {
    proxy: Intercept,
    server: Uri,
}

impl Route {
    /// Opens a tunnel to the server.
    pub(super) async fn connect(&self) -> io::Result<TcpStream> {
        let proxy = self.proxy.uri().clone();
        let stream = match proxy.scheme_str() {
            Some("http") => {
                let mut tunnel = Tunnel::new(proxy, Dial);
                if let Some(auth) = self.proxy.basic_auth() {
                    tunnel = tunnel.with_auth(auth.clone());
                }
                tunnel.call(self.server.clone()).await.map_err(failed)?
            }
            Some(scheme @ ("socks5" | "socks5h")) => {
                let server = if scheme == "socks5" { self.resolved().await? } else { self.server.clone() };
                let mut socks = SocksV5::new(proxy, Dial);
                if let Some((user, password)) = self.proxy.raw_auth() {
                    socks = socks.with_auth(user.to_owned(), password.to_owned());
                }
                socks.call(server).await.map_err(failed)?
            }
            _ => return Err(io::Error::new(io::ErrorKind::Unsupported, "the proxy is neither HTTP nor SOCKS5")),
        };
        Ok(stream.into_inner())
    }

    /// The server by its address. hyper-util would resolve the name itself, but block the thread.
    async fn resolved(&self) -> io::Result<Uri> {
        let authority = self.server.authority().map_or("", |authority| authority.as_str());
        let address = lookup_host(authority).await?.next();
        let address = address.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the name has no address"))?;
        Uri::try_from(format!("http://{address}/")).map_err(io::Error::other)
    }
}

/// Connects to the proxy itself.
#[derive(Clone, Copy, Debug)]
struct Dial;

impl Service<Uri> for Dial {
    type Response = TokioIo<TcpStream>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<TokioIo<TcpStream>>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, proxy: Uri) -> Self::Future {
        Box::pin(async move {
            let port = proxy.port_u16().unwrap_or(if proxy.scheme_str() == Some("http") { 80 } else { 1080 });
            let host = proxy.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
            dial(host, port).await.map(TokioIo::new)
        })
    }
}

const SCHEMES: [&str; 3] = ["http", "socks5", "socks5h"];

/// What a proxy has refused, or how it failed. hyper-util tells in words alone that it wants another user or password.
fn failed(error: impl fmt::Display + Into<BoxError>) -> io::Error {
    let said = error.to_string();
    let wants_another_user = REFUSED_USERS.iter().any(|refused| said.contains(refused));
    io::Error::new(if wants_another_user { io::ErrorKind::PermissionDenied } else { io::ErrorKind::Other }, error)
}

/// In hyper-util's errors of HTTP and SOCKS5 proxies. `tests/clients` holds it to these.
const REFUSED_USERS: [&str; 3] = ["authorization required", "authentication", "credentials not accepted"];

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
            ("http://", false),
            ("", false),
        ] {
            assert_eq!(Proxy::all(url).is_ok(), valid, "{url}");
        }
    }

    #[test]
    fn a_server_may_be_left_out() {
        let proxy = Proxy::all("http://proxy").unwrap().no_proxy("direct.example, 10.0.0.0/8, ::1");
        for (host, direct) in [
            ("direct.example", true),
            ("a.direct.example", true),
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
    fn the_password_is_not_printed() {
        let proxy = Proxy::all("http://user:secret@proxy").unwrap();
        assert!(!format!("{proxy:?}").contains("secret"));
    }
}
