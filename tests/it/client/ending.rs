//! The end of our client's connections.

use std::time::Duration;

use http::Version;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional, duplex};
use tokio::time::{Instant, timeout};
use tower_websocket::{
    CloseCode, ErrorKind, Keepalive, Manager, Message, Role, Shutdown, WebSocketConfig, WebSocketLayer,
};

use super::clients;
use crate::net::{handed_over, serve, serve_stream};
use crate::shared::{echo, quiet};

#[tokio::test]
async fn either_side_can_close() {
    let (layer, mut handlers) = handed_over();
    let address = serve(layer).await;
    for (version, client) in clients() {
        let ws = client.connect(format!("ws://{address}/")).await.unwrap();
        let handler = handlers.recv().await.unwrap();
        ws.send("last words").await.unwrap();
        ws.close_with(CloseCode::UNSUPPORTED_DATA, "bye").await.unwrap();
        assert_eq!(handler.recv().await.unwrap(), Some(Message::text("last words")));
        assert_eq!(handler.recv().await.unwrap(), None);
        let frame = handler.done().await.unwrap();
        assert_eq!((frame.code(), frame.reason()), (CloseCode::UNSUPPORTED_DATA, "bye"), "{version:?}");

        let ws = client.connect(format!("ws://{address}/")).await.unwrap();
        let handler = handlers.recv().await.unwrap();
        handler.send("last words").await.unwrap();
        handler.close_with(CloseCode::SERVICE_RESTART, "bye").await.unwrap();
        assert_eq!(ws.recv().await.unwrap(), Some(Message::text("last words")));
        assert_eq!(ws.recv().await.unwrap(), None);
        let frame = ws.done().await.unwrap();
        assert_eq!((frame.code(), frame.reason()), (CloseCode::SERVICE_RESTART, "bye"), "{version:?}");

        let ws = client.connect(format!("ws://{address}/")).await.unwrap();
        let handler = handlers.recv().await.unwrap();
        drop(ws);
        assert_eq!(handler.done().await.unwrap().code(), CloseCode::NORMAL, "{version:?}");
    }
}

#[tokio::test]
async fn a_shutdown_closes_clients_of_both_versions() {
    let shutdown = Shutdown::new();
    let address = serve(WebSocketLayer::new(echo).shutdown(&shutdown)).await;
    let mut sockets = Vec::new();
    for (_, client) in clients() {
        for number in 0..5 {
            let ws = client.connect(format!("ws://{address}/")).await.unwrap();
            ws.send(format!("{number}")).await.unwrap();
            sockets.push(ws);
        }
    }
    assert_eq!(shutdown.connections(), 10);
    assert_eq!(shutdown.close_all(CloseCode::GOING_AWAY, "restarting", Duration::from_secs(5)).await, 0);
    for ws in sockets {
        let frame = ws.done().await.unwrap();
        assert_eq!((frame.code(), frame.reason()), (CloseCode::GOING_AWAY, "restarting"));
    }
    for (version, client) in clients() {
        let error = client.connect(format!("ws://{address}/")).await.unwrap_err();
        assert_eq!(error.response().unwrap().status(), 503, "{version:?}");
    }
}

#[tokio::test]
async fn a_server_that_vanishes_is_a_disconnection() {
    for (version, client) in clients() {
        let (near, mut middle) = duplex(1024);
        let (mut other_middle, far) = duplex(1024);
        let bridge = tokio::spawn(async move { copy_bidirectional(&mut middle, &mut other_middle).await });
        tokio::spawn(serve_stream(far, WebSocketLayer::new(echo).into_service()));
        let ws = client.connect_over(near, "ws://h/").await.unwrap();
        ws.send("there?").await.unwrap();
        assert_eq!(ws.recv().await.unwrap(), Some(Message::text("there?")));
        bridge.abort();
        assert_eq!(ws.recv().await.unwrap_err().kind(), ErrorKind::Disconnected, "{version:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_client_keeps_the_connection_alive_and_notices_silence() {
    for (version, client) in clients() {
        let (near, mut middle) = duplex(1024);
        let (mut other_middle, far) = duplex(1024);
        let bridge = tokio::spawn(async move { copy_bidirectional(&mut middle, &mut other_middle).await });
        let upgrader = quiet();
        tokio::spawn(serve_stream(far, WebSocketLayer::new(echo).upgrader(upgrader).into_service()));
        let ws = client.connect_over(near, "ws://h/").await.unwrap();
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert!(ws.end().is_none() && ws.round_trip().is_some(), "{version:?}");
        drop(bridge);
    }
    let (near, _far) = duplex(1024);
    let ws = Manager::from_upgraded(near, Role::Client, &WebSocketConfig::new());
    assert_eq!(ws.recv().await.unwrap_err().kind(), ErrorKind::KeepaliveTimeout);
}

#[tokio::test(start_paused = true)]
async fn the_transport_ends_with_the_websocket() {
    for (version, client) in clients() {
        let (near, far) = duplex(1024);
        let server = tokio::spawn(serve_stream(far, WebSocketLayer::new(echo).into_service()));
        let ws = client.connect_over(near, "ws://h/").await.unwrap();
        let start = Instant::now();
        ws.close().await.unwrap();
        server.await.unwrap();
        assert_eq!(start.elapsed(), Duration::ZERO, "{version:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_transport_ends_with_the_attempt() {
    for (version, client) in clients() {
        let (near, mut far) = duplex(1024);
        let mut request = Vec::new();
        let connect = timeout(Duration::from_secs(1), client.connect_over(near, "ws://h/"));
        let (attempt, read) = tokio::join!(connect, far.read_to_end(&mut request));
        assert!(attempt.is_err() && read.is_ok() && !request.is_empty(), "{version:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_transport_ends_when_the_server_accepts_no_data() {
    for (version, client) in clients() {
        let (layer, mut handlers) = handed_over();
        let upgrader = quiet();
        let (near, far) = duplex(1024);
        let mut server = tokio::spawn(serve_stream(far, layer.upgrader(upgrader).into_service()));
        let client = client.keepalive(Keepalive::disabled()).without_compression();
        let ws = client.connect_over(near, "ws://h/").await.unwrap();
        let handler = handlers.recv().await.unwrap();
        let start = Instant::now();
        let error = loop {
            if let Err(error) = ws.send(vec![0; 16 * 1024]).await {
                break error;
            }
        };
        assert_eq!((error.kind(), start.elapsed().as_secs()), (ErrorKind::WriteTimeout, 10), "{version:?}");
        if version == Version::HTTP_2 {
            timeout(Duration::from_secs(2), &mut server).await.unwrap().unwrap();
        }
        while handler.recv().await.is_ok_and(|message| message.is_some()) {}
        assert_eq!(handler.done().await.unwrap_err().kind(), ErrorKind::Disconnected, "{version:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_answers_a_close_frame_that_is_followed_by_something() {
    let (near, mut far) = tokio::io::duplex(1024);
    let ws = Manager::from_upgraded(near, Role::Client, &WebSocketConfig::new());
    // A close frame with 1000, then a ping and a text.
    far.write_all(b"\x88\x02\x03\xe8\x89\x01x\x81\x01y").await.unwrap();
    let mut header = [0; 6];
    far.read_exact(&mut header).await.unwrap();
    assert_eq!(header[..2], [0x88, 0x82]);
    assert_eq!(ws.recv().await.unwrap(), None);
}
