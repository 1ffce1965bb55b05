//! How much may wait to be received, and handlers that receive nothing.

use tokio::time::timeout;
use tower_websocket::{Budget, ErrorKind, Limits, Upgrader};

use crate::support::{
    Cases, KIB, MIB, Over, Way, binary, close, expect, how, millis, open, ping, pong, quiet, secs, sides, text,
};

fn incoming(bytes: usize) -> Upgrader {
    quiet().limits(Limits::default().incoming(bytes))
}

#[tokio::test]
async fn so_many_bytes_of_messages_wait_and_no_more() {
    let mut cases = Cases::default();
    for (role, over) in sides(&Over::ALL) {
        for (limit, message, held) in [(10 * KIB, KIB, true), (MIB, 10 * KIB, true), (0, KIB, false), (KIB, 100, true)]
        {
            cases.add(format!("{role:?}, {over}, {limit} B, messages of {message} B"), async move {
                let (ws, mut peer) = open(role, over, Way::DIRECT, incoming(limit)).await;
                let messages = (limit / message).max(1);
                for _ in 0..messages {
                    peer.send(binary(vec![0; message])).await;
                }
                if held {
                    // The last one fits, so what is behind it is seen.
                    peer.send(ping("seen?")).await;
                    expect("the answer", timeout(secs(3), peer.recv()).await.ok(), Some(Some(pong("seen?"))));
                }
                for _ in 0..messages {
                    expect("a message", ws.recv().await.unwrap().map(|message| message.len()), Some(message));
                }
                peer.send(close(1000, "")).await;
                expect("the end", how(ws.done().await), Ok(1000));
            });
        }
    }
    cases.finish().await;
}

#[tokio::test]
async fn one_message_of_any_size_waits() {
    let mut cases = Cases::default();
    for (role, over) in sides(&Over::ALL) {
        cases.add(format!("{role:?}, {over}"), async move {
            let (ws, mut peer) = open(role, over, Way::DIRECT, incoming(1)).await;
            peer.send(binary(vec![0; 500 * KIB])).await;
            peer.send(close(1000, "")).await;
            expect("a message", ws.recv().await.unwrap().map(|message| message.len()), Some(500 * KIB));
            expect("the end", how(ws.done().await), Ok(1000));
        });
    }
    cases.finish().await;
}

#[tokio::test]
async fn ignored_messages_are_dropped_until_the_peer_closes() {
    let mut cases = Cases::default();
    for (role, over) in sides(&Over::ALL) {
        cases.add(format!("{role:?}, {over}"), async move {
            let budget = Budget::new(16 * MIB);
            let settings = quiet().limits(Limits::default().budget(budget.clone()));
            let (ws, mut peer) = open(role, over, Way::DIRECT, settings).await;
            let ignoring = tokio::spawn({
                let ws = ws.clone();
                async move { ws.ignore_incoming().await }
            });
            // More than any buffer holds: without somebody who takes it, this would wait.
            let sending = async {
                for _ in 0..24 {
                    peer.send(binary(vec![0; MIB - 100])).await;
                }
                peer.send(ping("alive?")).await;
                expect("the answer", peer.recv().await, Some(pong("alive?")));
                expect("charged", budget.used(), 0);
                ws.send("news").await.unwrap();
                expect("the news", peer.recv().await, Some(text("news")));
                peer.send(close(4000, "")).await;
            };
            timeout(secs(30), sending).await.expect("everything is taken");
            expect("the end", how(ignoring.await.unwrap()), Ok(4000));
            expect("nothing is left", ws.recv().await.unwrap(), None);
        });
    }
    cases.finish().await;
}

#[tokio::test]
async fn ignore_incoming_returns_at_each_end() {
    let mut cases = Cases::default();
    for (role, over) in sides(&Over::ALL) {
        cases.add(format!("{role:?}, {over}, the peer vanishes"), async move {
            let (ws, mut peer) = open(role, over, Way::DIRECT, quiet()).await;
            peer.send(text("ignored")).await;
            peer.send(text("ignored")).await;
            peer.settle().await;
            drop(peer);
            expect("the end", how(ws.ignore_incoming().await), Err(ErrorKind::Disconnected));
        });
        cases.add(format!("{role:?}, {over}, we close"), async move {
            let (ws, mut peer) = open(role, over, Way::DIRECT, quiet()).await;
            tokio::spawn(async move { peer.read_to_end().await });
            let closing = ws.clone();
            tokio::spawn(async move { closing.close().await });
            expect("the end", how(ws.ignore_incoming().await), Ok(1000));
        });
        cases.add(format!("{role:?}, {over}, a violation"), async move {
            let (ws, mut peer) = open(role, over, Way::DIRECT, quiet()).await;
            let ignoring = tokio::spawn(async move { ws.ignore_incoming().await });
            peer.send(text([0xff])).await;
            expect("the close code", peer.recv_close().await, Some(1007));
            peer.shutdown().await;
            expect("the end", how(ignoring.await.unwrap()), Err(ErrorKind::Protocol));
        });
    }
    cases.finish().await;
}

#[tokio::test]
async fn when_ignoring_is_dropped_the_next_message_is_received() {
    let mut cases = Cases::default();
    for (role, over) in sides(&Over::ALL) {
        cases.add(format!("{role:?}, {over}"), async move {
            let (ws, mut peer) = open(role, over, Way::DIRECT, quiet()).await;
            peer.send(text("ignored")).await;
            expect("it ends", timeout(millis(300), ws.ignore_incoming()).await.is_ok(), false);
            peer.send(text("received")).await;
            let received = ws.recv().await.unwrap();
            expect("a message", received.as_ref().and_then(|message| message.as_text()), Some("received"));
        });
    }
    cases.finish().await;
}
