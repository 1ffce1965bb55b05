//! How every example serves: HTTP/1.1 and HTTP/2 on one port, with the limits that stand before a WebSocket's own.
//!
//! | a client that | is ended by |
//! | --- | --- |
//! | sends nothing, half a TLS handshake, the start of HTTP/2, or half a request head | [`REQUEST_TIME`] |
//! | is silent between two requests of HTTP/1.1 | `header_read_timeout` |
//! | sends half of a request's body | hyper, once the request is answered: no handler here reads a body. One that does must limit the time |
//! | has vanished without a word, over HTTP/2 | `keep_alive_interval` and `keep_alive_timeout` |
//! | has opened a WebSocket | the crate's keepalive and limits |
//!
//! A client of HTTP/2 that has asked for something and answers pings stays for as long as it likes, as on every server of
//! HTTP/2. What bounds it is a limit on the TCP connections of an address.

use std::error::Error as StdError;
use std::future::{Future, pending};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::serve::Listener;
use bytes::Bytes;
use http::{Request, Response};
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tower::{Service, ServiceBuilder};
use tower_websocket::prepare_socket;

type BoxError = Box<dyn StdError + Send + Sync>;

/// How long a client may take from connecting to its first request.
const REQUEST_TIME: Duration = Duration::from_secs(10);

/// hyper's server. The guide `server` says why these settings are better than its defaults.
pub(crate) fn http() -> auto::Builder<TokioExecutor> {
    let mut http = auto::Builder::new(TokioExecutor::new());
    http.http1().timer(TokioTimer::new()).header_read_timeout(REQUEST_TIME);
    http.http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Duration::from_secs(20))
        .keep_alive_timeout(Duration::from_secs(10))
        // WebSockets over HTTP/2 (RFC 8441). Over TLS, browsers use it as soon as it is offered, and open all of a host's
        // WebSockets on one connection.
        .enable_connect_protocol()
        .max_concurrent_streams(300)
        .initial_stream_window_size(64 * 1024)
        .initial_connection_window_size(64 * 1024 * 1024)
        .max_send_buf_size(64 * 1024);
    http
}

/// Serves in the clear, for ever.
#[allow(dead_code, reason = "one example speaks TLS alone")]
pub(crate) async fn serve<S, B>(listener: TcpListener, http: auto::Builder<TokioExecutor>, service: S)
where
    S: Service<Request<Incoming>, Response = Response<B>, Error: Into<BoxError>, Future: Send>,
    S: Clone + Send + 'static,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    serve_over(listener, http, service, async |stream| Ok(stream)).await;
}

/// Serves what `open` makes of each TCP connection, such as a TLS stream, for ever.
pub(crate) async fn serve_over<S, B, Open, Opened, Io>(
    mut listener: TcpListener,
    http: auto::Builder<TokioExecutor>,
    service: S,
    open: Open,
) where
    S: Service<Request<Incoming>, Response = Response<B>, Error: Into<BoxError>, Future: Send>,
    S: Clone + Send + 'static,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    Open: Fn(TcpStream) -> Opened,
    Opened: Future<Output = io::Result<Io>> + Send + 'static,
    Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    loop {
        // axum's `Listener` waits and goes on when accepting fails, as it does while the process has no file descriptor
        // left. `TcpListener::accept` returns that error, and a `?` would end the server for everybody.
        let (stream, peer) = Listener::accept(&mut listener).await;
        // The crate does it itself where it gets the socket: not under every TLS, and not over HTTP/2.
        if let Err(error) = prepare_socket(&stream) {
            eprintln!("could not prepare the socket of {peer}: {error}");
        }
        let (http, service, stream) = (http.clone(), service.clone(), open(stream));
        tokio::spawn(async move {
            if let Err(error) = serve_connection(stream, peer, &http, service).await {
                eprintln!("connection of {peer} failed: {error}");
            }
        });
    }
}

/// Serves HTTP/1.1 alone, in the clear, for ever. `auto::Builder::http1_only` has no effect where connections can be upgraded:
/// hyper-util looks at the first bytes all the same.
#[allow(dead_code, reason = "most examples speak both versions")]
pub(crate) async fn serve_http1<S, B>(mut listener: TcpListener, service: S)
where
    S: Service<Request<Incoming>, Response = Response<B>, Error: Into<BoxError>, Future: Send>,
    S: Clone + Send + 'static,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let mut http = http1::Builder::new();
    // From the first byte on that could come, so that nothing else limits how long a client may take to its first request.
    http.timer(TokioTimer::new()).header_read_timeout(REQUEST_TIME);
    loop {
        let (stream, peer) = Listener::accept(&mut listener).await;
        let service = TowerToHyperService::new(service.clone());
        let serving = http.serve_connection(TokioIo::new(stream), service).with_upgrades();
        tokio::spawn(async move {
            if let Err(error) = serving.await {
                eprintln!("connection of {peer} failed: {error}");
            }
        });
    }
}

/// One connection, to its end, or until it is clear that nothing comes.
async fn serve_connection<S, B, Io>(
    stream: impl Future<Output = io::Result<Io>>,
    peer: SocketAddr,
    http: &auto::Builder<TokioExecutor>,
    service: S,
) -> Result<(), BoxError>
where
    S: Service<Request<Incoming>, Response = Response<B>, Error: Into<BoxError>, Future: Send>,
    S: Clone + Send + 'static,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let asked = CancellationToken::new();
    let first = asked.clone();
    let service = ServiceBuilder::new()
        .map_request(move |mut request: Request<Incoming>| {
            first.cancel();
            // For the log, for the handlers, and for counting the WebSockets on one HTTP/2 connection.
            request.extensions_mut().insert(peer);
            request
        })
        .service(service);
    let serving = async {
        let stream = TokioIo::new(stream.await?);
        // `with_upgrades`, or else the socket never becomes a WebSocket.
        http.serve_connection_with_upgrades(stream, TowerToHyperService::new(service)).await
    };
    let silence = async {
        if timeout(REQUEST_TIME, asked.cancelled()).await.is_ok() {
            pending::<()>().await;
        }
    };
    tokio::select! {
        served = serving => served,
        () = silence => Err("it asked for nothing in time".into()),
    }
}
