//! What a connection's task does where transports, peers and handlers do what they seldom do.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex};
use tokio::sync::mpsc;
use tokio::task::yield_now;
use tokio::time::{Instant, timeout};
use tower_websocket::{CloseFrame, Error, ErrorKind, Limits, Manager, Role, Stats, WebSocketConfig, WebSocketLayer};

use crate::shared::{binary, close, continuation, millis, ping, pong, quiet, secs, text};
use crate::support::{Peer, kind, serve};

fn config() -> WebSocketConfig {
    quiet().get_config().clone()
}

fn server(io: DuplexStream) -> Manager {
    Manager::from_upgraded(io, Role::Server, &config())
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_wakes_itself_lets_others_have_a_turn() {
    let had_a_turn = Arc::new(AtomicBool::new(false));
    let (report, mut polls) = mpsc::unbounded_channel();
    let handler = {
        let had_a_turn = had_a_turn.clone();
        move |ws: Manager| {
            let (had_a_turn, report) = (had_a_turn.clone(), report.clone());
            async move {
                tokio::spawn({
                    let had_a_turn = had_a_turn.clone();
                    async move { had_a_turn.store(true, Ordering::Relaxed) }
                });
                let mut polls = 0;
                poll_fn(|cx| {
                    polls += 1;
                    if had_a_turn.load(Ordering::Relaxed) || polls == 10_000 {
                        return Poll::Ready(());
                    }
                    cx.waker().wake_by_ref();
                    Poll::Pending
                })
                .await;
                report.send(polls).unwrap();
                ws.close().await
            }
        }
    };
    let mut peer = serve(WebSocketLayer::new(handler).upgrader(quiet()).into_service());
    peer.handshake("").await;
    let polls = polls.recv().await.unwrap();
    assert!(polls < 10, "{polls} polls");
}

#[tokio::test(start_paused = true)]
async fn capacity_that_another_task_frees_is_used_at_once() {
    let (mut peer, far) = duplex(64 * 1024);
    let config = config().limits(Limits::default().incoming(1));
    let ws = Manager::from_upgraded(far, Role::Server, &config);
    peer.write_all(&binary([7; 100]).masked().repeat(20)).await.unwrap();
    let start = Instant::now();
    for number in 0..20 {
        // The connection's task sleeps meanwhile.
        tokio::time::sleep(millis(1)).await;
        let message = timeout(secs(3600), ws.recv()).await.unwrap_or_else(|_| panic!("only {number}"));
        assert_eq!(message.unwrap().unwrap().len(), 100);
    }
    assert_eq!(start.elapsed(), millis(20));
}

/// Our close frame is not even written yet when the peer ends its side, or breaks a rule: it still gets all of it.
#[tokio::test(start_paused = true)]
async fn a_fault_of_the_peer_while_our_close_frame_waits_takes_nothing_from_it() {
    for fault in [None, Some(continuation("of nothing")), Some(ping([0; 126])), Some(text("x").rsv(0x40))] {
        let (mut peer, far) = duplex(1024);
        let ws = server(far);
        ws.send(vec![1; 5000]).await.unwrap();
        let closing = tokio::spawn(async move { ws.close().await.map(|()| ws.stats().messages_sent) });
        yield_now().await;
        match &fault {
            None => peer.shutdown().await.unwrap(),
            Some(frame) => peer.write_all(&frame.masked()).await.unwrap(),
        }
        tokio::time::sleep(secs(1)).await;
        let mut received = Vec::new();
        timeout(secs(60), peer.read_to_end(&mut received)).await.unwrap().unwrap();
        let expected = [binary(vec![1; 5000]), close(1000, "")].map(|frame| frame.unmasked()).concat();
        assert!(received == expected, "{} bytes behind {fault:?}", received.len());
        drop(peer);
        assert_eq!(closing.await.unwrap().unwrap(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn over_http1_both_close_frames_end_the_connection_at_once() {
    let layer = WebSocketLayer::new(|ws: Manager| async move { ws.recv().await.map(drop) });
    let mut peer = serve(layer.upgrader(quiet()).into_service());
    peer.handshake("").await;
    peer.send(close(1000, "")).await;
    peer.expect_close(1000).await;
    peer.expect_end().await;
    peer.settle().await;
    // The transport is dropped, though this end of it is still there.
    assert_eq!(peer.try_send_raw("x").await.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
}

/// A transport that accepts nothing and does not say why.
struct Full(DuplexStream);

impl AsyncRead for Full {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Full {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(0))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// In a thread of its own: were it asked again and again, this test would still end.
#[test]
fn a_transport_that_writes_zero_bytes_is_not_asked_forever() {
    let (report, ended) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (mut peer, far) = duplex(1024);
            let ws = Manager::from_upgraded(Full(far), Role::Server, &config());
            ws.send("x").await.unwrap();
            let flushed = ws.flush().await;
            // What the peer has sent is still received.
            peer.write_all(&text("y").masked()).await.unwrap();
            drop(peer);
            let received = ws.recv().await.unwrap();
            report.send((kind(flushed), received.is_some(), kind(ws.done().await))).unwrap();
        });
    });
    let told = ended.recv_timeout(secs(20)).expect("it is asked forever");
    assert_eq!(told, (ErrorKind::Disconnected, true, ErrorKind::Disconnected));
}

#[tokio::test(start_paused = true)]
async fn what_is_written_in_pieces_after_a_pong_counts_as_written() {
    let (mut peer, far) = duplex(10);
    let ws = server(far);
    ws.send(vec![0; 50]).await.unwrap();
    yield_now().await;
    // Both wait behind it, and leave together.
    peer.write_all(&ping([1; 100]).masked()).await.unwrap();
    ws.send(vec![2; 300]).await.unwrap();
    let flushing = tokio::spawn(async move { ws.flush().await.map(|()| ws.stats()) });
    yield_now().await;
    let expected = [binary([0; 50]), pong([1; 100]), binary(vec![2; 300])].map(|frame| frame.unmasked()).concat();
    let mut received = vec![0; expected.len()];
    for part in received.chunks_mut(7) {
        peer.read_exact(part).await.unwrap();
    }
    assert!(received == expected);
    let stats = timeout(secs(60), flushing).await.expect("some of it does not count").unwrap().unwrap();
    assert_eq!((stats.messages_sent, stats.payload_sent, stats.wire_sent), (2, 350, expected.len() as u64));
}

#[tokio::test(start_paused = true)]
async fn a_pong_of_which_only_a_part_was_accepted_is_due_all_the_same() {
    let (mut peer, far) = duplex(8);
    let ws = server(far);
    let start = Instant::now();
    peer.write_all(&ping("a long ping").masked()).await.unwrap();
    assert_eq!(kind(ws.done().await), ErrorKind::WriteTimeout);
    assert_eq!(start.elapsed().as_secs(), 5);
}

#[tokio::test(start_paused = true)]
async fn all_bytes_of_a_connection_are_counted_to_its_end() {
    let (report, mut ends) = mpsc::unbounded_channel();
    let upgrader = quiet().on_end(move |_, end: &Result<CloseFrame, Error>, stats: Stats| {
        assert!(end.is_ok());
        report.send(stats).unwrap();
    });
    let layer = WebSocketLayer::new(|ws: Manager| async move { ws.recv().await.map(drop) });
    let mut peer = serve(layer.upgrader(upgrader).into_service());
    // The first message comes in the same packet as the request.
    let [early, last] = [text("early"), close(1000, "")].map(|frame| frame.masked());
    peer.send_raw([Peer::request("").as_bytes(), &early].concat()).await;
    assert!(peer.read_head().await.starts_with("HTTP/1.1 101"));
    peer.expect_close(1000).await;
    peer.send_raw(&last).await;
    let stats = ends.recv().await.unwrap();
    assert_eq!((stats.messages_received, stats.payload_received), (1, 5));
    assert_eq!(stats.wire_received, (early.len() + last.len()) as u64);
    assert_eq!((stats.messages_sent, stats.wire_sent), (0, 4));
}

/// While the reader is held up, what lies behind is not late: its time begins when it is looked at.
#[tokio::test(start_paused = true)]
async fn a_message_that_waits_for_unread_ones_has_its_whole_time() {
    let (mut peer, far) = duplex(64 * 1024);
    let config = config().limits(Limits::default().incoming(1).message_timeout(secs(30)));
    let ws = Manager::from_upgraded(far, Role::Server, &config);
    let frame = binary([7; 100]).masked();
    let (half, rest) = frame.split_at(50);
    peer.write_all(&[&frame[..], &frame, half].concat()).await.unwrap();
    tokio::time::sleep(secs(100)).await;
    for _ in 0..2 {
        assert_eq!(ws.recv().await.unwrap().unwrap().len(), 100);
    }
    tokio::time::sleep(secs(29)).await;
    peer.write_all(rest).await.unwrap();
    assert_eq!(ws.recv().await.unwrap().unwrap().len(), 100);
    // And one that is not held up has no more than that.
    peer.write_all(half).await.unwrap();
    let start = Instant::now();
    assert_eq!(kind(ws.recv().await), ErrorKind::ReadTimeout);
    assert_eq!(start.elapsed().as_secs(), 30);
}

#[tokio::test(start_paused = true)]
async fn a_write_that_is_given_up_ends_the_connection_at_once() {
    let (near, _peer_that_does_not_read) = duplex(16);
    let ws = server(near);
    let start = Instant::now();
    assert_eq!(kind(ws.write_data(vec![0; 100], secs(1)).await), ErrorKind::WriteTimeout);
    assert!(ws.is_closed());
    assert_eq!(kind(ws.done().await), ErrorKind::WriteTimeout);
    assert_eq!(start.elapsed().as_secs(), 1);
}
