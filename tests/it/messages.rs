//! Messages in both directions.

use tower_websocket::{Error, Manager, Message, Upgrader, WebSocketLayer, testing};

#[tokio::test(start_paused = true)]
async fn messages_come_in_order_each_once() {
    let (client, server) = testing::pair(Upgrader::new());
    for number in 0..1000 {
        client.send(format!("message {number}")).await.unwrap();
        if number % 10 == 9 {
            for number in number - 9..=number {
                assert_eq!(server.recv().await.unwrap(), Some(Message::text(format!("message {number}"))));
            }
        }
    }
    client.close().await.unwrap();
    assert_eq!(server.recv().await.unwrap(), None);
}

async fn echo(ws: Manager) -> Result<(), Error> {
    while let Some(message) = ws.recv().await? {
        ws.send(message).await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn messages_of_all_sizes_come_back_as_they_were() {
    let client = testing::TestClient::new(WebSocketLayer::new(echo).into_service());
    let ws = client.connect("/").await.unwrap();
    for size in [0, 1, 125, 126, 127, 1000, 16_383, 16_384, 65_535, 65_536, 70_000, 300_000, 1_048_576] {
        let bytes: Vec<u8> = (0..size).map(|at| (at * 7) as u8).collect();
        ws.send(bytes.clone()).await.unwrap();
        assert_eq!(ws.recv().await.unwrap(), Some(Message::binary(bytes)), "{size}");
        let text: String = "äöü€ ".chars().cycle().take(size / 2).collect();
        ws.send(text.clone()).await.unwrap();
        assert_eq!(ws.recv().await.unwrap(), Some(Message::text(text)), "{size}");
    }
    ws.close().await.unwrap();
}
