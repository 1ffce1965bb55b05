//! hyper's HTTP/1.1 and HTTP/2 server, extended CONNECT turned on.

use std::time::Duration;

use http::{Request, Response};
use hyper::body::{Body, Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tower::Service;
use tower_websocket::BoxError;

/// A server with hyper's own windows.
pub(crate) fn http_server() -> auto::Builder<TokioExecutor> {
    let mut server = auto::Builder::new(TokioExecutor::new());
    server.http2().enable_connect_protocol();
    server
}

/// A server as the guide `server` sets it up.
pub(crate) fn http_server_with_windows() -> auto::Builder<TokioExecutor> {
    let mut server = http_server();
    server.http1().timer(TokioTimer::new()).header_read_timeout(REQUEST_TIME);
    // hyper's default is 1 MiB for a stream and for the whole connection. A handler that does not read then stops all
    // others, and where its messages are small h2 ends the connection (`too_many_data_frames`).
    server
        .http2()
        .initial_stream_window_size(64 * 1024)
        .initial_connection_window_size(64 * 1024 * 1024)
        .max_send_buf_size(64 * 1024);
    server
}

/// How long a client may take for its request.
pub(crate) const REQUEST_TIME: Duration = Duration::from_secs(10);

/// Serves one connection to its end, whatever that is: it shows at the client.
pub(crate) async fn serve_connection<Io, S, B>(server: auto::Builder<TokioExecutor>, io: Io, service: S)
where
    Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service<Request<Incoming>, Response = Response<B>, Error: Into<BoxError>, Future: Send> + Clone + Send + 'static,
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    let service = TowerToHyperService::new(service);
    let _ = server.serve_connection_with_upgrades(TokioIo::new(io), service).await;
}
