//! Messages between our client and our server.

use std::time::Duration;

use tokio::io::duplex;
use tokio::net::UnixStream;
use tower_websocket::{CloseCode, Keepalive, Limits, Manager, Message, Role, Upgrader, WebSocketLayer};

use super::clients;
use crate::net::{handed_over, serve, serve_stream};
use crate::shared::{echo, quiet};

#[tokio::test]
async fn messages_come_back_over_both_versions() {
    let address = serve(WebSocketLayer::new(echo).path("/ws")).await;
    for (version, client) in clients() {
        let ws = client.connect(format!("ws://{address}/ws")).await.unwrap();
        for size in [0, 1, 1000, 100_000, 1_000_000] {
            let message = Message::binary((0..size).map(|at| (at * 7) as u8).collect::<Vec<_>>());
            ws.send(message.clone()).await.unwrap();
            assert_eq!(ws.recv().await.unwrap(), Some(message), "{version:?} {size}");
        }
        assert!(ws.ping().await.is_ok());
        ws.close().await.unwrap();
    }
}

#[tokio::test]
async fn compression_is_agreed_on_and_used() {
    let address = serve(WebSocketLayer::new(echo)).await;
    for (version, client) in clients() {
        for (client, is_compressed) in [(client.clone(), true), (client.without_compression(), false)] {
            let ws = client.connect(format!("ws://{address}/")).await.unwrap();
            let message = Message::text("compressible ".repeat(5000));
            ws.send(message.clone()).await.unwrap();
            assert_eq!(ws.recv().await.unwrap(), Some(message));
            let stats = ws.stats();
            assert_eq!(stats.wire_sent < stats.payload_sent / 10, is_compressed, "{version:?}: {stats:?}");
            assert_eq!(stats.wire_received < stats.payload_received / 10, is_compressed, "{version:?}: {stats:?}");
        }
    }
}

#[tokio::test]
async fn many_sockets_at_once() {
    let address = serve(WebSocketLayer::new(echo)).await;
    let mut tasks = tokio::task::JoinSet::new();
    for (_, client) in clients() {
        for number in 0..50 {
            let client = client.clone();
            tasks.spawn(async move {
                let ws = client.connect(format!("ws://{address}/")).await.unwrap();
                for round in 0..10 {
                    let message = Message::text(format!("{number} {round}"));
                    ws.send(message.clone()).await.unwrap();
                    assert_eq!(ws.recv().await.unwrap(), Some(message));
                }
                ws.close().await.unwrap();
            });
        }
    }
    tasks.join_all().await;
}

#[tokio::test]
async fn any_transport_can_carry_a_connection() {
    let (near, far) = UnixStream::pair().unwrap();
    let client = Manager::from_upgraded(near, Role::Client, Upgrader::new().get_config());
    let server = Manager::from_upgraded(far, Role::Server, Upgrader::new().get_config());
    let text = Message::text("plain ".repeat(100_000));
    let (sent, received) = tokio::join!(client.send(text.clone()), server.recv());
    sent.unwrap();
    assert_eq!(received.unwrap(), Some(text));
    assert!(client.stats().wire_sent > client.stats().payload_sent);
    drop(server);
    assert_eq!(client.recv().await.unwrap(), None);
    assert_eq!(client.done().await.unwrap().code(), CloseCode::NORMAL);
}

#[tokio::test(start_paused = true)]
async fn many_small_messages_can_wait_for_the_client() {
    for (version, client) in clients() {
        let (layer, mut handlers) = handed_over();
        let (near, far) = duplex(1024);
        let limits = Limits::default().write_timeout(Duration::from_secs(3600));
        let settings = quiet().limits(limits);
        tokio::spawn(serve_stream(far, layer.upgrader(settings).into_service()));
        let client = client.keepalive(Keepalive::disabled());
        let ws = client.connect_over(near, "ws://h/").await.unwrap();
        let handler = handlers.recv().await.unwrap();
        tokio::spawn(async move {
            for number in 0..10_000 {
                handler.send(format!("{number}")).await.unwrap();
                handler.flush().await.unwrap();
            }
        });
        tokio::time::sleep(Duration::from_secs(1)).await;
        for number in 0..10_000 {
            assert_eq!(ws.recv().await.unwrap(), Some(Message::text(format!("{number}"))), "{version:?}");
        }
    }
}
