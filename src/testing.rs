//! Tests without a socket: handlers and whole tower stacks in memory, which also work with tokio's paused clock.

use std::fmt;
use std::future::poll_fn;

use http::header::HOST;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderValue, Request, Response, StatusCode, Uri, Version};
use tokio::io::duplex;
use tower_service::Service;

use crate::client::PendingHandshake;
use crate::layer::EmptyBody;
use crate::manager::Manager;
use crate::protocol::Keepalive;
use crate::upgrade::MemoryUpgrade;
use crate::upgrade::{Upgrader, WebSocketConfig};

/// A client and a server that are connected to each other.
///
/// The server has the settings of `upgrader`. The client is like a browser: it offers compression, answers pings and has
/// no keepalive of its own. Each connection closes when its last handle is dropped.
///
/// ```
/// use tower_websocket::{Message, Upgrader, testing};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), tower_websocket::Error> {
/// let (client, server) = testing::pair(Upgrader::new());
/// client.send("hello").await?;
/// assert_eq!(server.recv().await?, Some(Message::text("hello")));
/// # Ok(())
/// # }
/// ```
///
/// # Panics
///
/// Outside of a tokio runtime, and where `upgrader` refuses a client without an `Origin` on the host `localhost`.
#[must_use]
pub fn pair(upgrader: Upgrader) -> (Manager, Manager) {
    let (near, far) = duplex(BUFFER);
    let mut request = Request::get("/").header("host", "localhost").body(()).expect("the request is valid");
    request.extensions_mut().insert(MemoryUpgrade::new(far));
    let client = PendingHandshake::new(&mut request, browser());
    let (response, upgrade) = upgrader.upgrade::<_, ()>(&mut request).expect("the upgrader takes a plain client");
    let client = client.finish(&response, near).expect("our answer is what our client expects");
    (client, upgrade.detach().expect("the transport is in memory"))
}

/// A client of a tower service, such as a whole router with its layers, without a socket.
///
/// ```
/// use tower_websocket::{Error, Manager, Message, WebSocketLayer, testing::TestClient};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Error> {
/// let hello = WebSocketLayer::new(|ws: Manager| async move { ws.send("hello").await });
/// let client = TestClient::new(hello.path("/ws").into_service());
///
/// let ws = client.connect("/ws").await.expect("the handshake is accepted");
/// assert_eq!(ws.recv().await?, Some(Message::text("hello")));
///
/// let refused = client.connect("/elsewhere").await.unwrap_err();
/// assert_eq!(refused.status(), 426);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct TestClient<S> {
    service: S,
    config: WebSocketConfig,
    version: Version,
}

impl<S> TestClient<S> {
    /// A client over HTTP/1.1 that is like a browser: it offers compression, answers pings and has no keepalive of its
    /// own.
    pub fn new(service: S) -> Self {
        Self { service, config: browser(), version: Version::HTTP_11 }
    }

    /// Makes requests as over HTTP/2: extended `CONNECT` (RFC 8441).
    pub fn http2(mut self) -> Self {
        self.version = Version::HTTP_2;
        self
    }

    /// The client's own compression, keepalive and limits.
    pub fn config(mut self, config: WebSocketConfig) -> Self {
        self.config = config;
        self
    }

    /// The client's own compression, keepalive and limits.
    pub fn get_config(&self) -> &WebSocketConfig {
        &self.config
    }

    /// Opens a WebSocket at this path of the host `localhost`.
    ///
    /// # Errors
    ///
    /// The response that refuses the handshake.
    ///
    /// # Panics
    ///
    /// When the service fails, or accepts the handshake wrongly.
    pub async fn connect<R>(&self, path: &str) -> Result<Manager, Response<R>>
    where
        S: Service<Request<EmptyBody>, Response = Response<R>, Error: fmt::Debug> + Clone,
    {
        self.open(Request::builder().uri(path).body(EmptyBody::default()).expect("the path is valid")).await
    }

    /// Opens a WebSocket with a request of your own. Its headers, such as `Origin` and `Sec-WebSocket-Protocol`, and its
    /// extensions are kept; the handshake's headers are added.
    ///
    /// # Errors
    ///
    /// The response that refuses the handshake.
    ///
    /// # Panics
    ///
    /// When the service fails, or accepts the handshake wrongly.
    pub async fn open<B, R>(&self, mut request: Request<B>) -> Result<Manager, Response<R>>
    where
        S: Service<Request<B>, Response = Response<R>, Error: fmt::Debug> + Clone,
    {
        let (near, far) = duplex(BUFFER);
        *request.version_mut() = self.version;
        name_host(&mut request);
        request.extensions_mut().insert(MemoryUpgrade::new(far));
        let handshaking = PendingHandshake::new(&mut request, self.config.clone());
        let response = self.call(request).await;
        let accepted = response.status() == StatusCode::SWITCHING_PROTOCOLS
            || (self.version == Version::HTTP_2 && response.status() == StatusCode::OK);
        if !accepted {
            return Err(response);
        }
        Ok(handshaking.finish(&response, near).expect("the handshake is answered as the RFC demands"))
    }

    /// Sends any request.
    ///
    /// # Panics
    ///
    /// When the service fails.
    pub async fn call<B, R>(&self, request: Request<B>) -> Response<R>
    where
        S: Service<Request<B>, Response = Response<R>, Error: fmt::Debug> + Clone,
    {
        let mut service = self.service.clone();
        poll_fn(|cx| service.poll_ready(cx)).await.expect("the service is ready");
        service.call(request).await.expect("the service answers")
    }
}

/// Sets the host of the request, as its version of HTTP requires: in `Host`, or in the URI.
fn name_host<B>(request: &mut Request<B>) {
    let header = request.headers().get(HOST).cloned();
    let named = request.uri().authority().and_then(|named| HeaderValue::from_str(named.as_str()).ok());
    let host = header.or(named).unwrap_or(HeaderValue::from_static("localhost"));
    if request.version() < Version::HTTP_2 {
        request.headers_mut().insert(HOST, host);
    } else if request.uri().authority().is_none() {
        let mut parts = request.uri().clone().into_parts();
        parts.scheme = Some(Scheme::HTTP);
        parts.authority = Authority::try_from(host.as_bytes()).ok();
        parts.path_and_query.get_or_insert(PathAndQuery::from_static("/"));
        *request.uri_mut() = Uri::from_parts(parts).expect("the host is valid");
        request.headers_mut().remove(HOST);
    }
}

/// The settings of a browser: no keepalive.
fn browser() -> WebSocketConfig {
    WebSocketConfig::new().keepalive(Keepalive::disabled())
}

/// How many bytes the transport buffers in each direction.
const BUFFER: usize = 64 * 1024;
