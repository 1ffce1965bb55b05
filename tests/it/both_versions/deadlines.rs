//! What a handler may ask of its connection without waiting: sending, its identity, and a deadline.

use std::collections::HashSet;

use tokio::time::{Instant, timeout};
use tower_websocket::{CloseCode, CloseFrame, Error, ErrorKind, Limits, Message};

use super::support::{BIG, close, kind, open, open_over, quiet, secs, tap, text};

#[tokio::test(start_paused = true)]
async fn a_message_for_which_there_is_no_capacity_comes_back() {
    let (peer, transport, _) = tap(1024);
    let settings = quiet().limits(Limits::default().max_write_buffer_size(1000));
    let (ws, mut peer) = open_over(settings, "", peer, transport).await;
    ws.try_send(vec![0; BIG]).unwrap();
    let error = ws.try_send("later").unwrap_err();
    assert!(error.is_full() && !ws.is_closed());
    assert_eq!(kind(Err::<(), _>(Error::from(error.clone()))), ErrorKind::WriteTimeout);
    assert_eq!(error.into_message(), Message::text("later"));
    assert_eq!(peer.recv().await.unwrap().payload.len(), BIG);
    peer.settle().await;
    ws.try_send("now").unwrap();
    peer.expect(text("now")).await;
    peer.send(close(4000, "")).await;
    ws.done().await.unwrap();
    let error = ws.try_send("too late").unwrap_err();
    assert!(!error.is_full() && ws.is_closed());
    assert_eq!(kind(Err::<(), _>(Error::from(error))), ErrorKind::Closed);
}

#[tokio::test(start_paused = true)]
async fn all_handles_of_a_connection_are_equal_and_those_of_others_are_not() {
    let (first, _peer) = open(quiet()).await;
    let (second, _other_peer) = open(quiet()).await;
    assert!(first == first.clone() && first != second);
    assert_eq!(HashSet::from([first.id(), first.clone().id(), second.id()]).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_closes_with_its_frame_and_can_be_renewed() {
    let (ws, mut peer) = open(quiet()).await;
    let start = Instant::now();
    let expired = || CloseFrame::new(CloseCode::POLICY_VIOLATION, "token expired");
    ws.set_deadline(start + secs(60), expired());
    tokio::time::sleep(secs(50)).await;
    ws.set_deadline(start + secs(120), expired());
    assert_eq!(peer.expect_close(1008).await, "token expired");
    assert_eq!(start.elapsed().as_secs(), 120);
    peer.send(close(1008, "")).await;
    assert_eq!(ws.done().await.unwrap(), expired());
}

#[tokio::test(start_paused = true)]
async fn a_deadline_can_be_earlier_than_before_or_taken_away() {
    let (ws, mut peer) = open(quiet()).await;
    let start = Instant::now();
    ws.set_deadline(start + secs(3600), CloseFrame::new(CloseCode::NORMAL, ""));
    tokio::time::sleep(secs(1)).await;
    ws.set_deadline(start + secs(10), CloseFrame::new(CloseCode::NORMAL, ""));
    tokio::time::sleep(secs(1)).await;
    ws.clear_deadline();
    assert!(timeout(secs(7200), ws.done()).await.is_err());
    ws.set_deadline(start + secs(7300), CloseFrame::new(CloseCode::GOING_AWAY, ""));
    peer.expect_close(1001).await;
    assert_eq!(start.elapsed().as_secs(), 7300);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_has_passed_closes_at_once() {
    let (ws, mut peer) = open(quiet()).await;
    tokio::time::sleep(secs(60)).await;
    let now = Instant::now();
    ws.send("before").await.unwrap();
    ws.set_deadline(now - secs(30), CloseFrame::new(CloseCode::POLICY_VIOLATION, "token expired"));
    peer.expect(text("before")).await;
    peer.expect_close(1008).await;
    assert_eq!(now.elapsed().as_secs(), 0);
}
