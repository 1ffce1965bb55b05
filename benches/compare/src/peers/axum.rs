use anyhow::Result;
use axum::{
    Router,
    extract::ws::{Message, WebSocket, WebSocketUpgrade},
    routing::any,
    serve::ListenerExt,
};
use tokio::{net::TcpListener, sync::broadcast};

/// axum's own WebSockets, on HTTP/1.1 and HTTP/2.
pub async fn serve(listener: TcpListener) -> Result<()> {
    let (all, _) = broadcast::channel::<Message>(256);
    let publisher = all.clone();
    let app = Router::new()
        .route("/ws", any(|upgrade: WebSocketUpgrade| async { upgrade.on_upgrade(echo) }))
        .route("/sub", any(|upgrade: WebSocketUpgrade| async move { upgrade.on_upgrade(|ws| subscribe(ws, all)) }))
        .route("/pub", any(|upgrade: WebSocketUpgrade| async move { upgrade.on_upgrade(|ws| publish(ws, publisher)) }));
    let listener = listener.tap_io(|stream| stream.set_nodelay(true).unwrap_or_default());
    Ok(axum::serve(listener, app).await?)
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
