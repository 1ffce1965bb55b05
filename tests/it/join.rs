//! Two connections as one: `Manager::join`, frames that are passed on, and handlers that return them.

use std::time::Duration;

use tokio::time::timeout;
use tower_websocket::testing::{TestClient, pair};
use tower_websocket::{CloseCode, CloseFrame, Error, ErrorKind, Limits, Manager, Message, WebSocketLayer};

use super::support::{Frame, Peer, close, open, quiet, said};

/// A close frame with this payload.
fn frame(payload: &[u8]) -> Frame {
    Frame::new(0x88, payload)
}

/// A peer on each side, and the joining between them.
async fn joined() -> (Peer, Peer, tokio::task::JoinHandle<Result<CloseFrame, Error>>) {
    let (near, left) = open(quiet()).await;
    let (far, right) = open(quiet()).await;
    (left, right, tokio::spawn(async move { near.join(&far).await }))
}

#[tokio::test(start_paused = true)]
async fn messages_pass_in_both_directions_in_order() {
    let (left, near) = pair(quiet());
    let (right, far) = pair(quiet());
    let joining = tokio::spawn(async move { near.join(&far).await });
    for number in 0..100_u8 {
        left.send([number]).await.unwrap();
        right.send(format!("{number}")).await.unwrap();
    }
    for number in 0..100_u8 {
        assert_eq!(right.recv().await.unwrap(), Some(Message::from([number])));
        assert_eq!(left.recv().await.unwrap(), Some(Message::from(format!("{number}"))));
    }
    left.close_with(CloseCode::GOING_AWAY, "enough").await.unwrap();
    assert_eq!(said(right.done().await), (1001, "enough".to_owned()));
    assert_eq!(said(joining.await.unwrap()), (1001, "enough".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn what_was_sent_before_a_close_arrives_before_it() {
    let (left, near) = pair(quiet());
    let (right, far) = pair(quiet());
    for number in 0..50_u8 {
        left.send([number]).await.unwrap();
    }
    let closing = tokio::spawn(async move { left.close().await });
    let joining = tokio::spawn(async move { near.join(&far).await });
    for number in 0..50_u8 {
        assert_eq!(right.recv().await.unwrap(), Some(Message::from([number])));
    }
    assert_eq!(right.recv().await.unwrap(), None);
    closing.await.unwrap().unwrap();
    joining.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_close_frame_without_a_code_stays_without() {
    for payload in [&b""[..], b"\x03\xe9bye", b"\x0f\xa1"] {
        let (mut left, mut right, joining) = joined().await;
        left.send(frame(payload)).await;
        right.expect(frame(payload)).await;
        right.send(frame(payload)).await;
        left.expect(frame(payload)).await;
        let frame = joining.await.unwrap().unwrap();
        assert_eq!(frame.code() == CloseCode::NO_STATUS, payload.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_side_that_ends_without_a_close_frame_becomes_1014() {
    let (left, mut right, joining) = joined().await;
    drop(left);
    right.expect(close(1014, "")).await;
    right.send(close(1014, "")).await;
    assert_eq!(joining.await.unwrap().unwrap_err().kind(), ErrorKind::Disconnected);
}

#[tokio::test(start_paused = true)]
async fn a_side_that_does_not_read_holds_the_other_up() {
    let small = quiet().limits(Limits::default().max_write_buffer_size(1024).write_timeout(Duration::from_secs(3600)));
    let (left, near) = pair(small.clone().without_compression());
    let (_right, far) = pair(small.without_compression());
    let _joining = tokio::spawn(async move { near.join(&far).await });
    let mut sent = 0_usize;
    let flood = async {
        loop {
            left.send(vec![0; 1024]).await.unwrap();
            sent += 1024;
        }
    };
    timeout(Duration::from_secs(5), flood).await.unwrap_err();
    // Two transports of 64 KiB, a write buffer and a message on each of the four ends; not more.
    assert!(sent < 512 * 1024, "{sent}");
}

#[tokio::test(start_paused = true)]
async fn a_joining_that_is_dropped_leaves_both_open() {
    let (left, near) = pair(quiet());
    let (right, far) = pair(quiet());
    let both = (near.clone(), far.clone());
    timeout(Duration::from_secs(1), near.join(&far)).await.unwrap_err();
    left.send("still").await.unwrap();
    assert_eq!(both.0.recv().await.unwrap(), Some(Message::text("still")));
    both.1.send("open").await.unwrap();
    assert_eq!(right.recv().await.unwrap(), Some(Message::text("open")));
}

#[tokio::test(start_paused = true)]
async fn a_handler_returns_the_frame_to_close_with() {
    let layer = WebSocketLayer::new(|ws: Manager| async move {
        match ws.recv().await? {
            Some(message) => {
                Ok(CloseFrame::new(CloseCode::POLICY_VIOLATION, message.as_text().unwrap_or_default().to_owned()))
            }
            None => Err(Error::from(CloseFrame::from(CloseCode::INTERNAL_ERROR))),
        }
    });
    let ws = TestClient::new(layer.into_service()).connect("/").await.unwrap();
    ws.send("no").await.unwrap();
    assert_eq!(said(ws.done().await), (1008, "no".to_owned()));

    let layer = WebSocketLayer::new(|_: Manager| async { CloseFrame::without_code() });
    let ws = TestClient::new(layer.into_service()).connect("/").await.unwrap();
    assert_eq!(said(ws.done().await), (1005, String::new()));
}

#[tokio::test(start_paused = true)]
async fn a_frame_closes_as_it_is() {
    let (ws, mut peer) = open(quiet()).await;
    let closing = tokio::spawn(async move { ws.close_frame(CloseFrame::without_code()).await });
    peer.expect(frame(b"")).await;
    peer.send(frame(b"")).await;
    closing.await.unwrap().unwrap();
}
