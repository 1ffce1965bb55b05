//! The server's side: hyper over memory.

use http::{Request, Response};
use hyper::body::{Body, Incoming};
use tokio::sync::mpsc;
use tower::Service;
use tower_websocket::{BoxError, Manager, NotWebSocket, Upgrader, WebSocketLayer, WebSocketService};

use super::{Peer, Tap, tap};
use crate::shared::{http_server, serve_connection};

/// Serves one connection of this service and returns its client.
pub(crate) fn serve<S, B>(service: S) -> Peer
where
    S: Service<Request<Incoming>, Response = Response<B>, Error: Into<BoxError>, Future: Send> + Clone + Send + 'static,
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    let (peer, tap, _) = tap(BUFFER);
    serve_over(service, tap);
    peer
}

/// Serves one connection of this service over this transport.
pub(crate) fn serve_over<S, B>(service: S, transport: Tap)
where
    S: Service<Request<Incoming>, Response = Response<B>, Error: Into<BoxError>, Future: Send> + Clone + Send + 'static,
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    tokio::spawn(serve_connection(http_server(), transport, service));
}

/// A service whose handler hands its manager to the test and stays until the connection is over.
pub(crate) fn handler(
    upgrader: Upgrader,
) -> (WebSocketService<NotWebSocket, impl Fn(Manager) -> Stay + Send + Sync + 'static>, mpsc::UnboundedReceiver<Manager>)
{
    let (sender, receiver) = mpsc::unbounded_channel();
    let layer = WebSocketLayer::new(move |ws: Manager| {
        let _ = sender.send(ws.clone());
        let stay: Stay = Box::pin(async move {
            let _ = ws.done().await;
        });
        stay
    });
    (layer.upgrader(upgrader).into_service(), receiver)
}

type Stay = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

/// An open connection: the server's handle and the scripted peer.
pub(crate) async fn open(upgrader: Upgrader) -> (Manager, Peer) {
    open_with(upgrader, "").await
}

/// An open connection whose handshake had more header lines.
pub(crate) async fn open_with(upgrader: Upgrader, more: &str) -> (Manager, Peer) {
    let (peer, transport, _) = tap(BUFFER);
    open_over(upgrader, more, peer, transport).await
}

/// An open connection over this transport.
pub(crate) async fn open_over(upgrader: Upgrader, more: &str, mut peer: Peer, transport: Tap) -> (Manager, Peer) {
    let (service, mut managers) = handler(upgrader);
    serve_over(service, transport);
    peer.handshake(more).await;
    (managers.recv().await.unwrap(), peer)
}

const BUFFER: usize = 64 * 1024;
