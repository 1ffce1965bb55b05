//! Messages that the handler does not receive: what stands behind them is noticed.

use tokio::time::timeout;
use tower_websocket::{Connector, ErrorKind, Manager, Role};

use crate::support::{
    Cases, Frame, KIB, MIB, Over, Peer, Socket, Way, binary, close, expect, handed_over, how, millis, open, ping, pong,
    quiet, secs, serve, sides, text,
};

/// Far less than any timeout, and enough for a busy machine.
const AT_ONCE: std::time::Duration = secs(3);

async fn send_all(peer: &mut Peer, frames: impl IntoIterator<Item = Frame>) {
    let bytes: Vec<_> = frames.into_iter().flat_map(|frame| peer.encode(&frame)).collect();
    peer.send_raw(bytes).await;
}

/// What is still to be received, and how it ends: `Ok` is `Ok(None)`.
async fn rest(ws: &Manager) -> (usize, Result<(), ErrorKind>) {
    let mut messages = 0;
    loop {
        match ws.recv().await {
            Ok(Some(_)) => messages += 1,
            Ok(None) => return (messages, Ok(())),
            Err(error) => return (messages, Err(error.kind())),
        }
    }
}

#[tokio::test]
async fn a_close_frame_after_unread_messages_is_noticed_at_once() {
    let mut cases = Cases::default();
    for (role, over) in sides(&Over::ALL) {
        for (name, messages) in [
            ("two", vec![text("unread"); 2]),
            ("three", vec![text("unread"), binary([0; 1000]), text("")]),
            ("60 messages of 1,000 bytes", vec![binary([0; 1000]); 60]),
            ("fragments", vec![text("un").more(), Frame::new(0x80, "read"), text("unread")]),
        ] {
            let count = if name == "fragments" { 2 } else { messages.len() };
            cases.add(format!("{role:?}, {over}, {name}"), async move {
                let (ws, mut peer) = open(role, over, Way::DIRECT, quiet()).await;
                let context = ws.context();
                send_all(&mut peer, messages).await;
                // It comes alone, after the handler has had its time.
                peer.settle().await;
                peer.send(close(4000, "bye")).await;
                let answer = timeout(AT_ONCE, peer.recv_close()).await;
                expect("the answer", answer.ok(), Some(Some(4000)));
                let end = timeout(AT_ONCE, ws.done()).await;
                expect("done", end.ok().map(how), Some(Ok(4000)));
                expect("the context", timeout(AT_ONCE, context.cancelled()).await.is_ok(), true);
                expect("sending", ws.send("late").await.map_err(|error| error.kind()), Err(ErrorKind::Closed));
                expect("the rest", rest(&ws).await, (count, Ok(())));
            });
        }
    }
    cases.finish().await;
}

#[tokio::test]
async fn the_close_of_a_client_of_ours_is_quick_where_a_handler_only_sends() {
    let mut cases = Cases::default();
    for over in Over::ALL {
        cases.add(over, async move {
            let (layer, mut managers) = handed_over();
            let layer = layer.upgrader(quiet());
            let client = serve(over, layer).await.connect(Connector::new().config(quiet().get_config().clone())).await;
            let ws = managers.recv().await.unwrap();
            client.send("unread").await.unwrap();
            client.send("unread").await.unwrap();
            expect("close", timeout(AT_ONCE, client.close()).await.is_ok(), true);
            expect("the client", how(client.done().await), Ok(1000));
            expect("the server", how(ws.done().await), Ok(1000));
        });
    }
    cases.finish().await;
}

#[tokio::test]
async fn a_ping_after_unread_messages_is_answered() {
    let mut cases = Cases::default();
    for (role, over) in sides(&Over::ALL) {
        for (name, messages) in [
            ("one", vec![text("unread")]),
            ("one of 60 KiB", vec![binary(vec![0; 60 * KIB])]),
            ("two", vec![text("unread"); 2]),
            ("60 messages of 1,000 bytes", vec![binary([0; 1000]); 60]),
        ] {
            cases.add(format!("{role:?}, {over}, {name}"), async move {
                let (ws, mut peer) = open(role, over, Way::DIRECT, quiet()).await;
                let count = messages.len();
                send_all(&mut peer, messages).await;
                for payload in ["a", "b"] {
                    peer.settle().await;
                    peer.send(ping(payload)).await;
                    expect("the answer", timeout(AT_ONCE, peer.recv()).await.ok(), Some(Some(pong(payload))));
                }
                peer.send(close(1000, "")).await;
                expect("the rest", rest(&ws).await, (count, Ok(())));
            });
        }
    }
    cases.finish().await;
}

#[tokio::test]
async fn a_pong_after_unread_messages_is_received() {
    let mut cases = Cases::default();
    for (role, over) in sides(&Over::ALL) {
        cases.add(format!("{role:?}, {over}"), async move {
            let (ws, mut peer) = open(role, over, Way::DIRECT, quiet()).await;
            send_all(&mut peer, vec![text("unread"); 2]).await;
            peer.settle().await;
            let measuring = tokio::spawn(async move { ws.ping().await.map(drop).map_err(|error| error.kind()) });
            let asked = peer.recv().await.unwrap();
            peer.send(Frame::new(0x8a, asked.payload)).await;
            expect("the ping", timeout(AT_ONCE, measuring).await.ok().map(Result::unwrap), Some(Ok(())));
        });
    }
    cases.finish().await;
}

#[tokio::test]
async fn the_end_of_a_transport_after_unread_messages_is_noticed_at_once() {
    let mut cases = Cases::default();
    for (role, over) in sides(&Over::ALL) {
        for socket in [Socket::default(), Socket::RESETTING] {
            let name = if socket.reset_on_drop { "reset" } else { "ended" };
            cases.add(format!("{role:?}, {over}, {name}"), async move {
                let (ws, mut peer) = open(role, over, Way::Direct(socket), quiet()).await;
                send_all(&mut peer, vec![text("unread"); 2]).await;
                peer.settle().await;
                drop(peer);
                let end = timeout(AT_ONCE, ws.done()).await;
                expect("done", end.ok().map(how), Some(Err(ErrorKind::Disconnected)));
                expect("the rest", rest(&ws).await, (2, Err(ErrorKind::Disconnected)));
            });
        }
    }
    cases.finish().await;
}

#[tokio::test]
async fn unread_messages_push_back_and_all_of_them_are_received() {
    const MESSAGES: usize = 24;
    let mut cases = Cases::default();
    for (role, over) in sides(&Over::ALL) {
        cases.add(format!("{role:?}, {over}"), async move {
            let (ws, mut peer) = open(role, over, Way::DIRECT, quiet()).await;
            let (written, sent) = tokio::sync::oneshot::channel();
            let sending = tokio::spawn(async move {
                for _ in 0..MESSAGES {
                    peer.send(binary(vec![0; MIB - 100])).await;
                }
                let _ = written.send(());
                peer.send(close(1000, "")).await;
                peer
            });
            // The buffers of the kernel hold a part of it.
            expect("sent at once", timeout(millis(1500), sent).await.is_ok(), false);
            let taken = ws.stats().wire_received;
            expect("taken beyond one message", taken > 3 * MIB as u64, false);
            expect("the rest", rest(&ws).await, (MESSAGES, Ok(())));
            drop(sending.await.unwrap());
        });
    }
    cases.finish().await;
}

/// Both directions are full: neither waits for the other.
#[tokio::test]
async fn a_handler_that_does_not_receive_sends_on() {
    let mut cases = Cases::default();
    for over in Over::ALL {
        cases.add(over, async move {
            let (ws, mut peer) = open(Role::Server, over, Way::DIRECT, quiet()).await;
            send_all(&mut peer, vec![text("unread"); 5]).await;
            peer.settle().await;
            for _ in 0..100 {
                ws.send("news").await.unwrap();
                expect("the news", timeout(AT_ONCE, peer.recv()).await.ok(), Some(Some(text("news"))));
            }
        });
    }
    cases.finish().await;
}
