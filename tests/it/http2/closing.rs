//! The end of a stream, and of all streams of a server.

use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::io::duplex;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tower_websocket::{CloseCode, Message, Shutdown, WebSocketLayer};

use super::peer::{CLOSE, Peer, TEXT, VERSION, settle};
use crate::net::handed_over;
use crate::shared::{echo, http_server_with_windows, quiet, websocket_request};

#[tokio::test(start_paused = true)]
async fn the_stream_ends_politely_when_the_peer_closes() {
    let (layer, mut handlers) = handed_over();
    let mut peer = Peer::connect(layer.path("/").upgrader(quiet())).await;
    let mut stream = peer.open("http://h/", &[VERSION]).await;
    let handler = handlers.recv().await.unwrap();
    stream.send(CLOSE, &1001_u16.to_be_bytes());
    stream.expect(CLOSE, &1001_u16.to_be_bytes()).await;
    stream.expect_end().await;
    stream.send.send_data(Bytes::new(), true).unwrap();
    assert_eq!(handler.done().await.unwrap().code(), CloseCode::GOING_AWAY);
    peer.catch_up().await;
    assert_eq!(stream.reset().await, None);
}

#[tokio::test(start_paused = true)]
async fn the_stream_ends_politely_when_the_handler_closes() {
    let (layer, mut handlers) = handed_over();
    let mut peer = Peer::connect(layer.path("/").upgrader(quiet())).await;
    let mut stream = peer.open("http://h/", &[VERSION]).await;
    let handler = handlers.recv().await.unwrap();
    let closing = tokio::spawn(async move { handler.close().await });
    stream.expect(CLOSE, &1000_u16.to_be_bytes()).await;
    // As RFC 8441 §5 has it, END_STREAM does as TCP's FIN: only behind both close frames.
    peer.catch_up().await;
    assert!(!stream.receive.is_end_stream());
    stream.send(CLOSE, &1000_u16.to_be_bytes());
    stream.expect_end().await;
    stream.send.send_data(Bytes::new(), true).unwrap();
    closing.await.unwrap().unwrap();
    peer.catch_up().await;
    assert_eq!(stream.reset().await, None);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_closes_all_streams_and_keeps_its_deadline() {
    let shutdown = Shutdown::new();
    let layer = WebSocketLayer::new(echo).path("/").shutdown(&shutdown).upgrader(quiet());
    let mut peer = Peer::connect(layer).await;
    let mut polite = peer.open("http://h/", &[VERSION]).await;
    let mut silent = peer.open("http://h/", &[VERSION]).await;
    let start = Instant::now();
    let closing = tokio::spawn({
        let shutdown = shutdown.clone();
        async move { shutdown.close_all(CloseCode::GOING_AWAY, "", Duration::from_secs(2)).await }
    });
    for stream in [&mut polite, &mut silent] {
        stream.expect(CLOSE, &1001_u16.to_be_bytes()).await;
    }
    polite.send(CLOSE, &1001_u16.to_be_bytes());
    polite.expect_end().await;
    polite.send.send_data(Bytes::new(), true).unwrap();

    let mut refused = peer.open("http://h/", &[VERSION]).await;
    assert_eq!(refused.response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(refused.response.headers().contains_key("retry-after"));
    assert!(!refused.response.headers().contains_key("connection"));
    assert_eq!(refused.body().await, "the server is shutting down\n");

    assert_eq!(closing.await.unwrap(), 1);
    assert_eq!(start.elapsed().as_secs(), 2);
    // The silent one is dropped; what is no WebSocket goes on.
    assert!(!matches!(silent.receive.data().await, Some(Ok(data)) if !data.is_empty()));
    peer.catch_up().await;
    assert_eq!(start.elapsed().as_secs(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_goes_away_lets_its_websockets_end() {
    let (layer, mut handlers) = handed_over();
    let (near, far) = duplex(1024 * 1024);
    let service = TowerToHyperService::new(layer.upgrader(quiet()).into_service());
    let (stop, stopped) = oneshot::channel();
    let server = tokio::spawn(async move {
        let http = http_server_with_windows();
        let mut connection = pin!(http.serve_connection_with_upgrades(TokioIo::new(far), service));
        tokio::select! {
            _ = stopped => connection.as_mut().graceful_shutdown(),
            _ = connection.as_mut() => panic!("the connection is in use"),
        }
        connection.await.is_ok()
    });
    let mut peer = Peer::over(near).await;
    let mut stream = peer.open("http://h/", &[VERSION]).await;
    let handler = handlers.recv().await.unwrap();
    stop.send(()).unwrap();
    settle().await;

    let request = websocket_request("http://h/").header(VERSION.0, VERSION.1);
    assert!(peer.try_open(request).await.is_err());
    stream.send(TEXT, b"still here");
    assert_eq!(handler.recv().await.unwrap(), Some(Message::text("still here")));
    handler.send("so am I").await.unwrap();
    stream.expect(TEXT, b"so am I").await;
    assert!(!server.is_finished());

    let closing = tokio::spawn(async move { handler.close().await });
    stream.expect(CLOSE, &1000_u16.to_be_bytes()).await;
    stream.send(CLOSE, &1000_u16.to_be_bytes());
    stream.expect_end().await;
    stream.send.send_data(Bytes::new(), true).unwrap();
    closing.await.unwrap().unwrap();
    assert!(server.await.unwrap());
}
