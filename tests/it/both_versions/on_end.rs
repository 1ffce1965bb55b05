//! Who is told of the end of a connection holds up nothing of it.

use tokio::sync::mpsc;
use tokio::time::timeout;
use tower_websocket::{CloseFrame, Error, Manager, WebSocketLayer};

use super::support::{binary, close, quiet, secs, serve};

#[tokio::test(start_paused = true)]
async fn messages_that_nobody_can_receive_are_discarded_where_the_end_is_reported_too() {
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
