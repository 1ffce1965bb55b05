//! Pings, pongs and the end of silent peers.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;
use tower_websocket::{ErrorKind, Keepalive, Manager, Role, Upgrader, WebSocketLayer};

use super::support::{binary, continuation, echo, kind, millis, open, ping, pong, quiet, said, secs, serve, text};

#[tokio::test(start_paused = true)]
async fn a_silent_peer_is_pinged_after_3_seconds_and_times_out_after_5() {
    let (ws, mut peer) = open(Upgrader::new()).await;
    let start = Instant::now();
    assert_eq!(peer.recv().await.unwrap().first, 0x89);
    assert_eq!(start.elapsed().as_secs(), 3);
    assert_eq!(kind(ws.recv().await), ErrorKind::KeepaliveTimeout);
    assert_eq!(start.elapsed().as_secs(), 5);
    peer.expect_close(1011).await;
    assert_eq!(kind(ws.done().await), ErrorKind::KeepaliveTimeout);
}

#[tokio::test(start_paused = true)]
async fn a_pong_keeps_the_connection_and_measures_the_round_trip() {
    let (ws, mut peer) = open(Upgrader::new()).await;
    assert_eq!(ws.round_trip(), None);
    for _ in 0..20 {
        let frame = peer.recv().await.unwrap();
        assert_eq!(frame.first, 0x89);
        tokio::time::sleep(millis(250)).await;
        peer.send(pong(frame.payload)).await;
    }
    peer.settle().await;
    assert_eq!(ws.round_trip().unwrap().as_millis() / 10, 25);
    assert!(ws.end().is_none());
}

#[tokio::test(start_paused = true)]
async fn ping_waits_for_its_own_pong() {
    let (ws, mut peer) = open(Upgrader::new()).await;
    let (time, ()) = tokio::join!(ws.ping(), async {
        let frame = peer.recv().await.unwrap();
        peer.send(pong("another")).await;
        tokio::time::sleep(secs(1)).await;
        peer.send(pong(frame.payload)).await;
    });
    assert_eq!(time.unwrap().as_secs(), 1);
}

#[tokio::test(start_paused = true)]
async fn any_frame_counts_as_life() {
    let (ws, mut peer) = open(Upgrader::new()).await;
    let reader = tokio::spawn(async move { while ws.recv().await.unwrap().is_some() {} });
    for frame in [text("a"), pong(""), binary("b").more(), continuation("c"), ping(""), text("d")] {
        tokio::time::sleep(millis(4500)).await;
        peer.send(frame).await;
    }
    tokio::time::sleep(millis(4500)).await;
    peer.send(super::support::close(1000, "")).await;
    reader.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn silence_does_not_time_out_while_messages_are_unread() {
    let (ws, mut peer) = open(Upgrader::new()).await;
    // The first fills what may be unread, so that nothing is read behind it.
    peer.send_all([binary([0; 64 * 1024]), text("two")]).await;
    tokio::time::sleep(secs(60)).await;
    assert!(ws.end().is_none());
    assert_eq!(ws.recv().await.unwrap().unwrap().len(), 64 * 1024);
    assert_eq!(ws.recv().await.unwrap().unwrap().as_text(), Some("two"));
    // From here on it is.
    let start = Instant::now();
    assert_eq!(kind(ws.recv().await), ErrorKind::KeepaliveTimeout);
    assert_eq!(start.elapsed().as_secs(), 5);
}

#[tokio::test(start_paused = true)]
async fn pings_are_answered_while_the_handler_does_not_read() {
    let mut peer = serve(WebSocketLayer::new(|_: Manager| std::future::pending::<()>()).into_service());
    peer.handshake("").await;
    peer.send(ping("before")).await;
    peer.expect(pong("before")).await;
    peer.send_all([text("unread"), ping("after")]).await;
    peer.expect(pong("after")).await;
    for number in 0..100 {
        peer.send(ping(number.to_string())).await;
        peer.expect(pong(number.to_string())).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_text_heartbeat_is_answered_and_hidden() {
    let (ws, mut peer) = open(Upgrader::new().keepalive(Keepalive::default().text_heartbeat())).await;
    peer.send_all([text("ping"), text("pin").more(), continuation("g"), binary("ping"), text("ping ")]).await;
    peer.expect(text("pong")).await;
    peer.expect(text("pong")).await;
    assert_eq!(ws.recv().await.unwrap().unwrap(), b"ping".to_vec().into());
    assert_eq!(ws.recv().await.unwrap().unwrap().as_text(), Some("ping "));
    let (ws, mut peer) = open(Upgrader::new()).await;
    peer.send(text("ping")).await;
    assert_eq!(ws.recv().await.unwrap().unwrap().as_text(), Some("ping"));
}

#[tokio::test(start_paused = true)]
async fn a_disabled_keepalive_leaves_a_silent_peer_alone() {
    let (ws, mut peer) = open(quiet()).await;
    peer.expect_silence(secs(3600)).await;
    assert!(ws.end().is_none());
    peer.send(super::support::close(1000, "")).await;
    assert_eq!(said(ws.done().await).0, 1000);
}

#[tokio::test(start_paused = true)]
async fn ping_measures_a_round_trip_that_is_longer_than_the_interval() {
    let keepalive = Keepalive::default().interval(secs(1)).timeout(secs(60));
    let (ws, mut peer) = open(Upgrader::new().keepalive(keepalive)).await;
    let measured = tokio::spawn(async move { ws.ping().await });
    // A link on which each answer takes 3.3 s.
    let mut answers = std::collections::VecDeque::new();
    let start = Instant::now();
    while start.elapsed() < secs(30) && !measured.is_finished() {
        if let Ok(frame) = tokio::time::timeout(millis(100), peer.recv()).await {
            answers.push_back((Instant::now() + millis(3300), frame.unwrap()));
        }
        while answers.front().is_some_and(|(time, _)| *time <= Instant::now()) {
            peer.send(pong(answers.pop_front().unwrap().1.payload)).await;
        }
    }
    assert!(measured.is_finished(), "no pong was ever taken for an answer");
    assert_eq!(measured.await.unwrap().unwrap().as_millis() / 1000, 3);
}

#[tokio::test(start_paused = true)]
async fn an_unsolicited_pong_does_not_disturb_a_ping() {
    let (ws, mut peer) = open(quiet()).await;
    let measured = tokio::spawn(async move { ws.ping().await });
    let asked = peer.recv().await.unwrap();
    peer.send_all([pong([0xff; 8]), pong(""), pong([0; 8])]).await;
    peer.send(pong(asked.payload)).await;
    tokio::time::timeout(secs(60), measured).await.expect("the ping was answered").unwrap().unwrap();
}

/// As rustls does: what it is given it takes, up to 64 KiB, though the peer accepts no data.
struct Absorbing(usize);

impl AsyncRead for Absorbing {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

impl AsyncWrite for Absorbing {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let taken = bytes.len().min(64 * 1024 - self.0);
        self.0 += taken;
        if taken == 0 { Poll::Pending } else { Poll::Ready(Ok(taken)) }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

#[tokio::test(start_paused = true)]
async fn a_transport_that_takes_our_ping_is_no_peer_that_lives() {
    let ws = Manager::from_upgraded(Absorbing(0), Role::Server, Upgrader::new().get_config());
    let start = Instant::now();
    ws.send(vec![0; 60 * 1024]).await.unwrap();
    assert_eq!(kind(ws.done().await), ErrorKind::KeepaliveTimeout);
    assert!(start.elapsed() <= secs(15), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_handler_sees_no_heartbeat_among_the_messages_of_a_burst() {
    let settings = Upgrader::new().keepalive(Keepalive::disabled().text_heartbeat());
    let mut peer = serve(WebSocketLayer::new(echo).upgrader(settings).into_service());
    peer.handshake("").await;
    peer.send_raw(["a", "ping", "b"].map(|payload| text(payload).masked()).concat()).await;
    for payload in ["a", "pong", "b"] {
        peer.expect(text(payload)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_ping_among_unread_messages_holds_nothing_up_once_they_are_read() {
    let layer = WebSocketLayer::new(async |ws: Manager| {
        tokio::time::sleep(secs(1)).await;
        echo(ws).await
    });
    let mut peer = serve(layer.upgrader(quiet()).into_service());
    peer.handshake("").await;
    peer.send_raw([text("a"), text("b"), ping("p"), text("c")].map(|frame| frame.masked()).concat()).await;
    let start = Instant::now();
    let mut frames = Vec::new();
    for _ in 0..4 {
        frames.push(tokio::time::timeout(secs(60), peer.recv()).await.unwrap().unwrap().payload);
    }
    frames.sort();
    assert_eq!(frames, ["a", "b", "c", "p"].map(Vec::from));
    assert_eq!(start.elapsed().as_secs(), 1);
}
