//! Client sessions over networks that fail, in network namespaces: partitions, resets, loss.

use tokio::runtime::Runtime;
use tokio::time::{Instant, sleep, timeout};
use tower_websocket::{Backoff, Connector, ErrorKind, Keepalive, Limits, Manager, Message, Sessions, WebSocketLayer};

use crate::shared::echo;
use crate::support::{
    Over, drop_packets, expect, heal, in_namespaces, lose_packets, millis, reset_connections, secs, serve,
};

const CASES: [&str; 3] = ["partition", "reset", "loss"];

#[test]
fn sessions_go_on_when_the_network_does() {
    let Some(case) = in_namespaces("partitions::sessions_go_on_when_the_network_does", &CASES) else { return };
    Runtime::new().unwrap().block_on(async {
        let all = async {
            let server = serve(Over::Tcp, WebSocketLayer::new(echo)).await;
            let keepalive = Keepalive::default().interval(millis(300)).timeout(secs(1));
            let connector = Connector::new().keepalive(keepalive).limits(Limits::default().handshake_timeout(secs(1)));
            let backoff = Backoff::default().initial(millis(50)).max(millis(200));
            let sessions = connector.sessions(format!("ws://{}/", server.address()), backoff);
            match &*case {
                "loss" => with_loss(sessions).await,
                "partition" => cut_off(sessions, drop_packets, &[ErrorKind::KeepaliveTimeout]).await,
                // What is in flight may be lost with it.
                _ => cut_off(sessions, reset_connections, &[ErrorKind::Disconnected]).await,
            }
        };
        timeout(secs(100), all).await.expect("it ends in time");
    });
}

/// Three times the network is cut off in this way and comes back.
async fn cut_off(mut sessions: Sessions, cut: fn(), kinds: &[ErrorKind]) {
    let mut ws = sessions.next().await.unwrap().unwrap();
    for _ in 0..3 {
        check(&ws, 20).await;
        cut();
        let start = Instant::now();
        let kind = ws.done().await.unwrap_err().kind();
        assert!(kinds.contains(&kind), "{kind:?}");
        assert!(start.elapsed() < secs(4), "found after {:?}", start.elapsed());
        expect("sending", ws.send("lost").await.map_err(|error| error.kind()), Err(kind));
        // Meanwhile nobody answers: that ends no sessions.
        let next = sessions.next();
        assert!(timeout(secs(3), next).await.is_err(), "nobody is there");
        heal();
        let healed = Instant::now();
        ws = sessions.next().await.unwrap().unwrap();
        // The attempt that was on its way, and a pause.
        assert!(healed.elapsed() < secs(4), "back after {:?}", healed.elapsed());
    }
    check(&ws, 20).await;
}

/// Packets are lost: nothing else is, and nothing comes twice.
async fn with_loss(mut sessions: Sessions) {
    let ws = sessions.next().await.unwrap().unwrap();
    lose_packets();
    check(&ws, 300).await;
    sleep(secs(2)).await;
    assert!(ws.end().is_none(), "{:?}", ws.end());
    heal();
    ws.close().await.unwrap();
}

/// So many messages come back, in order.
async fn check(ws: &Manager, messages: usize) {
    for number in 0..messages {
        let message = Message::text(format!("{number} {}", "x".repeat(number)));
        ws.send(message.clone()).await.unwrap();
        assert_eq!(ws.recv().await.unwrap(), Some(message));
    }
}
