//! The budget counts the fragments of compressed messages, and what they inflate to.

use tower_websocket::{Budget, ErrorKind, Limits};

use super::support::{DEFLATE, Frame, continuation, deflate, kind, open_with, quiet, secs};

/// A compressed message in three frames.
fn fragments(message: &[u8]) -> [Frame; 3] {
    let data = deflate(message);
    let (first, rest) = data.split_at(data.len() / 3);
    let (second, third) = rest.split_at(rest.len() / 2);
    [Frame::new(0x82, first).more().compressed(), continuation(second).more(), continuation(third)]
}

#[tokio::test(start_paused = true)]
async fn fragments_are_charged_and_given_back() {
    let budget = Budget::new(4 << 20);
    let limits = Limits::default().budget(budget.clone());
    let (ws, mut peer) = open_with(quiet().limits(limits), DEFLATE).await;
    // What does not compress.
    let noise: Vec<u8> = std::iter::repeat_with(rand::random).take(900_000).collect();
    let [first, second, third] = fragments(&noise);
    assert!(first.payload.len() + second.payload.len() > 300_000);
    peer.send(first).await;
    peer.send(second).await;
    peer.settle().await;
    assert!(budget.used() > 200_000, "{}", budget.used());
    peer.send(third).await;
    assert_eq!(ws.recv().await.unwrap().unwrap().as_bytes(), noise);
    peer.settle().await;
    assert_eq!(budget.used(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_fragments_inflate_to_counts() {
    let limits = Limits::default().budget(Budget::new(500_000));
    let (ws, mut peer) = open_with(quiet().limits(limits), DEFLATE).await;
    let [first, second, third] = fragments(&vec![b'x'; 900_000]);
    assert!(first.payload.len() + second.payload.len() + third.payload.len() < 10_000);
    // The last one may find the connection ended.
    for frame in [first, second, third] {
        let _ = peer.try_send_raw(frame.masked()).await;
    }
    peer.expect_close(1013).await;
    assert_eq!(kind(tokio::time::timeout(secs(60), ws.done()).await.unwrap()), ErrorKind::BudgetExceeded);
}
