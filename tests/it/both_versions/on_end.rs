//! Who is told of the end of a connection holds up nothing of it.

use tokio::sync::mpsc;
use tokio::time::timeout;
use tower_websocket::{CloseCode, CloseFrame, Error, Manager, Shutdown, WebSocketLayer};

use super::support::{binary, close, quiet, secs, serve};

#[tokio::test(start_paused = true)]
async fn a_handler_that_is_dropped_at_a_shutdowns_deadline_is_reported() {
    let (report, mut ends) = mpsc::unbounded_channel();
    let shutdown = Shutdown::new();
    let upgrader = quiet().shutdown(&shutdown).on_end(move |_, end: &Result<CloseFrame, Error>, _| {
        report.send(end.as_ref().unwrap().code().get()).unwrap();
    });
    let handler = |_: Manager| std::future::pending::<()>();
    let mut peers = Vec::new();
    for closes in [false, true] {
        let mut peer = serve(WebSocketLayer::new(handler).upgrader(upgrader.clone()).into_service());
        peer.handshake("").await;
        if closes {
            peer.send(close(4000, "")).await;
            peer.expect_close(4000).await;
        }
        peers.push(peer);
    }
    assert_eq!(shutdown.close_all(CloseCode::GOING_AWAY, "", secs(1)).await, 2);
    let mut reported = [ends.recv().await.unwrap(), ends.recv().await.unwrap()];
    reported.sort_unstable();
    assert_eq!(reported, [1001, 4000]);
}

#[tokio::test(start_paused = true)]
async fn messages_that_cannot_be_received_are_discarded_if_the_end_is_reported_too() {
    let (report, mut ends) = mpsc::unbounded_channel();
    let upgrader = quiet().on_end(move |_, end: &Result<CloseFrame, Error>, _| {
        let code = end.as_ref().map(|frame| frame.code().get());
        report.send(code.map_err(Error::kind)).unwrap();
    });
    let handler = |ws: Manager| async move {
        let context = ws.context();
        drop(ws);
        context.cancelled().await;
    };
    let mut peer = serve(WebSocketLayer::new(handler).upgrader(upgrader).into_service());
    peer.handshake("").await;
    let all = async {
        for _ in 0..100 {
            peer.send(binary(vec![0; 8 * 1024])).await;
        }
        peer.send(close(1000, "")).await;
        peer.expect_close(1000).await;
        ends.recv().await
    };
    let end = timeout(secs(3600), all).await.expect("the messages are in the way").unwrap();
    assert_eq!(end, Ok(1000));
}
