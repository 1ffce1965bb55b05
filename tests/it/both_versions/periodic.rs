//! Periodic updates.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::time::Instant;
use tower_websocket::{Error, ErrorKind, WebSocketLayer};

use super::support::{BIG, close, kind, open, open_over, quiet, secs, serve, tap, text};

/// 0, 0, 0, 1, 1, 1, ..
fn steps() -> impl FnMut() -> std::future::Ready<Result<u32, Error>> + Send {
    let mut calls = 0;
    move || {
        calls += 1;
        std::future::ready(Ok((calls - 1) / 3))
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_value_comes_at_once_and_later_ones_when_they_changed() {
    let (ws, mut peer) = open(quiet()).await;
    let start = Instant::now();
    tokio::spawn(async move { ws.periodic_write(secs(5), steps()).await });
    for (value, second) in [("0", 0), ("1", 15), ("2", 30)] {
        peer.expect(text(value)).await;
        assert_eq!(start.elapsed().as_secs(), second);
    }
}

#[tokio::test(start_paused = true)]
async fn ticks_that_a_slow_source_has_missed_are_not_made_up_for() {
    let (ws, mut peer) = open(quiet()).await;
    let start = Instant::now();
    let mut calls = 0;
    let get = move || {
        calls += 1;
        async move {
            tokio::time::sleep(secs(if calls == 1 { 10 } else { 0 })).await;
            Ok::<_, Error>(start.elapsed().as_secs())
        }
    };
    tokio::spawn(async move { ws.periodic_write(secs(3), get).without_dedup().await });
    // The first value, one at once, and then one for each interval.
    for second in ["10", "10", "13", "16"] {
        peer.expect(text(second)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn no_value_is_fetched_while_the_last_one_is_not_written() {
    let (peer, transport, _) = tap(1024);
    let (ws, mut peer) = open_over(quiet(), "", peer, transport).await;
    let calls = Arc::new(AtomicU32::new(0));
    let counted = calls.clone();
    // Too large for what lies between the two, and small enough for the outgoing buffer.
    let get = move || std::future::ready(Ok::<_, Error>((counted.fetch_add(1, Ordering::Relaxed), "x".repeat(BIG))));
    tokio::spawn(async move { ws.periodic_write(secs(1), get).await });
    tokio::time::sleep(secs(5)).await;
    assert_eq!(calls.load(Ordering::Relaxed), 1);
    for number in 0..2 {
        peer.expect(text(format!("[{number},\"{}\"]", "x".repeat(BIG)))).await;
    }
}

#[tokio::test(start_paused = true)]
async fn values_are_compared_as_asked() {
    let (ws, mut peer) = open(quiet()).await;
    tokio::spawn(async move { ws.periodic_write(secs(1), steps()).without_dedup().await });
    for value in ["0", "0", "0", "1"] {
        peer.expect(text(value)).await;
    }
    let (ws, mut peer) = open(quiet()).await;
    tokio::spawn(async move { ws.periodic_write(secs(1), steps()).dedup_by_key(|value| value / 2).await });
    for value in ["0", "2", "4"] {
        peer.expect(text(value)).await;
    }
    let (ws, mut peer) = open(quiet()).await;
    tokio::spawn(async move { ws.periodic_write(secs(1), steps()).dedup_by(|last, value| value - last < 3).await });
    for value in ["0", "3", "6"] {
        peer.expect(text(value)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_of_get_ends_it() {
    let (ws, mut peer) = open(quiet()).await;
    let mut calls = 0;
    let get = move || {
        calls += 1;
        std::future::ready(if calls < 3 { Ok(calls) } else { Err("out of values") })
    };
    let result = ws.periodic_write(secs(1), get).await;
    assert_eq!(std::error::Error::source(result.as_ref().unwrap_err()).unwrap().to_string(), "out of values");
    assert_eq!(kind(result), ErrorKind::Source);
    peer.expect(text("1")).await;
    peer.expect(text("2")).await;
    assert!(ws.end().is_none());
}

#[tokio::test(start_paused = true)]
async fn it_ends_well_when_the_peer_leaves() {
    for polite in [true, false] {
        let (ws, mut peer) = open(quiet()).await;
        let updates = tokio::spawn(async move { ws.periodic_write(secs(100), steps()).await });
        peer.expect(text("0")).await;
        if polite {
            peer.send(close(1001, "")).await;
        } else {
            drop(peer);
        }
        let start = Instant::now();
        updates.await.unwrap().unwrap();
        assert!(start.elapsed() < secs(1));
    }
}

#[tokio::test(start_paused = true)]
async fn it_reports_a_connection_that_failed_otherwise() {
    let (ws, mut peer) = open(quiet()).await;
    let updates = tokio::spawn(async move { ws.periodic_write(secs(100), steps()).await });
    peer.expect(text("0")).await;
    peer.send(text("x").rsv(0x40)).await;
    assert_eq!(kind(updates.await.unwrap()), ErrorKind::Protocol);
}

#[tokio::test(start_paused = true)]
async fn the_layers_form_passes_over_what_the_peer_sends() {
    let number = Arc::new(AtomicU32::new(0));
    let layer = WebSocketLayer::periodic(secs(1), move || {
        let number = number.fetch_add(1, Ordering::Relaxed);
        async move { Ok::<_, Error>(number) }
    });
    let mut peer = serve(layer.upgrader(quiet()).into_service());
    peer.handshake("").await;
    for number in 0..20 {
        peer.expect(text(number.to_string())).await;
        peer.send_all([text("a"), text("b"), text("c")]).await;
    }
    peer.send(close(1000, "")).await;
    peer.expect_close(1000).await;
    peer.expect_end().await;
}

#[test]
#[should_panic(expected = "longer than zero")]
fn an_interval_of_zero_is_refused_where_it_is_given() {
    let _ = WebSocketLayer::periodic(std::time::Duration::ZERO, || std::future::ready(Ok::<_, Error>(0)));
}
