//! The server behind the proxy.

use std::convert::Infallible;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::ext::Protocol;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tower::ServiceBuilder;
use tower_websocket::{Error, Manager, Upgrader, WebSocketLayer};

/// How a handshake came to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Came {
    /// `GET` with `Upgrade: websocket` (RFC 6455).
    ByUpgrade,
    /// `CONNECT` with `:protocol = websocket` (RFC 8441).
    ByExtendedConnect,
}

impl fmt::Display for Came {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ByUpgrade => "GET HTTP/1.1",
            Self::ByExtendedConnect => "CONNECT HTTP/2.0 websocket",
        })
    }
}

/// Says which version of HTTP the proxy's client spoke, how the handshake came, and over which connection; then echoes.
async fn handler(ws: Manager) -> Result<(), Error> {
    let request = ws.request();
    let front = request.headers.get("x-front").and_then(|front| front.to_str().ok()).unwrap_or("?").to_owned();
    let protocol = request.extensions.get::<Protocol>().map_or("", |protocol| protocol.as_str());
    let came = format!("{} {:?} {protocol}", request.method, request.version);
    let connection = request.extensions.get::<SocketAddr>().unwrap().port();
    ws.send(format!("{front}; {}; {connection}", came.trim_end())).await?;
    drop(request);
    while let Some(message) = ws.recv().await? {
        ws.send(message).await?;
    }
    Ok(())
}

pub(crate) struct Backend {
    pub(crate) address: SocketAddr,
    accepted: Arc<AtomicUsize>,
}

impl Backend {
    /// How many connections the proxy has opened.
    pub(crate) fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }
}

/// Serves WebSockets with these settings at `/ws`, and a page that repeats its path everywhere else.
pub(crate) async fn start(upgrader: Upgrader) -> Backend {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let layer = WebSocketLayer::new(handler).path("/ws").upgrader(upgrader);
    let mut server = auto::Builder::new(TokioExecutor::new());
    server.http2().enable_connect_protocol();
    let accepted = Arc::new(AtomicUsize::new(0));
    let count = accepted.clone();
    tokio::spawn(async move {
        loop {
            let (stream, peer) = listener.accept().await.unwrap();
            count.fetch_add(1, Ordering::SeqCst);
            stream.set_nodelay(true).unwrap();
            let service = ServiceBuilder::new()
                .map_request(move |mut request: Request<Incoming>| {
                    request.extensions_mut().insert(peer);
                    request
                })
                .layer(layer.clone())
                .service_fn(|request: Request<Incoming>| async move {
                    Ok::<_, Infallible>(Response::new(request.uri().path().to_owned()))
                });
            let server = server.clone();
            tokio::spawn(async move {
                let service = TowerToHyperService::new(service);
                // A proxy that goes away is the business of the test.
                let _ = server.serve_connection_with_upgrades(TokioIo::new(stream), service).await;
            });
        }
    });
    Backend { address, accepted }
}
