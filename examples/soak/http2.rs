//! WebSockets that share TCP connections: streams of HTTP/2 (RFC 8441).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::{Method, Request, header};
use http_body_util::Empty;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper::ext::Protocol;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::sync::OnceCell;
use tower_websocket::{Manager, Role, WebSocketConfig};

use super::Result;

/// Opens WebSockets at an address, [`STREAMS`] on each TCP connection.
pub(crate) struct Streams {
    address: String,
    config: WebSocketConfig,
    opened: AtomicUsize,
    tcp: Vec<Arc<OnceCell<SendRequest<Empty<Bytes>>>>>,
}

impl Streams {
    pub(crate) fn new(address: &str, config: WebSocketConfig, websockets: usize) -> Self {
        let tcp = std::iter::repeat_with(Arc::default).take(websockets.div_ceil(STREAMS)).collect();
        Self { address: address.to_owned(), config, opened: AtomicUsize::new(0), tcp }
    }

    /// The next WebSocket.
    pub(crate) fn open(&self) -> impl Future<Output = Result<Manager>> + Send + 'static {
        let number = self.opened.fetch_add(1, Ordering::Relaxed);
        let (tcp, address, config) = (self.tcp[number / STREAMS].clone(), self.address.clone(), self.config.clone());
        async move {
            let mut sender = tcp.get_or_try_init(|| connect(&address)).await?.clone();
            let request = Request::builder()
                .method(Method::CONNECT)
                .uri(format!("http://{address}/"))
                .extension(Protocol::from_static("websocket"))
                .header(header::SEC_WEBSOCKET_VERSION, "13")
                .body(Empty::new())?;
            let response = sender.send_request(request).await?;
            if !response.status().is_success() {
                return Err(format!("a WebSocket was refused with {}", response.status()).into());
            }
            let stream = TokioIo::new(hyper::upgrade::on(response).await?);
            Ok(Manager::from_upgraded(stream, Role::Client, &config))
        }
    }
}

/// How many WebSockets a process may hold with so many TCP connections.
pub(crate) fn most_websockets(tcp_connections: usize) -> usize {
    tcp_connections * STREAMS
}

async fn connect(address: &str) -> Result<SendRequest<Empty<Bytes>>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    // RFC 8441 §3: an extended CONNECT may follow once the server's settings are here, and they come before any answer.
    sender.send_request(Request::builder().uri(format!("http://{address}/")).body(Empty::new())?).await?;
    Ok(sender)
}

/// As many as browsers and proxies open on a connection to a server that says nothing of it.
const STREAMS: usize = 100;
