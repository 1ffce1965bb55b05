//! The close code of periodic updates that fail.

use std::collections::BTreeMap;
use std::future::ready;

use tower_websocket::{BoxError, CloseCode, CloseFrame, Error, HandlerOutput, Manager, WebSocketLayer};

use super::support::{Peer, quiet, secs, serve, text};

async fn open<H, F>(layer: WebSocketLayer<H>) -> Peer
where
    H: Fn(Manager) -> F + Send + Sync + 'static,
    F: Future<Output: HandlerOutput> + Send + 'static,
{
    let mut peer = serve(layer.upgrader(quiet()).into_service());
    peer.handshake("").await;
    peer
}

/// A value that is no JSON: a key must be a text.
fn no_json() -> BTreeMap<Vec<u8>, u8> {
    BTreeMap::from([(vec![1], 1)])
}

#[tokio::test(start_paused = true)]
async fn the_layers_form_closes_with_1011_and_keeps_the_error_to_itself() {
    let mut peer = open(WebSocketLayer::periodic(secs(1), || ready(Err::<u8, _>("secret")))).await;
    assert_eq!(peer.expect_close(1011).await, "");
    let mut peer = open(WebSocketLayer::periodic(secs(1), || ready(Ok::<_, Error>(no_json())))).await;
    assert_eq!(peer.expect_close(1011).await, "");
}

#[tokio::test(start_paused = true)]
async fn a_later_failure_closes_with_1011_too() {
    let calls = std::sync::atomic::AtomicU32::new(0);
    let calls = std::sync::Arc::new(calls);
    let mut peer = open(WebSocketLayer::periodic(secs(1), move || {
        let call = calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        ready(if call < 2 { Ok(call) } else { Err("secret") })
    }))
    .await;
    peer.expect(text("0")).await;
    peer.expect(text("1")).await;
    assert_eq!(peer.expect_close(1011).await, "");
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_returns_the_error_closes_with_1011() {
    let handler = |ws: Manager| async move { ws.periodic_write(secs(1), || ready(Err::<u8, _>("secret"))).await };
    let mut peer = open(WebSocketLayer::new(handler)).await;
    assert_eq!(peer.expect_close(1011).await, "");
}

#[tokio::test(start_paused = true)]
async fn a_handler_may_choose_another_code() {
    let handler = |ws: Manager| async move {
        let updates = ws.periodic_write(secs(1), || ready(Err::<u8, _>("secret"))).await;
        updates.map_err(|_| BoxError::from(CloseFrame::new(CloseCode::TRY_AGAIN_LATER, "later")))
    };
    let mut peer = open(WebSocketLayer::new(handler)).await;
    assert_eq!(peer.expect_close(1013).await, "later");
}
