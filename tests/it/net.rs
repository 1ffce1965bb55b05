//! Servers on real sockets.

#![expect(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

use std::convert::Infallible;
use std::net::SocketAddr;

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::{Body, Incoming};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tower::Service;
use tower_websocket::{HandlerOutput, Manager, WebSocketLayer};

pub(crate) use crate::shared::handed_over;
use crate::shared::{http_server_with_windows, serve_connection};

/// Serves this layer's WebSockets on a port of its own, until the runtime ends.
pub(crate) async fn serve<H, F>(layer: WebSocketLayer<H>) -> SocketAddr
where
    H: Fn(Manager) -> F + Send + Sync + 'static,
    F: Future<Output: HandlerOutput> + Send + 'static,
{
    let service = layer.into_service();
    listen(move |stream| serve_stream(stream, service.clone())).await
}

/// One HTTP connection.
pub(crate) async fn serve_stream<Io, S, B>(stream: Io, service: S)
where
    Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: Body<Data = Bytes, Error: std::error::Error + Send + Sync> + Send + 'static,
{
    serve_connection(http_server_with_windows(), stream, service).await;
}

/// Runs this for each TCP connection.
pub(crate) async fn listen<F>(accept: impl Fn(TcpStream) -> F + Send + 'static) -> SocketAddr
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            tokio::spawn(accept(stream));
        }
    });
    address
}
