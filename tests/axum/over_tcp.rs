//! The extractor served by `axum::serve`, over both versions of HTTP.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, OriginalUri, State};
use axum::response::Response;
use axum::routing::any;
use axum::{Extension, Router};
use tokio::net::TcpListener;
use tower_websocket::axum::WebSocketUpgrade;
use tower_websocket::{Connector, Manager, Message, Upgrader};

async fn handler(ws: WebSocketUpgrade, State(greeting): State<&'static str>) -> Response {
    ws.on_upgrade(move |ws: Manager| async move {
        let request = ws.request();
        let original = request.extensions.get::<OriginalUri>().unwrap().0.path().to_owned();
        let is_local = request.extensions.get::<ConnectInfo<SocketAddr>>().unwrap().0.ip().is_loopback();
        ws.send(format!("{greeting} {original} {is_local} {:?}", request.version)).await?;
        ws.recv().await.map(drop)
    })
}

#[tokio::test]
async fn it_works_over_http1_and_http2() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let inner = Router::new().route("/ws", any(handler));
    let app = Router::new().nest("/api", inner).layer(Extension(Upgrader::new())).with_state("hello");
    tokio::spawn(async move {
        axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).await.unwrap();
    });
    for (connector, version) in [(Connector::new(), "HTTP/1.1"), (Connector::new().http2(), "HTTP/2.0")] {
        let ws = connector.connect(format!("ws://{address}/api/ws")).await.unwrap();
        let expected = Message::text(format!("hello /api/ws true {version}"));
        assert_eq!(ws.recv().await.unwrap(), Some(expected));
        ws.close().await.unwrap();
    }
}
