//! What works with any features, and without all of them.

#[path = "support/echo.rs"]
mod echo;

use tower_websocket::testing::{TestClient, pair};
use tower_websocket::{Message, Upgrader, WebSocketLayer};

use echo::echo;

#[tokio::test]
async fn messages_are_echoed_and_compressed_only_with_the_feature() {
    let client = TestClient::new(WebSocketLayer::new(echo).into_service());
    for client in [client.clone(), client.http2()] {
        let ws = client.connect("/").await.expect("the handshake is accepted");
        assert_eq!(ws.is_compressed(), cfg!(feature = "deflate"));
        for message in [Message::text("hello ".repeat(1000)), Message::binary(vec![7; 100_000])] {
            ws.send(&message).await.expect("it is open");
            assert_eq!(ws.recv().await.expect("it is open"), Some(message));
        }
        assert_eq!(ws.stats().wire_sent < 20_000, cfg!(feature = "deflate"));
        ws.close().await.expect("it closes");
    }
}

#[tokio::test]
async fn lines_become_messages() {
    let (client, server) = pair(Upgrader::new());
    assert_eq!(client.copy_text_lines(&b"one\ntwo\n"[..]).await.expect("it is open"), 2);
    for line in ["one", "two"] {
        assert_eq!(server.recv().await.expect("it is open"), Some(Message::text(line)));
    }
}
