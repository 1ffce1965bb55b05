//! A peer that sends as much as it can, and the connections beside it.

use std::fs;

use tokio::sync::mpsc::unbounded_channel;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tower_websocket::{Connector, Limits, Manager, RateLimit, WebSocketLayer};

use crate::shared::echo;
use crate::support::{Over, Server, Socket, millis, quiet, secs, serve, text};

/// The nanoseconds that this thread has run, where the kernel tells. It is server, neighbours and flooder, whatever else the
/// machine does.
fn cpu_time() -> Option<f64> {
    fs::read_to_string("/proc/thread-self/schedstat").ok()?.split_whitespace().next()?.parse().ok()
}

/// What the neighbours' round trips cost, with all that happens beside them.
async fn cost(neighbours: &[Manager]) -> Option<f64> {
    let before = cpu_time()?;
    let mut tasks = JoinSet::new();
    for ws in neighbours {
        let ws = ws.clone();
        tasks.spawn(async move {
            for _ in 0..ROUND_TRIPS {
                ws.send("hello").await.unwrap();
                timeout(secs(60), ws.recv()).await.unwrap().unwrap();
            }
        });
    }
    tasks.join_all().await;
    Some(cpu_time()? - before)
}

/// Sends small messages as fast as the connection takes them.
async fn flood(server: Server) {
    let mut peer = server.open(Socket::default()).await;
    let burst: Vec<_> = (0..1000).flat_map(|_| peer.encode(&text("flood"))).collect();
    loop {
        peer.send_raw(&burst).await;
    }
}

/// What was seen beside a flooder.
struct Seen {
    /// What the neighbours cost, as a multiple of what they cost without it: the median of some rounds.
    cost: f64,
    /// How many messages of the flooder were received.
    flooded: u64,
}

async fn beside_a_flooder(rate_limit: RateLimit) -> Option<Seen> {
    let server = serve(Over::Tcp, WebSocketLayer::new(echo).upgrader(quiet())).await;
    // A flooder that gets no answers is held up by nothing but the limit.
    let (handles, mut flooded_by) = unbounded_channel();
    let ignore = WebSocketLayer::new(move |ws: Manager| {
        handles.send(ws.clone()).unwrap_or(());
        async move { ws.ignore_incoming().await.map(drop) }
    });
    let flooded = serve(Over::Tcp, ignore.upgrader(quiet().limits(Limits::default().rate_limit(rate_limit)))).await;
    let mut neighbours = Vec::new();
    for _ in 0..4 {
        neighbours.push(server.connect(Connector::new()).await);
    }
    let (mut ratios, mut messages) = (Vec::new(), 0);
    for _ in 0..ROUNDS {
        let alone = cost(&neighbours).await?;
        let flooder = tokio::spawn(flood(flooded.clone()));
        // Past its burst.
        tokio::time::sleep(millis(500)).await;
        ratios.push(cost(&neighbours).await? / alone);
        messages += flooded_by.recv().await?.stats().messages_received;
        flooder.abort();
        let _ = flooder.await;
    }
    ratios.sort_by(f64::total_cmp);
    Some(Seen { cost: ratios[ROUNDS / 2], flooded: messages })
}

#[tokio::test]
async fn a_flooder_with_a_rate_limit_costs_its_neighbours_little() {
    let limited = beside_a_flooder(RateLimit::new().messages(100).bytes(16 * 1024)).await;
    let (Some(limited), Some(unlimited)) = (limited, beside_a_flooder(RateLimit::new()).await) else {
        println!("skipped: the kernel does not say how long a thread has run");
        return;
    };
    println!("the neighbours cost {:.3} times as much with a rate limit, {:.3} without", limited.cost, unlimited.cost);
    // Below 1.05 where nothing else runs; caches are shared with what does.
    assert!(limited.cost < 1.25, "{}", limited.cost);
    // It was a flood, and the limit held it up.
    assert!(unlimited.flooded > 10 * limited.flooded, "{} and {}", unlimited.flooded, limited.flooded);
}

const ROUND_TRIPS: usize = 300;
const ROUNDS: usize = 5;
