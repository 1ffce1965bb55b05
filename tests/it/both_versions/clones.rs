//! Handles of one connection as streams and sinks.

use futures_util::{SinkExt, StreamExt, stream};
use tower_websocket::{Error, ErrorKind, Message};

use super::support::{close, kind, open, quiet, text};

#[tokio::test(start_paused = true)]
async fn each_stream_returns_the_error_once_and_clones_of_an_ended_one_do_not() {
    let (mut ws, peer) = open(quiet()).await;
    let mut before = ws.clone();
    drop(peer);
    assert_eq!(kind(ws.next().await.unwrap()), ErrorKind::Disconnected);
    for _ in 0..2 {
        assert!(ws.next().await.is_none());
        let mut after = ws.clone();
        assert!(after.next().await.is_none());
        assert!(after.clone().next().await.is_none());
    }
    // It was at work when the connection failed, and is told so.
    assert_eq!(kind(before.next().await.unwrap()), ErrorKind::Disconnected);
    assert!(before.next().await.is_none());
    // Receiving repeats it for whoever asks.
    for _ in 0..2 {
        assert_eq!(kind(ws.recv().await), ErrorKind::Disconnected);
        assert_eq!(kind(ws.clone().recv().await), ErrorKind::Disconnected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_was_closed_ends_on_all_clones() {
    let (mut ws, mut peer) = open(quiet()).await;
    peer.send_all([text("last"), close(1000, "")]).await;
    assert_eq!(ws.next().await.unwrap().unwrap(), Message::text("last"));
    let mut clone = ws.clone();
    assert!(ws.next().await.is_none() && ws.next().await.is_none());
    assert!(clone.next().await.is_none() && ws.clone().next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_is_closed_closes_all_clones() {
    let (ws, mut peer) = open(quiet()).await;
    let other = ws.clone();
    let sending = tokio::spawn(async move { stream::iter([Ok::<_, Error>(Message::text("all"))]).forward(ws).await });
    peer.expect(text("all")).await;
    peer.expect_close(1000).await;
    assert_eq!(kind(other.send("late").await), ErrorKind::Closed);
    peer.send(close(1000, "")).await;
    sending.await.unwrap().unwrap();
    assert_eq!(other.recv().await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_is_flushed_or_dropped_closes_nothing() {
    let (ws, mut peer) = open(quiet()).await;
    let mut sink = ws.clone();
    SinkExt::send(&mut sink, Message::text("one")).await.unwrap();
    SinkExt::flush(&mut sink).await.unwrap();
    drop(sink);
    ws.send("two").await.unwrap();
    for part in ["one", "two"] {
        peer.expect(text(part)).await;
    }
}
