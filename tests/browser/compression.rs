//! permessage-deflate with a browser.

use std::time::Duration;

use axum::Router;
use axum::response::Html;
use axum::routing::{any, get};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tower_websocket::{Compression, Error, Manager, Stats, Upgrader, WebSocketLayer};

use crate::driver::Browser;

#[tokio::test]
async fn a_browser_compresses_in_both_directions_with_every_parameter() {
    let Some(browser) = Browser::launch().await else { return };
    let with_takeover = || Compression::default().client_context_takeover(true).server_context_takeover(true);
    let small_windows = Compression::default().client_max_window_bits(9).unwrap().server_max_window_bits(10).unwrap();
    for (compression, agreed) in [
        (Compression::default(), "permessage-deflate; server_no_context_takeover; client_no_context_takeover"),
        (with_takeover(), "permessage-deflate"),
        (
            small_windows,
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover; \
             server_max_window_bits=10; client_max_window_bits=9",
        ),
    ] {
        let (address, mut stats) = serve(compression).await;
        let mut page = browser.page(&format!("http://{address}/")).await;
        assert_eq!(page.evaluate(ECHO).await, json!({ "extensions": agreed, "wrong": 0 }));
        let stats = tokio::time::timeout(PATIENCE, stats.recv()).await.unwrap().unwrap();
        assert!(stats.payload_received > 90_000 && stats.payload_sent == stats.payload_received, "{stats:?}");
        assert!(stats.wire_received < stats.payload_received / 3, "{stats:?}");
        assert!(stats.wire_sent < stats.payload_sent / 3, "{stats:?}");
    }
}

/// A page, and an echo that tells what went over the wire.
async fn serve(compression: Compression) -> (std::net::SocketAddr, mpsc::UnboundedReceiver<Stats>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let layer = WebSocketLayer::new(move |ws: Manager| {
        let sender = sender.clone();
        async move {
            while let Some(message) = ws.recv().await? {
                ws.send(message).await?;
            }
            // The test may be over.
            let _ = sender.send(ws.stats());
            Ok::<_, Error>(())
        }
    });
    let layer = layer.upgrader(Upgrader::new().compression(compression));
    let app =
        Router::new().route("/", get(|| async { Html("<!doctype html>") })).route("/ws", any(|| async {}).layer(layer));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(async move { axum::serve(listener, app).await });
    (address, receiver)
}

/// Sends messages that resemble each other, and counts those that come back otherwise.
const ECHO: &str = "new Promise((resolve, reject) => {
    const sent = [];
    for (let id = 0; id < 100; id++) {
        sent.push(JSON.stringify(Array.from({ length: 20 }, (_, n) => ({ id, n, name: `user ${n % 7}`, active: true }))));
    }
    const socket = new WebSocket(`ws://${location.host}/ws`);
    const received = [];
    socket.onopen = () => sent.forEach((message) => socket.send(message));
    socket.onmessage = ({ data }) => {
        if (received.push(data) === sent.length) socket.close(1000);
    };
    socket.onclose = ({ code, wasClean }) => {
        if (code !== 1000 || !wasClean) reject(new Error(`closed: ${code}`));
        const wrong = sent.filter((message, n) => message !== received[n]).length;
        resolve({ extensions: socket.extensions, wrong });
    };
})";

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
