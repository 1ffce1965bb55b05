//! The server behind the proxy.

use std::convert::Infallible;
use std::net::SocketAddr;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tower::ServiceBuilder;
use tower_websocket::{Error, Manager, Upgrader, WebSocketLayer};

/// Says which version of HTTP the handshake came over, then echoes.
async fn handler(ws: Manager) -> Result<(), Error> {
    ws.send(format!("{:?}", ws.request().version)).await?;
    while let Some(message) = ws.recv().await? {
        ws.send(message).await?;
    }
    Ok(())
}

/// Serves WebSockets with these settings at `/ws`, and a page that repeats its path everywhere else.
pub(crate) async fn start(upgrader: Upgrader) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let layer = WebSocketLayer::new(handler).path("/ws").upgrader(upgrader);
    let mut server = auto::Builder::new(TokioExecutor::new());
    server.http2().enable_connect_protocol();
    tokio::spawn(async move {
        loop {
            let (stream, peer) = listener.accept().await.unwrap();
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
    address
}
