use std::{io, net::SocketAddr};

use anyhow::Result;
use axum::{
    Router,
    extract::ws::{Message, WebSocket, WebSocketUpgrade},
    routing::any,
    serve::{Listener, ListenerExt},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::broadcast,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

/// axum's own WebSockets, on HTTP/1.1 and HTTP/2.
pub async fn serve(listener: TcpListener, tls: Option<TlsAcceptor>) -> Result<()> {
    let (all, _) = broadcast::channel::<Message>(256);
    let publisher = all.clone();
    let app = Router::new()
        .route("/ws", any(|upgrade: WebSocketUpgrade| async { upgrade.on_upgrade(echo) }))
        .route("/sub", any(|upgrade: WebSocketUpgrade| async move { upgrade.on_upgrade(|ws| subscribe(ws, all)) }))
        .route("/pub", any(|upgrade: WebSocketUpgrade| async move { upgrade.on_upgrade(|ws| publish(ws, publisher)) }));
    let listener = listener.tap_io(|stream| stream.set_nodelay(true).unwrap_or_default());
    match tls {
        None => Ok(axum::serve(listener, app).await?),
        Some(tls) => Ok(axum::serve(OverTls { listener, tls }, app).await?),
    }
}

struct OverTls<L> {
    listener: L,
    tls: TlsAcceptor,
}

impl<L: Listener<Io = TcpStream, Addr = SocketAddr>> Listener for OverTls<L> {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, address) = self.listener.accept().await;
            // A connection to see whether the server is there ends here.
            if let Ok(stream) = self.tls.accept(stream).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

async fn echo(mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        if matches!(message, Message::Text(_) | Message::Binary(_)) && socket.send(message).await.is_err() {
            break;
        }
    }
}

/// As axum's example of a chat does it.
async fn subscribe(mut socket: WebSocket, all: broadcast::Sender<Message>) {
    let mut messages = all.subscribe();
    while let Ok(message) = messages.recv().await {
        if socket.send(message).await.is_err() {
            break;
        }
    }
}

async fn publish(mut socket: WebSocket, all: broadcast::Sender<Message>) {
    while let Some(Ok(message)) = socket.recv().await {
        // There may be no member.
        let _ = all.send(message);
    }
}
