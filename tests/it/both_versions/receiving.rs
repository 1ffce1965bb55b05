//! Messages on their way in.

use std::collections::BTreeSet;
use std::pin::pin;

use futures_util::{FutureExt, StreamExt};
use tower_websocket::{ErrorKind, Manager};

use super::support::{binary, close, continuation, kind, millis, open, ping, pong, quiet, secs, text};

#[tokio::test(start_paused = true)]
async fn several_receivers_get_each_message_once() {
    let (ws, mut peer) = open(quiet()).await;
    let receivers: Vec<_> = (0..8)
        .map(|_| {
            let ws = ws.clone();
            tokio::spawn(async move {
                let mut got = Vec::new();
                while let Some(message) = ws.recv().await.unwrap() {
                    got.push(message.as_text().unwrap().parse::<u32>().unwrap());
                    tokio::task::yield_now().await;
                }
                got
            })
        })
        .collect();
    for number in 0..2000 {
        peer.send(text(number.to_string())).await;
    }
    peer.send(close(1000, "")).await;
    let mut all = BTreeSet::new();
    for receiver in receivers {
        let got = receiver.await.unwrap();
        assert!(got.is_sorted());
        for number in got {
            assert!(all.insert(number), "{number} came twice");
        }
    }
    assert_eq!(all.len(), 2000);
}

#[tokio::test(start_paused = true)]
async fn a_timeout_loses_nothing_and_the_connection_stays_usable() {
    let (ws, mut peer) = open(quiet()).await;
    assert_eq!(kind(ws.read_json::<u8>(secs(1)).await), ErrorKind::ReadTimeout);
    assert_eq!(kind(ws.read_binary(secs(1)).await), ErrorKind::ReadTimeout);
    peer.send_raw(&text("17").masked()[..7]).await;
    assert_eq!(kind(ws.read_json::<u8>(secs(1)).await), ErrorKind::ReadTimeout);
    peer.send_raw(&text("17").masked()[7..]).await;
    assert_eq!(ws.read_json::<u8>(secs(1)).await.unwrap(), 17);
    ws.send("still here").await.unwrap();
    peer.expect(text("still here")).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_not_the_json_that_was_asked_for_leaves_the_connection_usable() {
    let (ws, mut peer) = open(quiet()).await;
    peer.send_all([text("{"), text("\"text\""), binary("1"), text("2"), binary("raw"), text("text")]).await;
    assert_eq!(kind(ws.read_json::<u8>(secs(1)).await), ErrorKind::Decode);
    assert_eq!(kind(ws.read_json::<u8>(secs(1)).await), ErrorKind::Decode);
    assert_eq!(ws.read_json::<u8>(secs(1)).await.unwrap(), 1);
    assert_eq!(ws.read_json::<u8>(secs(1)).await.unwrap(), 2);
    assert_eq!(ws.read_binary(secs(1)).await.unwrap(), "raw");
    assert_eq!(ws.read_binary(secs(1)).await.unwrap(), "text");
}

#[tokio::test(start_paused = true)]
async fn a_dropped_receive_loses_nothing() {
    let (ws, mut peer) = open(quiet()).await;
    for number in 0..100_u32 {
        {
            let mut dropped = pin!(ws.recv());
            assert!(dropped.as_mut().now_or_never().is_none());
            // It is woken, and dropped all the same.
            peer.send(text(number.to_string())).await;
            peer.settle().await;
        }
        {
            let mut dropped = pin!(ws.read_json::<u32>(secs(1)));
            if number % 2 == 0 {
                assert_eq!(dropped.as_mut().now_or_never().unwrap().unwrap(), number);
                continue;
            }
        }
        assert_eq!(ws.recv().await.unwrap().unwrap().as_text(), Some(&*number.to_string()));
    }
}

#[tokio::test(start_paused = true)]
async fn what_arrives_while_messages_are_ignored_is_discarded_and_nothing_else() {
    let (ws, mut peer) = open(quiet()).await;
    for round in 0..3 {
        peer.send(text("unread")).await;
        peer.settle().await;
        {
            let mut ignoring = pin!(ws.ignore_incoming());
            assert!(ignoring.as_mut().now_or_never().is_none());
            peer.send(text("discarded")).await;
            peer.settle().await;
            assert!(ws.recv().now_or_never().is_none());
        }
        peer.send(text(format!("round {round}"))).await;
        assert_eq!(ws.recv().await.unwrap().unwrap().as_text(), Some(&*format!("round {round}")));
    }
}

#[tokio::test(start_paused = true)]
async fn a_loop_that_ignores_the_end_lets_other_tasks_run() {
    let (ws, mut peer) = open(quiet()).await;
    peer.send(close(1000, "")).await;
    assert_eq!(ws.recv().await.unwrap(), None);
    let other = tokio::spawn(async {});
    let ignoring = async {
        loop {
            assert_eq!(ws.recv().await.unwrap(), None);
        }
    };
    tokio::select! {
        () = ignoring => {}
        result = other => result.unwrap(),
    }
}

#[tokio::test(start_paused = true)]
async fn control_frames_may_stand_between_fragments() {
    let (ws, mut peer) = open(quiet()).await;
    for byte in text("one ").more().masked().into_iter().chain(ping("?").masked()) {
        peer.send_raw([byte]).await;
        peer.settle().await;
    }
    peer.expect(pong("?")).await;
    peer.send_all([
        continuation("").more(),
        ping("!"),
        continuation("two ").more(),
        pong("unasked"),
        continuation("three"),
    ])
    .await;
    peer.expect(pong("!")).await;
    assert_eq!(ws.recv().await.unwrap().unwrap().as_text(), Some("one two three"));
}

#[tokio::test(start_paused = true)]
async fn a_message_may_come_in_65536_fragments() {
    let (ws, mut peer) = open(quiet()).await;
    let sender = async {
        peer.send(binary([0]).more()).await;
        let middle = continuation([1]).more().masked().repeat(65_534);
        peer.send_raw(middle).await;
        peer.send(continuation([2])).await;
    };
    let (message, ()) = tokio::join!(ws.recv(), sender);
    assert_eq!(message.unwrap().unwrap().len(), 65_536);
}

#[tokio::test(start_paused = true)]
async fn a_manager_is_a_stream_that_ends_with_the_connection() {
    let (mut ws, mut peer): (Manager, _) = open(quiet()).await;
    peer.send_all([text("a"), text(""), binary(""), close(1001, "gone")]).await;
    let lengths: Vec<_> = ws.by_ref().map(|message| message.unwrap().len()).collect().await;
    assert_eq!(lengths, [1, 0, 0]);
    assert!(ws.next().await.is_none());
    tokio::time::sleep(millis(1)).await;
    assert_eq!(ws.recv().await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn stats_count_messages_payload_and_bytes() {
    let (ws, mut peer) = open(quiet()).await;
    peer.send(text("12345")).await;
    ws.recv().await.unwrap();
    ws.send("123").await.unwrap();
    ws.send(vec![0; 4]).await.unwrap();
    peer.expect(text("123")).await;
    peer.expect(binary([0; 4])).await;
    let stats = ws.stats();
    assert_eq!((stats.messages_received, stats.payload_received, stats.wire_received), (1, 5, 11));
    assert_eq!((stats.messages_sent, stats.payload_sent, stats.wire_sent), (2, 7, 11));
}

#[tokio::test(start_paused = true)]
async fn messages_that_are_kept_do_not_change_with_what_is_read_later() {
    let (ws, mut peer) = open(quiet()).await;
    // Below and above the sizes from which a message keeps the memory that it was read into.
    let sizes = [10, 16_000, 17_000, 40_000, 65_000, 70_000, 200_000];
    let messages = (0..4).flat_map(|_| sizes).enumerate().map(|(number, size)| vec![number as u8; size]);
    let messages = messages.collect::<Vec<_>>();
    let sent = messages.clone();
    tokio::spawn(async move {
        for message in sent {
            peer.send(binary(message)).await;
        }
        std::future::pending::<()>().await;
    });
    let mut kept = Vec::new();
    for _ in &messages {
        kept.push(ws.recv().await.unwrap().unwrap().into_bytes());
    }
    assert!(kept == messages);
}

#[tokio::test(start_paused = true)]
async fn a_stream_ends_after_one_error() {
    let (mut ws, mut peer) = open(quiet()).await;
    peer.shutdown().await;
    let items: Vec<_> = ws.by_ref().collect().await;
    assert_eq!(items.len(), 1);
    assert_eq!(items.into_iter().next().map(kind), Some(ErrorKind::Disconnected));
    // `recv` says the same on every call.
    assert_eq!(kind(ws.recv().await), ErrorKind::Disconnected);
}
