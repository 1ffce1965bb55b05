//! Servers of this crate.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::io::{DuplexStream, duplex};
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_util::either::Either;
use tower_websocket::{Connector, HandlerOutput, Manager, Role, WebSocketLayer, prepare_socket};

use super::{Over, Peer, Socket, Stream, http2};
use crate::shared::{certified, http_server, serve_connection};

/// Where a server listens. It serves until the runtime ends.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) over: Over,
    address: Address,
    tls: Arc<ClientConfig>,
}

#[derive(Clone)]
enum Address {
    Memory(mpsc::UnboundedSender<DuplexStream>),
    Tcp(SocketAddr),
    Unix(Arc<UnixPath>),
}

/// Serves this layer's WebSockets.
pub(crate) async fn serve<H, F>(over: Over, layer: WebSocketLayer<H>) -> Server
where
    H: Fn(Manager) -> F + Send + Sync + 'static,
    F: Future<Output: HandlerOutput> + Send + 'static,
{
    let service = layer.into_service();
    let (acceptor, tls) = certified(&[if over.is_http2() { "h2" } else { "http/1.1" }]);
    let address = match over {
        Over::Memory => {
            let (sender, mut streams) = mpsc::unbounded_channel();
            tokio::spawn(async move {
                while let Some(stream) = streams.recv().await {
                    tokio::spawn(serve_connection(http_server(), stream, service.clone()));
                }
            });
            Address::Memory(sender)
        }
        Over::Unix => {
            let path = UnixPath::new();
            let listener = UnixListener::bind(&path.0).unwrap();
            tokio::spawn(async move {
                loop {
                    let (stream, _) = listener.accept().await.unwrap();
                    tokio::spawn(serve_connection(http_server(), stream, service.clone()));
                }
            });
            Address::Unix(Arc::new(path))
        }
        Over::Http2 | Over::Http2Tls | Over::Tcp | Over::Tls => {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            tokio::spawn(async move {
                loop {
                    let (stream, _) = listener.accept().await.unwrap();
                    stream.set_nodelay(true).unwrap();
                    let (service, acceptor) = (service.clone(), acceptor.clone());
                    tokio::spawn(async move {
                        if !over.is_tls() {
                            serve_connection(http_server(), stream, service).await;
                        } else if let Ok(stream) = acceptor.accept(stream).await {
                            serve_connection(http_server(), stream, service).await;
                        }
                    });
                }
            });
            Address::Tcp(address)
        }
    };
    Server { over, address, tls }
}

/// Serves this layer's WebSockets over a type of TLS that the crate does not know, on sockets that are prepared.
pub(crate) async fn serve_with_unknown_tls<H, F>(layer: WebSocketLayer<H>) -> Server
where
    H: Fn(Manager) -> F + Send + Sync + 'static,
    F: Future<Output: HandlerOutput> + Send + 'static,
{
    let service = layer.into_service();
    let (acceptor, tls) = certified(&["http/1.1"]);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = Address::Tcp(listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            prepare_socket(&stream).unwrap();
            let (service, acceptor) = (service.clone(), acceptor.clone());
            tokio::spawn(async move {
                if let Ok(stream) = acceptor.accept(stream).await {
                    let unknown = Either::<_, DuplexStream>::Left(stream);
                    serve_connection(http_server(), unknown, service).await;
                }
            });
        }
    });
    Server { over: Over::Tls, address, tls }
}

impl Server {
    /// The port, where there is one.
    pub(crate) fn address(&self) -> SocketAddr {
        let Address::Tcp(address) = self.address else { panic!("no TCP") };
        address
    }

    /// The same server behind a proxy at this address.
    pub(crate) fn behind(&self, proxy: SocketAddr) -> Self {
        Self { address: Address::Tcp(proxy), ..self.clone() }
    }

    /// A scripted client with an open WebSocket.
    pub(crate) async fn open(&self, socket: Socket) -> Peer {
        self.open_with(socket, "").await
    }

    /// The same, with more header lines over HTTP/1.1.
    pub(crate) async fn open_with(&self, socket: Socket, more: &str) -> Peer {
        let transport = self.transport(socket).await;
        if self.over.is_http2() {
            return Peer::new(Box::new(http2::open(transport).await), Role::Client);
        }
        let mut peer = Peer::new(transport, Role::Client);
        peer.ask(more).await;
        peer
    }

    /// A transport to this server, TLS included.
    pub(crate) async fn transport(&self, socket: Socket) -> Stream {
        match &self.address {
            Address::Memory(sender) => {
                let (near, far) = duplex(64 * 1024);
                sender.send(far).unwrap();
                Box::new(near)
            }
            Address::Tcp(address) => {
                let stream = socket.create().connect(*address).await.unwrap();
                if !self.over.is_tls() {
                    return Box::new(stream);
                }
                let mut config = ClientConfig::clone(&self.tls);
                config.alpn_protocols = vec![if self.over.is_http2() { "h2".into() } else { "http/1.1".into() }];
                let connector = TlsConnector::from(Arc::new(config));
                Box::new(connector.connect("localhost".try_into().unwrap(), stream).await.unwrap())
            }
            Address::Unix(path) => Box::new(UnixStream::connect(&path.0).await.unwrap()),
        }
    }

    /// A client of this crate.
    pub(crate) async fn connect(&self, connector: Connector) -> Manager {
        let connector = if self.over.is_http2() { connector.http2() } else { connector };
        let connected = match &self.address {
            Address::Memory(_) | Address::Unix(_) => {
                connector.connect_over(self.transport(Socket::default()).await, "ws://localhost/").await
            }
            Address::Tcp(address) if self.over.is_tls() => {
                connector.tls_config(self.tls.clone()).connect(format!("wss://{address}/")).await
            }
            Address::Tcp(address) => connector.connect(format!("ws://{address}/")).await,
        };
        connected.unwrap()
    }
}

/// The path of a Unix socket, which goes with this.
pub(super) struct UnixPath(pub(super) PathBuf);

impl UnixPath {
    pub(super) fn new() -> Self {
        Self(std::env::temp_dir().join(format!("tower-websocket-{:016x}.sock", rand::random::<u64>())))
    }
}

impl Drop for UnixPath {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
