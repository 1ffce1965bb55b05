//! The end of a transport without a closing handshake, and what stays behind an end.

use std::convert::Infallible;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};

use http::Request;
use hyper::body::Incoming;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout};
use tower::{ServiceBuilder, service_fn};
use tower_websocket::{Budget, CloseCode, ErrorKind, Limits, Manager, Shutdown, Upgrader, WebSocketLayer};

use super::support::{
    BIG, binary, close, kind, millis, open, open_over, ping, pong, quiet, secs, serve, serve_over, tap, text,
};

#[tokio::test(start_paused = true)]
async fn a_transport_that_ends_without_a_close_frame_is_disconnected() {
    for cut in [&b""[..], &[0x81], &[0x81, 0x85, 0, 0, 0, 0, b'H'], &[0x01, 0x81, 0, 0, 0, 0, b'H']] {
        let (ws, mut peer) = open(quiet()).await;
        peer.send(text("whole")).await;
        peer.send_raw(cut).await;
        peer.shutdown().await;
        assert_eq!(ws.recv().await.unwrap().unwrap().as_text(), Some("whole"));
        assert_eq!(kind(ws.recv().await), ErrorKind::Disconnected);
        assert_eq!(kind(ws.done().await), ErrorKind::Disconnected);
        assert_eq!(kind(ws.send("late").await), ErrorKind::Disconnected);
        peer.expect_end().await;
    }
}

/// A waker that says how many of its kind there are.
struct Counted {
    waker: Waker,
    _alive: Arc<()>,
}

impl Wake for Counted {
    fn wake(self: Arc<Self>) {
        self.waker.wake_by_ref();
    }
}

/// A waker keeps the memory of its task.
#[tokio::test(start_paused = true)]
async fn a_handle_that_stays_keeps_no_waker_of_the_task() {
    let (upgrades, mut accepted) = mpsc::unbounded_channel();
    let mut peer = serve(service_fn(move |mut request: Request<Incoming>| {
        let (response, upgrade) = quiet().upgrade::<_, String>(&mut request).unwrap();
        upgrades.send(upgrade).unwrap();
        async { Ok::<_, Infallible>(response) }
    }));
    peer.handshake("").await;
    let upgrade = accepted.recv().await.unwrap();
    let (sender, mut managers) = mpsc::unbounded_channel();
    let wakers = Arc::new(());
    let counted = wakers.clone();
    let task = tokio::spawn(async move {
        let mut connection = Box::pin(upgrade.run(|ws: Manager| async move {
            sender.send(ws.clone()).unwrap();
            ws.done().await.map(drop)
        }));
        poll_fn(|cx| {
            let waker = Waker::from(Arc::new(Counted { waker: cx.waker().clone(), _alive: counted.clone() }));
            connection.as_mut().poll(&mut Context::from_waker(&waker))
        })
        .await;
    });
    let ws = managers.recv().await.unwrap();
    peer.send(text("unread")).await;
    peer.send(close(1000, "")).await;
    peer.expect_close(1000).await;
    peer.expect_end().await;
    drop(peer);
    task.await.unwrap();
    // The tasks of the transport go first.
    tokio::time::sleep(secs(1)).await;
    assert_eq!(Arc::strong_count(&wakers), 1);
    assert_eq!(ws.recv().await.unwrap().unwrap().as_text(), Some("unread"));
}

#[tokio::test(start_paused = true)]
async fn what_is_queued_after_a_blocked_write_is_freed_though_a_handle_exists() {
    let budget = Budget::new(1 << 30);
    let limits = Limits::default().max_write_buffer_size(8 * BIG).budget(budget.clone());
    let (peer, transport, _) = tap(1024);
    let (ws, peer) = open_over(quiet().limits(limits), "", peer, transport).await;
    for _ in 0..3 {
        ws.send(vec![0; BIG]).await.unwrap();
        // The first is then being written, and the others wait behind it.
        tokio::time::sleep(millis(1)).await;
    }
    assert!(budget.used() > 2 * BIG, "{}", budget.used());
    drop(peer);
    ws.done().await.unwrap_err();
    assert_eq!(budget.used(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_reset_reaches_a_handler_that_waits() {
    // The handler's own task is the connection's, unlike that of a clone.
    for wait in [0, 1, 2] {
        let (mut peer, transport, knobs) = tap(1024);
        let (results, mut ended) = mpsc::unbounded_channel();
        let layer = WebSocketLayer::new(move |ws: Manager| {
            let results = results.clone();
            async move {
                let result = match wait {
                    0 => ws.recv().await.map(drop),
                    1 => ws.done().await.map(drop),
                    _ => {
                        ws.context().cancelled().await;
                        ws.done().await.map(drop)
                    }
                };
                let _ = results.send(kind(result));
            }
        });
        serve_over(layer.upgrader(quiet()).into_service(), transport);
        peer.handshake("").await;
        peer.settle().await;
        knobs.reset();
        peer.send(ping("")).await;
        let end =
            timeout(secs(60), ended.recv()).await.unwrap_or_else(|_| panic!("handler {wait} never learned of it"));
        assert_eq!(end, Some(ErrorKind::Disconnected));
    }
}

#[tokio::test(start_paused = true)]
async fn a_reset_while_closing_reaches_a_handler_that_waits() {
    let (mut peer, transport, knobs) = tap(1024);
    let (ended, end) = oneshot::channel();
    let ended = std::sync::Mutex::new(Some(ended));
    let layer = WebSocketLayer::new(move |ws: Manager| {
        let ended = ended.lock().unwrap().take().unwrap();
        async move {
            let start = Instant::now();
            ws.close().await.unwrap();
            let _ = ended.send(start.elapsed());
        }
    });
    serve_over(layer.upgrader(quiet()).into_service(), transport);
    peer.handshake("").await;
    peer.expect_close(1000).await;
    knobs.reset();
    peer.send(ping("")).await;
    assert!(end.await.unwrap() < secs(1));
}

#[tokio::test(start_paused = true)]
async fn clones_learn_of_a_connection_that_was_dropped() {
    let shutdown = Shutdown::new();
    let (sender, mut managers) = mpsc::unbounded_channel();
    let layer = WebSocketLayer::new(move |ws: Manager| {
        let _ = sender.send(ws);
        std::future::pending::<()>()
    });
    let mut peer = serve(layer.shutdown(&shutdown).into_service());
    peer.handshake("").await;
    let ws = managers.recv().await.unwrap();
    // The peer does not answer the close frame either.
    assert_eq!(shutdown.close_all(CloseCode::GOING_AWAY, "", secs(1)).await, 1);
    timeout(secs(60), ws.done()).await.expect("done() resolves").unwrap();
    timeout(secs(60), ws.context().cancelled()).await.expect("the context is cancelled");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_stops_reading_is_found_out_in_10_seconds() {
    let (peer, transport, _) = tap(1024);
    let (ws, mut peer) = open_over(Upgrader::new(), "", peer, transport).await;
    let start = Instant::now();
    ws.send(vec![0; BIG]).await.unwrap();
    let ended = tokio::spawn({
        let ws = ws.clone();
        async move { (ws.done().await, start.elapsed()) }
    });
    // It is alive otherwise.
    for _ in 0..6 {
        tokio::time::sleep(secs(2)).await;
        let _ = peer.try_send_raw(pong("").masked()).await;
    }
    let (end, time) = ended.await.unwrap();
    assert_eq!(kind(end), ErrorKind::WriteTimeout);
    assert_eq!(time.as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn what_is_sent_while_writing_is_stalled_waits_asleep() {
    let (peer, transport, knobs) = tap(1024);
    let (ws, mut peer) =
        open_over(quiet().limits(Limits::default().max_write_buffer_size(2 * BIG)), "", peer, transport).await;
    ws.send(vec![1; BIG]).await.unwrap();
    peer.settle().await;
    knobs.take_writes();
    ws.send(vec![2; BIG]).await.unwrap();
    // A task that spins here would never let the clock go on.
    tokio::time::sleep(secs(1)).await;
    assert!(knobs.take_writes() <= 1);
    peer.expect(binary(vec![1; BIG])).await;
    peer.expect(binary(vec![2; BIG])).await;
}

#[tokio::test(start_paused = true)]
async fn a_peer_gets_2_seconds_to_take_a_pong_even_where_writing_stalled_before() {
    let (peer, transport, _) = tap(1024);
    let (ws, mut peer) = open_over(quiet(), "", peer, transport).await;
    ws.send(vec![0; BIG]).await.unwrap();
    tokio::time::sleep(secs(5)).await;
    peer.send(ping("x")).await;
    tokio::time::sleep(millis(1500)).await;
    peer.expect(binary(vec![0; BIG])).await;
    peer.expect(pong("x")).await;
    assert!(ws.end().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_accepts_no_pong_within_2_seconds_times_out() {
    let (peer, transport, _) = tap(1024);
    let (ws, mut peer) = open_over(quiet(), "", peer, transport).await;
    ws.send(vec![0; BIG]).await.unwrap();
    tokio::time::sleep(secs(5)).await;
    let start = Instant::now();
    peer.send(ping("x")).await;
    assert_eq!(kind(ws.done().await), ErrorKind::WriteTimeout);
    assert_eq!(start.elapsed().as_millis() / 100, 20);
}

#[tokio::test(start_paused = true)]
async fn messages_that_end_in_time_are_not_taken_for_one_that_does_not() {
    let (sender, mut count) = mpsc::unbounded_channel();
    let layer = WebSocketLayer::new(move |ws: Manager| {
        let sender = sender.clone();
        async move {
            while let Some(message) = ws.recv().await.unwrap() {
                let _ = sender.send(message.len());
            }
        }
    });
    let mut peer = serve(layer.upgrader(quiet()).into_service());
    peer.handshake("").await;
    // Each packet carries the end of one message and the beginning of the next.
    let frame = binary([1; 100]).masked();
    peer.send_raw(&frame[..50]).await;
    for _ in 0..20 {
        tokio::time::sleep(secs(4)).await;
        peer.send_raw([&frame[50..], &frame[..50]].concat()).await;
    }
    peer.send_raw(&frame[50..]).await;
    peer.send(close(1000, "")).await;
    peer.expect_close(1000).await;
    assert_eq!(std::iter::from_fn(|| count.try_recv().ok()).count(), 21);
}

/// Asks for a WebSocket whose response is never sent. Says what `on_end` is told.
async fn never_answered(shutdown: &Shutdown) -> mpsc::UnboundedReceiver<Result<u16, ErrorKind>> {
    let (report, ends) = mpsc::unbounded_channel();
    let layer = WebSocketLayer::new(|_: Manager| async {}).shutdown(shutdown);
    let layer = layer.on_end(move |_, end, _| {
        let end = end.as_ref().map(|frame| frame.code().get()).map_err(|error| error.kind());
        report.send(end).unwrap();
    });
    let service = ServiceBuilder::new()
        .then(|response: Result<http::Response<_>, Infallible>| async move {
            std::future::pending::<()>().await;
            response
        })
        .service(layer.into_service());
    let mut peer = serve(service);
    tokio::spawn(async move { peer.handshake("").await });
    tokio::time::sleep(millis(1)).await;
    assert_eq!(shutdown.connections(), 1);
    ends
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_keeps_its_deadline_where_a_response_is_never_sent() {
    let shutdown = Shutdown::new();
    let mut ends = never_answered(&shutdown).await;
    let start = Instant::now();
    assert_eq!(shutdown.close_all(CloseCode::GOING_AWAY, "", secs(1)).await, 1);
    assert_eq!(start.elapsed().as_secs(), 1);
    let told = timeout(secs(60), ends.recv()).await.unwrap();
    assert!(matches!(told, Some(Ok(1001) | Err(ErrorKind::Aborted))), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn where_a_response_is_never_sent_the_handshake_timeout_ends_it() {
    let shutdown = Shutdown::new();
    let start = Instant::now();
    let mut ends = never_answered(&shutdown).await;
    assert_eq!(timeout(secs(60), ends.recv()).await.unwrap(), Some(Err(ErrorKind::Disconnected)));
    assert_eq!(start.elapsed().as_secs(), 10);
    tokio::task::yield_now().await;
    assert_eq!(shutdown.connections(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_panic_before_the_handlers_future_is_made_closes_with_1011() {
    async fn never() {}
    let layer = WebSocketLayer::new(|ws: Manager| {
        assert!(ws.subprotocol().is_some(), "this handler panics at once");
        never()
    });
    let mut peer = serve(layer.into_service());
    peer.handshake("").await;
    peer.expect_close(1011).await;
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_dropped_wakes_all_waiters() {
    let (sender, mut managers) = mpsc::unbounded_channel();
    let stop = std::sync::Arc::new(tokio::sync::Notify::new());
    let stopped = stop.clone();
    let service = tower::service_fn(move |mut request: http::Request<hyper::body::Incoming>| {
        let (sender, stopped) = (sender.clone(), stopped.clone());
        let (response, upgrade) = quiet().upgrade(&mut request).unwrap();
        tokio::spawn(async move {
            let connection = upgrade.run(|ws: Manager| async move {
                sender.send(ws).unwrap();
                std::future::pending::<()>().await;
            });
            tokio::select! {
                () = connection => panic!("nobody closes"),
                () = stopped.notified() => {}
            }
        });
        std::future::ready(Ok::<http::Response<http_body_util::Empty<bytes::Bytes>>, std::convert::Infallible>(
            response,
        ))
    });
    let mut peer = serve(service);
    peer.handshake("").await;
    let ws: Manager = managers.recv().await.unwrap();
    let context = ws.context();
    let waiting = tokio::spawn({
        let ws = ws.clone();
        async move { tokio::join!(ws.done(), context.cancelled_owned()) }
    });
    peer.settle().await;
    stop.notify_one();
    assert_eq!(kind(timeout(secs(1), waiting).await.unwrap().unwrap().0), ErrorKind::Disconnected);
    assert!(ws.context().is_cancelled());
}
