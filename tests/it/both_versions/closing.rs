//! The closing handshake.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tower_websocket::{CloseCode, CloseFrame, Error, ErrorKind, Manager, Shutdown, WebSocketLayer};

use super::support::{
    BIG, Frame, binary, close, code, continuation, echo, kind, millis, open, ping, pong, quiet, said, secs, serve,
    status, text,
};

#[tokio::test(start_paused = true)]
async fn every_code_that_the_registry_allows_is_accepted_and_answered() {
    for number in (1000..=1003).chain(1007..=1014).chain([3000, 3999, 4000, 4999]) {
        let (ws, mut peer) = open(quiet()).await;
        peer.send(close(number, "why")).await;
        assert_eq!(peer.expect_close(number).await, "why");
        peer.expect_end().await;
        assert_eq!(said(ws.done().await), (number, "why".into()));
        assert_eq!(ws.recv().await.unwrap(), None);
        assert_eq!(ws.send("late").await.unwrap_err().close_frame().unwrap().code().get(), number);
    }
}

#[tokio::test(start_paused = true)]
async fn every_other_code_is_a_violation() {
    for number in [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535] {
        let (ws, mut peer) = open(quiet()).await;
        peer.send(close(number, "")).await;
        peer.expect_close(1002).await;
        peer.expect_end().await;
        assert_eq!(kind(ws.done().await), ErrorKind::Protocol);
    }
}

#[tokio::test(start_paused = true)]
async fn all_steps_of_the_end_share_five_seconds() {
    let shutdown = Shutdown::new();
    let (ws, mut peer) = open(quiet().shutdown(&shutdown)).await;
    let start = Instant::now();
    let closing = tokio::spawn(async move { ws.close().await });
    peer.expect_close(1000).await;
    tokio::time::sleep(secs(4)).await;
    // The answer is late, and the transport stays open behind it.
    peer.send(close(1000, "")).await;
    closing.await.unwrap().unwrap();
    while shutdown.connections() > 0 {
        tokio::time::sleep(millis(100)).await;
    }
    assert!(start.elapsed() < millis(5200), "{:?}", start.elapsed());
    drop(peer);
}

#[tokio::test(start_paused = true)]
async fn a_close_frame_may_be_empty() {
    let (ws, mut peer) = open(quiet()).await;
    peer.send(Frame::new(0x88, "")).await;
    peer.expect(Frame::new(0x88, "")).await;
    peer.expect_end().await;
    assert_eq!(said(ws.done().await), (1005, String::new()));
}

#[tokio::test(start_paused = true)]
async fn a_malformed_close_frame_is_refused() {
    for (payload, answer) in [(&b"\x03"[..], 1002), (b"\x03\xe8\xff\xfe", 1007), (b"\x03\xe8\xce", 1007)] {
        let (ws, mut peer) = open(quiet()).await;
        peer.send(Frame::new(0x88, payload)).await;
        peer.expect_close(answer).await;
        peer.expect_end().await;
        assert_eq!(kind(ws.done().await), ErrorKind::Protocol);
    }
}

#[tokio::test(start_paused = true)]
async fn a_close_frame_waits_for_the_messages_before_it() {
    let (ws, mut peer) = open(quiet()).await;
    peer.send_all([text("one"), text("two"), close(1000, ""), text("after")]).await;
    peer.settle().await;
    assert_eq!(ws.recv().await.unwrap().unwrap().as_text(), Some("one"));
    assert_eq!(ws.recv().await.unwrap().unwrap().as_text(), Some("two"));
    assert_eq!(ws.recv().await.unwrap(), None);
    peer.expect_close(1000).await;
    peer.expect_end().await;
}

/// As a client does that sends all it has, and closes.
#[tokio::test(start_paused = true)]
async fn messages_that_arrive_together_with_a_close_frame_are_answered_before_it() {
    async fn echo_in_another_task(ws: Manager) {
        let echoing = tokio::spawn(echo(ws.clone()));
        let _ = ws.done().await;
        let _ = echoing.await.unwrap();
    }
    let layer = WebSocketLayer::new(echo).upgrader(quiet());
    let another = WebSocketLayer::new(echo_in_another_task).upgrader(quiet());
    for mut peer in [serve(layer.into_service()), serve(another.into_service())] {
        peer.handshake("").await;
        let messages: [Frame; 51] = std::array::from_fn(|index| match index {
            50 => close(4000, "that is all"),
            number => text(number.to_string()),
        });
        peer.send_all(messages).await;
        for number in 0..50 {
            peer.expect(text(number.to_string())).await;
        }
        assert_eq!(peer.expect_close(4000).await, "that is all");
        peer.expect_end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn close_writes_what_is_buffered_first_and_passes_over_what_still_arrives() {
    let (ws, mut peer) = open(quiet()).await;
    for number in 0..100 {
        ws.send(vec![number; 2000]).await.unwrap();
        if number % 20 == 0 {
            ws.flush().await.unwrap();
            for number in number.saturating_sub(19)..=number {
                peer.expect(binary([number; 2000])).await;
            }
        }
    }
    let closing = tokio::spawn({
        let ws = ws.clone();
        async move { ws.close_with(code(4000), "enough").await }
    });
    for number in 81..100 {
        peer.expect(binary([number; 2000])).await;
    }
    assert_eq!(peer.expect_close(4000).await, "enough");
    peer.send_all([text("late"), ping("late"), binary([0; 200]).more(), Frame::new(0x80, [1; 100]), close(4000, "")])
        .await;
    peer.expect_end().await;
    closing.await.unwrap().unwrap();
    assert_eq!(ws.recv().await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_answer_gets_5_seconds() {
    let (ws, mut peer) = open(quiet()).await;
    let start = Instant::now();
    ws.close().await.unwrap();
    assert_eq!(start.elapsed().as_secs(), 5);
    peer.expect_close(1000).await;
    peer.expect_end().await;
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_never_stops_sending_gets_5_seconds() {
    let (ws, mut peer) = open(quiet()).await;
    let start = Instant::now();
    let closing = tokio::spawn(async move { ws.close().await });
    while peer.try_send_raw(binary([0; 1000]).masked()).await.is_ok() {
        tokio::time::sleep(millis(10)).await;
    }
    closing.await.unwrap().unwrap();
    assert_eq!(start.elapsed().as_secs(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_violation_after_our_close_frame_ends_the_closing_handshake() {
    for frames in [
        vec![continuation("x").masked()],
        vec![text("x").more().masked(), text("y").masked()],
        vec![text("x").rsv(0x40).masked()],
        vec![text("x").unmasked()],
        vec![Frame::new(0x83, "").masked()],
        vec![ping("").more().masked()],
        vec![Frame::new(0x8b, "").masked()],
        vec![close(1000, "").rsv(0x20).masked()],
        vec![close(1000, "").unmasked()],
        vec![close(1005, "").masked()],
        vec![ping([0; 126]).masked()],
    ] {
        let (ws, mut peer) = open(quiet()).await;
        let start = Instant::now();
        let closing = tokio::spawn(async move { ws.close().await });
        peer.expect_close(1000).await;
        peer.send_raw(frames.concat()).await;
        // Nothing is said to it any more.
        peer.expect_end().await;
        peer.shutdown().await;
        closing.await.unwrap().unwrap();
        assert_eq!(start.elapsed().as_millis(), 0, "{frames:02x?}");
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_answered_after_our_close_frame() {
    let (ws, mut peer) = open(quiet()).await;
    peer.send(text("x").more()).await;
    peer.settle().await;
    let closing = tokio::spawn(async move { ws.close().await });
    peer.expect_close(1000).await;
    peer.send_all([ping("are you there?"), continuation("y"), pong(""), ping("?"), close(1000, "")]).await;
    peer.expect_end().await;
    closing.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_ping_is_answered_before_whatever_ends_the_connection() {
    for (end, code) in [(close(1000, ""), 1000), (text([0xff]), 1007), (text("x").rsv(0x40), 1002)] {
        let (_ws, mut peer) = open(quiet()).await;
        peer.send_all([ping("x"), end]).await;
        peer.expect(pong("x")).await;
        peer.expect_close(code).await;
    }
}

/// A poll has a budget of 1024 frames.
#[tokio::test(start_paused = true)]
async fn a_ping_at_the_end_of_a_turn_is_answered_before_the_handlers_end() {
    for pongs in 1015..1030 {
        let layer = WebSocketLayer::new(|ws: Manager| async move { ws.recv().await.map(drop) });
        let mut peer = serve(layer.upgrader(quiet()).into_service());
        peer.handshake("").await;
        let frames = [pong("").masked().repeat(pongs), ping("x").masked(), text("bye").masked()];
        peer.send_raw(frames.concat()).await;
        peer.expect(pong("x")).await;
        peer.expect_close(1000).await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_reason_wins_on_all_clones() {
    let (ws, mut peer) = open(quiet()).await;
    let clones = [ws.clone(), ws.clone(), ws.clone()];
    let context = ws.context();
    let closing = tokio::spawn({
        let ws = ws.clone();
        async move { tokio::join!(ws.close_with(code(4001), "first"), ws.close_with(code(4002), "second")) }
    });
    assert_eq!(peer.expect_close(4001).await, "first");
    assert!(!context.is_cancelled());
    peer.send(close(4003, "third")).await;
    let (first, second) = closing.await.unwrap();
    first.unwrap();
    second.unwrap();
    context.cancelled().await;
    assert!(ws.context().is_cancelled());
    for ws in clones {
        assert_eq!(said(ws.done().await), (4001, "first".into()));
        assert_eq!(ws.recv().await.unwrap(), None);
        assert_eq!(ws.send("").await.unwrap_err().close_frame().unwrap().code().get(), 4001);
        ws.close().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn the_handlers_end_closes() {
    let frame = || CloseFrame::new(CloseCode::POLICY_VIOLATION, "not here");
    for (number, answer, reason) in [(0, 1000, ""), (1, 1011, ""), (2, 1008, "not here"), (3, 1011, "internal error")] {
        let layer = WebSocketLayer::new(move |ws: Manager| async move {
            ws.recv().await.unwrap();
            match number {
                0 => Ok(()),
                1 => Err(tower_websocket::BoxError::from("secret")),
                2 => Err(Error::from(frame()).into()),
                _ => panic!("this handler panics"),
            }
        });
        let mut peer = serve(layer.upgrader(quiet()).into_service());
        peer.handshake("").await;
        peer.send(text("go")).await;
        assert_eq!(peer.expect_close(answer).await, reason);
        peer.send(close(answer, "")).await;
        peer.expect_end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_stays_on_its_own_connection() {
    let layer = WebSocketLayer::new(|ws: Manager| async move {
        while let Some(message) = ws.recv().await.unwrap() {
            assert_ne!(message.as_text(), Some("panic"), "this handler panics");
            ws.send(message).await.unwrap();
        }
    });
    let service = layer.into_service();
    let (mut good, mut bad) = (serve(service.clone()), serve(service));
    good.handshake("").await;
    bad.handshake("").await;
    bad.send(text("panic")).await;
    bad.expect_close(1011).await;
    good.send(text("fine")).await;
    good.expect(text("fine")).await;
}

/// A handler that panics when it is dropped, after it has returned.
struct Ending;

impl Future for Ending {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        panic!("this handler panics when it is dropped");
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_a_handler_that_is_dropped_is_the_handlers() {
    let mut peer = serve(WebSocketLayer::new(|_: Manager| Ending).upgrader(quiet()).into_service());
    peer.handshake("").await;
    peer.expect_close(1011).await;
    peer.send(close(1011, "")).await;
    peer.expect_end().await;
}

#[tokio::test(start_paused = true)]
async fn cancelling_the_parent_token_closes_with_1001() {
    let token = CancellationToken::new();
    let (ws, mut peer) = open(quiet().context(token.clone())).await;
    token.cancel();
    peer.expect_close(1001).await;
    peer.send(close(1001, "")).await;
    assert_eq!(said(ws.done().await).0, 1001);
    assert!(ws.context().is_cancelled());
}

#[tokio::test(start_paused = true)]
async fn cancelling_the_context_closes_nothing() {
    let (ws, mut peer) = open(quiet()).await;
    ws.context().cancel();
    assert!(!ws.context().is_cancelled());
    ws.send("open").await.unwrap();
    peer.expect(text("open")).await;
}

#[tokio::test(start_paused = true)]
async fn a_slot_is_free_again_after_the_close() {
    let (sender, mut managers) = mpsc::unbounded_channel();
    let layer = WebSocketLayer::new(move |ws: Manager| {
        let _ = sender.send(ws.clone());
        async move { ws.done().await.map(drop) }
    });
    let service = layer.max_connections(1).upgrader(quiet()).into_service();
    let mut first = serve(service.clone());
    first.handshake("").await;
    let _ws = managers.recv().await.unwrap();
    let head = serve(service.clone()).try_handshake("localhost", "/ws", "").await;
    assert!(status(&head) == 503 && head.contains("retry-after: "), "{head}");
    first.send(close(1000, "")).await;
    first.expect_close(1000).await;
    drop(first);
    tokio::time::sleep(secs(1)).await;
    serve(service).handshake("").await;
}

#[tokio::test(start_paused = true)]
async fn a_slow_peer_gets_everything_before_the_close_frame() {
    use tokio::io::AsyncReadExt;

    let (near, mut far) = tokio::io::duplex(1024);
    let ws = Manager::from_upgraded(near, tower_websocket::Role::Server, quiet().get_config());
    ws.send(vec![7; 20_000]).await.unwrap();
    let closing = tokio::spawn(async move { ws.close().await });
    // A kilobyte every two seconds takes far longer than the closing handshake may.
    let mut received = Vec::new();
    while received.len() < 20_004 + 4 {
        tokio::time::sleep(secs(2)).await;
        let mut part = [0; 1024];
        let len = far.read(&mut part).await.unwrap();
        assert_ne!(len, 0, "cut off after {} bytes", received.len());
        received.extend_from_slice(&part[..len]);
    }
    assert_eq!(received[20_004..], [0x88, 2, 3, 0xe8]);
    drop(far);
    closing.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_was_written_before_the_answer_to_a_close_counts_as_written() {
    let (report, mut flushed) = mpsc::unbounded_channel();
    let layer = WebSocketLayer::new(move |ws: Manager| {
        let report = report.clone();
        async move {
            ws.send(vec![1; BIG]).await.unwrap();
            report.send(ws.flush().await.map_err(|error| error.kind())).unwrap();
        }
    });
    let mut peer = serve(layer.upgrader(quiet()).into_service());
    peer.handshake("").await;
    peer.settle().await;
    peer.send(close(1000, "")).await;
    peer.settle().await;
    assert_eq!(peer.recv().await.unwrap().payload.len(), BIG);
    peer.expect_close(1000).await;
    assert_eq!(flushed.recv().await, Some(Ok(())));
}
