//! Sockets that are opened and abandoned in each phase: memory, tasks and descriptors come back.

use std::net::SocketAddr;

use tokio::io::AsyncWriteExt;
use tokio::task::JoinSet;
use tower_websocket::{Compression, Manager, Shutdown, Upgrader, WebSocketLayer};

use crate::shared::{binary, close, echo, request, text};
use crate::support::{alone, connect, descriptors, open, resident, serve, tasks, until};

/// How far a client comes before it goes.
#[derive(Clone, Copy, Debug)]
enum Phase {
    Closing,
    Connected,
    Idle,
    MidHeader,
    MidMessage,
    MidRequest,
    Requested,
    /// Its own messages come back, and it reads none.
    Unread,
}

const PHASES: [Phase; 8] = [
    Phase::Connected,
    Phase::MidRequest,
    Phase::Requested,
    Phase::Idle,
    Phase::MidHeader,
    Phase::MidMessage,
    Phase::Unread,
    Phase::Closing,
];

async fn abandon(address: SocketAddr, phase: Phase, reset: bool) {
    const OFFER: &str = "Sec-WebSocket-Extensions: permessage-deflate\r\n";
    let mut stream = match phase {
        Phase::Connected | Phase::MidRequest | Phase::Requested => connect(address).await,
        _ => open(address, OFFER).await,
    };
    let bytes = match phase {
        Phase::Connected | Phase::Idle => Vec::new(),
        Phase::MidRequest => request("localhost", "/", "")[..60].into(),
        Phase::Requested => request("localhost", "/", OFFER).into(),
        Phase::MidHeader => binary([0; 300]).masked()[..3].to_vec(),
        Phase::MidMessage => [text("whole").masked(), binary([0; 90_000]).announce(100_000), vec![0; 70_000]].concat(),
        Phase::Unread => text("hello ".repeat(2000)).masked().repeat(20),
        Phase::Closing => close(1000, "").masked(),
    };
    stream.write_all(&bytes).await.unwrap();
    if reset {
        stream.set_zero_linger().unwrap();
    }
}

/// 4,000 sockets; more with `TOWER_WEBSOCKET_SOCKETS=100000`.
#[test]
fn sockets_that_are_abandoned_leave_nothing_behind() {
    let sockets = std::env::var("TOWER_WEBSOCKET_SOCKETS").map_or(4_000, |sockets| sockets.parse().unwrap());
    alone(async move {
        let shutdown = Shutdown::new();
        let compression = Compression::default().server_context_takeover(true);
        let layer = WebSocketLayer::new(|ws: Manager| async move {
            // What a clone in another task waits for ends too.
            let clone = ws.clone();
            tokio::spawn(async move { clone.done().await });
            echo(ws).await
        });
        let layer = layer.upgrader(Upgrader::new().compression(compression)).shutdown(&shutdown);
        let address = serve(layer).await;
        let (tasks_before, descriptors_before) = (tasks(), descriptors());
        let mut after_first = 0;
        const ROUNDS: usize = 4;
        for round in 0..ROUNDS {
            for phase in PHASES {
                for reset in [false, true] {
                    let mut left = sockets / (ROUNDS * PHASES.len() * 2);
                    while left > 0 {
                        let batch = left.min(100);
                        left -= batch;
                        let mut clients = JoinSet::new();
                        (0..batch).for_each(|_| drop(clients.spawn(abandon(address, phase, reset))));
                        clients.join_all().await;
                    }
                    until(&format!("{phase:?} leaves nothing"), || {
                        shutdown.connections() == 0 && tasks() <= tasks_before && descriptors() <= descriptors_before
                    })
                    .await;
                }
            }
            if round == 0 {
                after_first = resident();
            }
        }
        let grown = resident().saturating_sub(after_first);
        println!(
            "{sockets} sockets: {} KiB after a quarter of them, {} KiB more at the end",
            after_first >> 10,
            grown >> 10
        );
        assert!(grown < 8 << 20, "{} KiB more", grown >> 10);
    });
}
