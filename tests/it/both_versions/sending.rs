//! Messages on their way out.

use futures_util::{FutureExt, SinkExt};
use tokio::time::{Instant, timeout};
use tower_websocket::{Compression, ErrorKind, Limits, Manager, Message, Upgrader, WebSocketLayer};

use super::support::{
    BIG, DEFLATE, Inflate, Peer, binary, kind, open, open_over, open_with, ping, pong, quiet, secs, serve_over, tap,
    text,
};

#[tokio::test(start_paused = true)]
async fn a_burst_goes_out_in_one_system_call() {
    let (mut peer, transport, knobs) = tap(64 * 1024);
    let layer = WebSocketLayer::new(|ws: Manager| async move {
        while ws.recv().await?.is_some() {
            for number in 0..100 {
                ws.send(format!("message {number}")).await?;
            }
        }
        Ok::<_, tower_websocket::Error>(())
    });
    serve_over(layer.upgrader(quiet()).into_service(), transport);
    peer.handshake("").await;
    for _ in 0..3 {
        knobs.take_writes();
        peer.send(text("go")).await;
        for number in 0..100 {
            peer.expect(text(format!("message {number}"))).await;
        }
        assert_eq!(knobs.take_writes(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_burst_of_another_task_goes_out_in_one_system_call() {
    let (peer, transport, knobs) = tap(64 * 1024);
    let (ws, mut peer) = open_over(quiet(), "", peer, transport).await;
    peer.settle().await;
    knobs.take_writes();
    for number in 0..100 {
        ws.send(format!("message {number}")).await.unwrap();
    }
    for number in 0..100 {
        peer.expect(text(format!("message {number}"))).await;
    }
    assert_eq!(knobs.take_writes(), 1);
}

#[tokio::test(start_paused = true)]
async fn try_send_returns_the_message_while_the_buffer_is_full() {
    let (peer, transport, _) = tap(1024);
    let limits = Limits::default().max_write_buffer_size(10_000);
    let (ws, mut peer) = open_over(quiet().limits(limits), "", peer, transport).await;
    let mut sent = 0;
    let full = loop {
        match ws.try_send(vec![sent; 998]) {
            Ok(()) => sent += 1,
            Err(full) => break full,
        }
        assert!(sent < 100, "the buffer is not bounded");
    };
    assert!(full.is_full() && !ws.is_closed());
    assert_eq!(full.into_message().as_bytes(), vec![sent; 998]);
    for number in 0..sent {
        peer.expect(binary(vec![number; 998])).await;
    }
    ws.try_send("there is capacity again").unwrap();
    peer.expect(text("there is capacity again")).await;
    drop(peer);
    ws.done().await.unwrap_err();
    let ended = ws.try_send("late").unwrap_err();
    assert!(!ended.is_full());
    assert_eq!(ended.into_message().as_text(), Some("late"));
}

#[tokio::test(start_paused = true)]
async fn sending_waits_while_the_buffer_is_full() {
    let (peer, transport, _) = tap(1024);
    let (ws, mut peer) =
        open_over(quiet().limits(Limits::default().max_write_buffer_size(10_000)), "", peer, transport).await;
    let mut sent = 0;
    while ws.send(vec![0; 998]).now_or_never().is_some() {
        sent += 1;
        assert!(sent < 100, "the buffer is not bounded");
    }
    // Nothing has been written yet.
    assert_eq!(sent, 10);
    let (result, ()) = tokio::join!(timeout(secs(5), ws.send("last")), async {
        for _ in 0..sent {
            peer.expect(binary([0; 998])).await;
        }
    });
    result.unwrap().unwrap();
    peer.expect(text("last")).await;
}

#[tokio::test(start_paused = true)]
async fn a_dropped_send_was_not_sent() {
    let (peer, transport, _) = tap(1024);
    let (ws, mut peer) =
        open_over(quiet().limits(Limits::default().max_write_buffer_size(1000)), "", peer, transport).await;
    ws.send(vec![0; BIG]).await.unwrap();
    for _ in 0..5 {
        assert!(timeout(secs(1), ws.send("dropped")).await.is_err());
    }
    peer.expect(binary(vec![0; BIG])).await;
    ws.send("sent").await.unwrap();
    peer.expect(text("sent")).await;
}

#[tokio::test(start_paused = true)]
async fn write_data_returns_when_the_transport_has_the_message() {
    let (peer, transport, _) = tap(1024);
    let (ws, mut peer) = open_over(quiet(), "", peer, transport).await;
    ws.write_data("fits", secs(1)).await.unwrap();
    let start = Instant::now();
    let (result, ()) = tokio::join!(ws.write_data(vec![0; BIG], secs(5)), async {
        tokio::time::sleep(secs(3)).await;
        peer.expect(text("fits")).await;
        peer.expect(binary(vec![0; BIG])).await;
    });
    result.unwrap();
    assert_eq!(start.elapsed().as_secs(), 3);
    ws.write_json(&[1, 2], secs(1)).await.unwrap();
    ws.flush().await.unwrap();
    peer.expect(text("[1,2]")).await;
}

#[tokio::test(start_paused = true)]
async fn a_write_timeout_ends_the_connection() {
    let (peer, transport, _) = tap(1024);
    let (ws, mut peer) = open_over(quiet(), "", peer, transport).await;
    let start = Instant::now();
    assert_eq!(kind(ws.write_data(vec![0; BIG], secs(2)).await), ErrorKind::WriteTimeout);
    assert_eq!(kind(ws.done().await), ErrorKind::WriteTimeout);
    assert_eq!(start.elapsed().as_secs(), 2);
    assert_eq!(kind(ws.send("late").await), ErrorKind::WriteTimeout);
    assert_eq!(kind(ws.recv().await), ErrorKind::WriteTimeout);
    assert!(peer.read_to_end().await < BIG);
}

#[tokio::test(start_paused = true)]
async fn a_value_that_cannot_be_serialised_leaves_the_connection_usable() {
    let (ws, mut peer) = open(quiet()).await;
    let value = std::collections::BTreeMap::from([((1, 2), 3)]);
    assert_eq!(kind(ws.write_json(&value, secs(1)).await), ErrorKind::Encode);
    ws.send("fine").await.unwrap();
    peer.expect(text("fine")).await;
}

#[tokio::test(start_paused = true)]
async fn a_manager_is_a_sink() {
    let (mut ws, mut peer) = open(quiet()).await;
    SinkExt::send(&mut ws, Message::text("a")).await.unwrap();
    SinkExt::feed(&mut ws, Message::text("b")).await.unwrap();
    let (result, ()) = tokio::join!(SinkExt::close(&mut ws), async {
        peer.expect(text("a")).await;
        peer.expect(text("b")).await;
        peer.expect_close(1000).await;
        peer.send(super::support::close(1000, "")).await;
    });
    result.unwrap();
}

#[tokio::test(start_paused = true)]
async fn clones_send_from_several_tasks_without_mixing_frames() {
    for more in ["", DEFLATE] {
        let (ws, peer) = open_with(many_senders(), more).await;
        let senders = (0..SENDERS).map(|sender| tokio::spawn(send_numbered(ws.clone(), sender))).collect::<Vec<_>>();
        receive_numbered(peer).await;
        for sender in senders {
            sender.await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn clones_send_from_several_threads_without_mixing_frames() {
    for more in ["", DEFLATE] {
        let (ws, peer) = open_with(many_senders(), more).await;
        // Each on a thread of its own: a worker might run them one after the other.
        let threads = (0..SENDERS).map(|sender| {
            let (ws, runtime) = (ws.clone(), tokio::runtime::Handle::current());
            tokio::task::spawn_blocking(move || runtime.block_on(send_numbered(ws, sender)))
        });
        let threads = threads.collect::<Vec<_>>();
        receive_numbered(peer).await;
        for thread in threads {
            thread.await.unwrap();
        }
    }
}

const SENDERS: usize = 4;
const MESSAGES: usize = 100;

fn many_senders() -> Upgrader {
    quiet().compression(Compression::default().threshold(0).server_context_takeover(true))
}

/// Sends messages that say whose they are and count up.
async fn send_numbered(ws: Manager, sender: usize) {
    for number in 0..MESSAGES {
        ws.send(format!("{sender} {number} {}", "x".repeat(number * 10))).await.unwrap();
        tokio::task::yield_now().await;
    }
}

/// Each sender's messages arrive whole and in order. With context takeover that tells the order of compression too.
async fn receive_numbered(mut peer: Peer) {
    let mut inflate = Inflate::new();
    let mut next = [0; SENDERS];
    for _ in 0..SENDERS * MESSAGES {
        let frame = peer.recv().await.unwrap();
        let payload = if frame.is_compressed() { inflate.message(&frame.payload) } else { frame.payload };
        let message = String::from_utf8(payload).unwrap();
        let (sender, rest) = message.split_once(' ').unwrap();
        let number = &mut next[sender.parse::<usize>().unwrap()];
        assert_eq!(rest, format!("{number} {}", "x".repeat(*number * 10)));
        *number += 1;
    }
    assert_eq!(next, [MESSAGES; SENDERS]);
}

#[tokio::test(start_paused = true)]
async fn a_pong_overtakes_what_is_buffered() {
    let (peer, transport, _) = tap(1024);
    let (ws, mut peer) =
        open_over(quiet().limits(Limits::default().max_write_buffer_size(2 * BIG)), "", peer, transport).await;
    ws.send(vec![1; BIG]).await.unwrap();
    peer.settle().await;
    ws.send(vec![2; BIG]).await.unwrap();
    peer.send(ping("?")).await;
    peer.settle().await;
    peer.expect(binary(vec![1; BIG])).await;
    peer.expect(pong("?")).await;
    peer.expect(binary(vec![2; BIG])).await;
}
