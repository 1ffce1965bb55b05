//! All connections' end.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use tokio::sync::Notify;
use tokio::time::Instant;
use tower::service_fn;
use tower_websocket::{CloseCode, Manager, Shutdown, WebSocketLayer};

use super::support::{Peer, close, millis, pong, quiet, secs, serve, status};

/// A connection that was accepted, and begins once it is told to. Its handler is not to run behind the deadline.
async fn accepted(shutdown: &Shutdown) -> (Peer, Arc<Notify>) {
    let begin = Arc::new(Notify::new());
    let (upgrader, told) = (quiet().shutdown(shutdown), begin.clone());
    let mut peer = serve(service_fn(move |mut request: Request<Incoming>| {
        let (response, upgrade) = upgrader.upgrade::<_, String>(&mut request).unwrap();
        let told = told.clone();
        tokio::spawn(async move {
            told.notified().await;
            upgrade.run(|ws: Manager| async move { ws.done().await.map(drop) }).await;
        });
        async { Ok::<_, Infallible>(response) }
    }));
    peer.handshake("").await;
    assert_eq!(shutdown.connections(), 1);
    (peer, begin)
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_begins_while_all_are_closed_is_closed_too() {
    let shutdown = Shutdown::new();
    let (mut peer, begin) = accepted(&shutdown).await;
    let closing = tokio::spawn({
        let shutdown = shutdown.clone();
        async move { shutdown.close_all(CloseCode::GOING_AWAY, "restarting", secs(10)).await }
    });
    tokio::time::sleep(secs(1)).await;
    begin.notify_one();
    assert_eq!(peer.expect_close(1001).await, "restarting");
    peer.send(close(1001, "")).await;
    peer.expect_end().await;
    assert_eq!(closing.await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_begins_after_the_deadline_ends_at_once() {
    let shutdown = Shutdown::new();
    let (mut peer, begin) = accepted(&shutdown).await;
    assert_eq!(shutdown.close_all(CloseCode::GOING_AWAY, "", secs(10)).await, 1);
    let start = Instant::now();
    begin.notify_one();
    // Without a close frame.
    assert!(peer.recv().await.is_none());
    assert_eq!((shutdown.connections(), start.elapsed()), (0, Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn every_connection_gets_1001_and_new_handshakes_get_503() {
    let shutdown = Shutdown::new();
    let layer = WebSocketLayer::new(|ws: Manager| async move { while let Ok(Some(_)) = ws.recv().await {} });
    let service = layer.shutdown(&shutdown).into_service();
    let mut peers = Vec::new();
    for _ in 0..5 {
        let mut peer = serve(service.clone());
        peer.handshake("").await;
        peers.push(peer);
    }
    assert_eq!(shutdown.connections(), 5);
    let closing = tokio::spawn({
        let shutdown = shutdown.clone();
        async move { shutdown.close_all(CloseCode::GOING_AWAY, "restarting", secs(10)).await }
    });
    tokio::time::sleep(millis(1)).await;
    assert!(shutdown.is_closing());
    let head = serve(service).try_handshake("localhost", "/ws", "").await;
    assert!(status(&head) == 503 && head.contains("retry-after: "), "{head}");
    for peer in &mut peers {
        assert_eq!(peer.expect_close(1001).await, "restarting");
        peer.send(close(1001, "")).await;
        peer.expect_end().await;
    }
    drop(peers);
    assert_eq!(closing.await.unwrap(), 0);
    assert_eq!(shutdown.connections(), 0);
}

#[tokio::test(start_paused = true)]
async fn handlers_are_awaited_and_stuck_ones_dropped_at_the_deadline_and_counted() {
    struct Dropped(Arc<AtomicUsize>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    let shutdown = Shutdown::new();
    let (finished, dropped) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let layer = WebSocketLayer::new({
        let (finished, dropped) = (finished.clone(), dropped.clone());
        move |ws: Manager| {
            let (finished, dropped) = (finished.clone(), Dropped(dropped.clone()));
            async move {
                let _dropped = dropped;
                let time = if ws.request().uri.query() == Some("stuck") { 1000 } else { 7 };
                let _ = ws.done().await;
                tokio::time::sleep(secs(time)).await;
                finished.fetch_add(1, Ordering::Relaxed);
            }
        }
    });
    let service = layer.shutdown(&shutdown).into_service();
    let mut peers = Vec::new();
    for query in ["", "?stuck", "?stuck"] {
        let mut peer = serve(service.clone());
        peer.try_handshake("localhost", &format!("/ws{query}"), "").await;
        peers.push(peer);
    }
    for peer in &mut peers {
        peer.send(close(1000, "")).await;
    }
    let start = Instant::now();
    assert_eq!(shutdown.close_all(CloseCode::SERVICE_RESTART, "", secs(10)).await, 2);
    assert_eq!(start.elapsed().as_secs(), 10);
    assert_eq!((finished.load(Ordering::Relaxed), dropped.load(Ordering::Relaxed)), (1, 3));
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_without_connections_ends_at_once() {
    let start = Instant::now();
    assert_eq!(Shutdown::new().close_all(CloseCode::GOING_AWAY, "", secs(10)).await, 0);
    assert!(start.elapsed() < secs(1));
}

#[tokio::test(start_paused = true)]
async fn close_frames_are_spread_over_the_jitter() {
    for (deadline, most) in [(100, 20), (10, 5)] {
        let shutdown = Shutdown::new().jitter(secs(20));
        let times = close_times(shutdown, 40, secs(deadline)).await;
        let (first, last) = (*times.iter().min().unwrap(), *times.iter().max().unwrap());
        assert!(last <= secs(most) + millis(100), "{last:?}");
        // Of 40, that all fall into one half is as good as impossible.
        assert!(last - first > secs(most) / 2, "{first:?} to {last:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn connections_are_closed_in_batches() {
    for (every, deadline, expected) in [(2, 100, [0, 2, 4, 6]), (2, 6, [0, 1, 2, 3])] {
        let shutdown = Shutdown::new().batch(3, secs(every));
        let mut times = close_times(shutdown, 10, secs(deadline)).await;
        times.sort_unstable();
        for (number, time) in times.iter().enumerate() {
            let due = secs(expected[number / 3]);
            assert!(*time >= due && *time < due + millis(100), "{number}: {times:?}");
        }
    }
}

/// Opens so many connections, shuts down, and returns when each of them was told.
async fn close_times(shutdown: Shutdown, connections: usize, deadline: Duration) -> Vec<Duration> {
    let layer = WebSocketLayer::new(|ws: Manager| async move { ws.done().await.map(drop) }).shutdown(&shutdown);
    let service = layer.into_service();
    let start = Instant::now();
    let mut ends = Vec::new();
    for _ in 0..connections {
        let mut peer = serve(service.clone());
        peer.handshake("").await;
        ends.push(tokio::spawn(async move {
            loop {
                let frame = peer.recv().await.unwrap();
                if frame.first == 0x88 {
                    let time = start.elapsed();
                    peer.send(close(1001, "")).await;
                    return time;
                }
                // A ping.
                peer.send(pong(frame.payload)).await;
            }
        }));
    }
    assert_eq!(shutdown.close_all(CloseCode::GOING_AWAY, "", deadline).await, 0);
    let mut times = Vec::new();
    for end in ends {
        times.push(end.await.unwrap());
    }
    times
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_that_is_dropped_closes_at_once() {
    let shutdown = Shutdown::new().jitter(secs(1000)).batch(1, secs(1000));
    let layer = WebSocketLayer::new(|ws: Manager| async move { ws.done().await.map(drop) }).shutdown(&shutdown);
    let mut peer = serve(layer.into_service());
    peer.handshake("").await;
    let start = Instant::now();
    let closing = shutdown.close_all(CloseCode::GOING_AWAY, "", secs(10_000));
    assert!(tokio::time::timeout(millis(1), closing).await.is_err());
    peer.expect_close(1001).await;
    assert!(start.elapsed() < secs(1));
}
