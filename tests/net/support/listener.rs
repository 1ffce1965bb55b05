//! Clients of this crate, connected to a scripted server.

use std::sync::Arc;

use tokio::io::duplex;
use tokio::net::{UnixListener, UnixStream};
use tower_websocket::{Connector, Manager, Role};

use super::server::UnixPath;
use super::{Over, Peer, Proxy, Socket, Stream, http2, proxy};
use crate::shared::certified;

/// Connects a client with these settings to a scripted server with such a socket, through a proxy where there is TCP.
pub(crate) async fn connect_through(
    over: Over,
    connector: Connector,
    socket: Socket,
    between: Option<Proxy>,
) -> (Manager, Peer) {
    let connector = if over.is_http2() { connector.http2() } else { connector };
    match over {
        Over::Memory => {
            let (near, far) = duplex(64 * 1024);
            let ws = connector.connect_over(near, "ws://localhost/");
            let (ws, peer) = tokio::join!(ws, accept(over, Box::new(far)));
            (ws.unwrap(), peer)
        }
        Over::Unix => {
            let path = UnixPath::new();
            let listener = UnixListener::bind(&path.0).unwrap();
            let stream = UnixStream::connect(&path.0).await.unwrap();
            let (accepted, _) = listener.accept().await.unwrap();
            let ws = connector.connect_over(stream, "ws://localhost/");
            let (ws, peer) = tokio::join!(ws, accept(over, Box::new(accepted)));
            (ws.unwrap(), peer)
        }
        Over::Http2 | Over::Http2Tls | Over::Tcp | Over::Tls => {
            let listening = socket.create();
            listening.bind("127.0.0.1:0".parse().unwrap()).unwrap();
            let listener = listening.listen(1).unwrap();
            let mut address = listener.local_addr().unwrap();
            if let Some(between) = between {
                address = proxy(between, address).await;
            }
            let port = address.port();
            let (acceptor, config) = certified(&[if over.is_http2() { "h2" } else { "http/1.1" }]);
            let peer = async {
                let (stream, _) = listener.accept().await.unwrap();
                stream.set_nodelay(true).unwrap();
                if socket.reset_on_drop {
                    stream.set_zero_linger().unwrap();
                }
                let stream: Stream =
                    if over.is_tls() { Box::new(acceptor.accept(stream).await.unwrap()) } else { Box::new(stream) };
                accept(over, stream).await
            };
            let connecting = async {
                if over.is_tls() {
                    connector.tls_config(Arc::clone(&config)).connect(format!("wss://127.0.0.1:{port}/")).await
                } else {
                    connector.connect(format!("ws://127.0.0.1:{port}/")).await
                }
            };
            let (ws, peer) = tokio::join!(connecting, peer);
            (ws.unwrap(), peer)
        }
    }
}

async fn accept(over: Over, stream: Stream) -> Peer {
    if over.is_http2() {
        return Peer::new(Box::new(http2::accept(stream).await), Role::Server);
    }
    let mut peer = Peer::new(stream, Role::Server);
    peer.answer("").await;
    peer
}
