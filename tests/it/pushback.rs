//! How the transport pushes back when there is little room in it. HTTP/2 has windows of its own: see `http2`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use std::time::Duration;

use tokio::time::{Instant, timeout};
use tower_websocket::{Error, ErrorKind, Keepalive, Limits, Manager, Role, Upgrader, WebSocketConfig};

use crate::shared::quiet;
use crate::support::{binary, close, kind, millis, open_over, secs, tap, text};

#[tokio::test(start_paused = true)]
async fn one_unread_message_fills_the_limit_and_then_tcp_pushes_back() {
    let (peer, transport, _) = tap(1024);
    let (ws, mut peer) = open_over(quiet().limits(Limits::default().incoming(1)), "", peer, transport).await;
    let frame = binary([7; 100]).masked();
    let mut sent = 0;
    while timeout(secs(1), peer.try_send_raw(&frame)).await.is_ok() {
        sent += 1;
        assert!(sent < 100, "nothing pushes back");
    }
    // The transport's 1024 bytes, one message, and what was read behind it before reading stopped.
    assert!((10..30).contains(&sent), "{sent}");
    peer.settle().await;
    assert_eq!(ws.stats().messages_received, 1);
    for _ in 0..sent {
        assert_eq!(ws.recv().await.unwrap().unwrap().len(), 100);
    }
}

#[tokio::test(start_paused = true)]
async fn ticks_do_not_pile_up_while_the_peer_is_slow() {
    let (peer, transport, _) = tap(1024);
    let (ws, mut peer) = open_over(quiet(), "", peer, transport).await;
    let calls = Arc::new(AtomicU32::new(0));
    let get = {
        let calls = calls.clone();
        move || {
            let number = calls.fetch_add(1, Ordering::Relaxed);
            std::future::ready(Ok::<_, Error>(format!("{number}{}", "x".repeat(3000))))
        }
    };
    tokio::spawn(async move { ws.periodic_write(secs(1), get).await });
    tokio::time::sleep(secs(8) - millis(10)).await;
    assert_eq!(calls.load(Ordering::Relaxed), 1);
    assert!(peer.recv().await.unwrap().payload.starts_with(b"\"0x"));
    peer.settle().await;
    assert!(calls.load(Ordering::Relaxed) <= 2);
    let start = Instant::now();
    assert!(peer.recv().await.unwrap().payload.starts_with(b"\"1x"));
    assert!(peer.recv().await.unwrap().payload.starts_with(b"\"2x"));
    assert!(start.elapsed() >= millis(900), "missed ticks are not made up for");
}

#[tokio::test(start_paused = true)]
async fn a_peer_whose_data_is_never_flushed_is_found_out_in_10_seconds() {
    let (peer, transport, knobs) = tap(1024);
    let (ws, _peer) = open_over(quiet(), "", peer, transport).await;
    knobs.flush_stuck();
    let start = Instant::now();
    ws.send("stays in the buffer of TLS").await.unwrap();
    let end = timeout(secs(60), ws.done()).await.expect("it is found out");
    assert_eq!(kind(end), ErrorKind::WriteTimeout);
    assert_eq!(start.elapsed().as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn text_heartbeats_stay_within_the_outgoing_buffer() {
    let (peer, transport, _) = tap(1024);
    let upgrader = Upgrader::new().keepalive(Keepalive::disabled().text_heartbeat());
    let (_ws, mut peer) = open_over(upgrader, "", peer, transport).await;
    // The peer does not read: a pong for each would take 120 kB.
    let pings = text("ping").masked().repeat(1000);
    for _ in 0..20 {
        peer.send_raw(&pings).await;
    }
    peer.send(close(1000, "")).await;
    let received = peer.read_to_end().await;
    assert!((50_000..80_000).contains(&received), "{received}");
}

#[tokio::test(start_paused = true)]
async fn what_a_transport_still_holds_back_is_not_written() {
    let (near, _peer_that_does_not_read) = tokio::io::duplex(16);
    let ws = Manager::from_upgraded(tokio::io::BufStream::new(near), Role::Server, &WebSocketConfig::new());
    let error = ws.write_data(vec![0; 100], Duration::from_secs(1)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WriteTimeout);
}
