//! Messages in both directions.

use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join;
use http::Request;
use tokio::io::{AsyncWriteExt, duplex};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout};
use tower::service_fn;
use tower_websocket::{EmptyBody, Error, ErrorKind, Limits, Manager, Message, Role, Upgrader, WebSocketLayer, testing};

use super::support::{echo, quiet};

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
        let (response, upgrade) = Upgrader::new().upgrade::<EmptyBody, EmptyBody>(&mut request).unwrap();
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

#[tokio::test(start_paused = true)]
async fn a_flood_of_messages_lets_other_tasks_run() {
    let polls = Arc::new(AtomicUsize::new(0));
    let longest = Arc::new(AtomicUsize::new(0));
    let handler = {
        let (polls, longest) = (polls.clone(), longest.clone());
        move |ws: Manager| {
            let (polls, longest) = (polls.clone(), longest.clone());
            async move {
                let (mut poll, mut messages) = (0, 0);
                while ws.recv().await?.is_some() {
                    let now = polls.load(Ordering::Relaxed);
                    messages = if poll == now { messages + 1 } else { 1 };
                    poll = now;
                    longest.fetch_max(messages, Ordering::Relaxed);
                }
                Ok::<_, Error>(())
            }
        }
    };
    tokio::spawn(async move {
        loop {
            polls.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
        }
    });
    let ws = testing::TestClient::new(WebSocketLayer::new(handler).into_service()).connect("/").await.unwrap();
    for _ in 0..50_000 {
        ws.send("").await.unwrap();
    }
    ws.close().await.unwrap();
    // A poll has a budget of 1024, and the connection may be polled twice; a read of 64 KiB holds 10,923.
    let longest = longest.load(Ordering::Relaxed);
    assert!((100..=2048).contains(&longest), "{longest} messages between two polls of another task");
}

/// A connection whose peer sends unsolicited pongs, so many that its task does not sleep. The flag says whether all
/// are sent.
fn flooded(settings: &Upgrader) -> (Manager, Arc<AtomicBool>) {
    let (near, mut far) = duplex(1024 * 1024);
    let ws = Manager::from_upgraded(near, Role::Server, settings.get_config());
    let over = Arc::new(AtomicBool::new(false));
    tokio::spawn({
        let over = over.clone();
        async move {
            let pongs = [0x8a, 0x80, 1, 2, 3, 4].repeat(100_000);
            for _ in 0..20 {
                // It fails when the connection ends before it.
                let _ = far.write_all(&pongs).await;
            }
            over.store(true, Ordering::Relaxed);
            pending::<()>().await;
            drop(far);
        }
    });
    (ws, over)
}

async fn polls() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

/// The transport has it, and only the end of a poll shows it: with a flood of frames, the task never sleeps.
#[tokio::test(start_paused = true)]
async fn what_was_written_is_known_in_a_flood_too() {
    let (ws, over) = flooded(&quiet());
    polls().await;
    ws.send(vec![0; 70_000]).await.unwrap();
    polls().await;
    ws.flush().await.unwrap();
    ws.send("there is room again").await.unwrap();
    assert!(!over.load(Ordering::Relaxed), "only the end of the flood has told");
}

#[tokio::test(start_paused = true)]
async fn what_is_due_is_done_in_a_flood_too() {
    let limits = Limits::default().max_lifetime(Duration::from_secs(2));
    let (ws, over) = flooded(&quiet().limits(limits));
    polls().await;
    assert!(ws.end().is_none());
    tokio::time::advance(Duration::from_secs(3)).await;
    assert!(!over.load(Ordering::Relaxed), "there is no flood any more");
    polls().await;
    assert_eq!(ws.end().unwrap().unwrap_err().kind(), ErrorKind::LifetimeExceeded);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_moves_to_another_task_keeps_its_time() {
    let service = service_fn(async |mut request: Request<_>| {
        let limits = Limits::default().max_lifetime(Duration::from_secs(2));
        let settings = quiet().limits(limits);
        let (response, upgrade) = settings.upgrade::<EmptyBody, EmptyBody>(&mut request).unwrap();
        tokio::spawn(async move {
            let mut connection = Box::pin(upgrade.run(echo));
            tokio::select! {
                () = &mut connection => panic!("it is too early"),
                () = sleep(Duration::from_millis(100)) => {}
            }
            tokio::spawn(connection);
        });
        Ok::<_, Infallible>(response)
    });
    let start = Instant::now();
    let ws = testing::TestClient::new(service).connect("/").await.unwrap();
    assert_eq!(timeout(Duration::from_secs(60), ws.recv()).await.unwrap().unwrap(), None);
    assert_eq!(start.elapsed().as_secs(), 2);
}
