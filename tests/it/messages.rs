//! Messages in both directions.

use std::convert::Infallible;
use std::future::pending;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join;
use http::Request;
use http_body_util::Empty;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tower::service_fn;
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

/// All of these are polled by one task, with one waker: a wake-up for one is none for the others.
#[tokio::test(start_paused = true)]
async fn a_handle_in_the_task_of_its_connection_but_outside_of_the_handler_is_woken() {
    let service = service_fn(async |mut request: Request<_>| {
        let (response, upgrade) = Upgrader::new().upgrade::<Empty<Bytes>, Empty<Bytes>>(&mut request).unwrap();
        tokio::spawn(async move {
            let (escape, escaped) = oneshot::channel();
            // Polled before the connection each time, so that it sees what has arrived only if it is woken.
            let outside = async { echo(escaped.await.unwrap()).await };
            let connection = upgrade.run(async |ws: Manager| {
                escape.send(ws).unwrap();
                pending::<()>().await;
            });
            join(outside, connection).await
        });
        Ok::<_, Infallible>(response)
    });
    let ws = testing::TestClient::new(service).connect("/").await.unwrap();
    let start = Instant::now();
    for number in 0..10 {
        ws.send(format!("message {number}")).await.unwrap();
        assert_eq!(ws.recv().await.unwrap(), Some(Message::text(format!("message {number}"))));
    }
    // Not by the keepalive's timer.
    assert_eq!(start.elapsed(), Duration::ZERO);
}
