//! A peer that sends as much as it can, and the connections beside it.

use std::time::Instant;

use tokio::task::JoinSet;
use tokio::time::timeout;
use tower_websocket::{Connector, Limits, Manager, RateLimit, WebSocketLayer};

use crate::shared::echo;
use crate::support::{Over, Server, Socket, millis, quiet, secs, serve, text};

/// How many round trips the neighbours make in this time, all together.
async fn round_trips(neighbours: &[Manager]) -> usize {
    let mut tasks = JoinSet::new();
    for ws in neighbours.iter().cloned() {
        tasks.spawn(async move {
            let (start, mut round_trips) = (Instant::now(), 0);
            while start.elapsed() < MEASURED {
                ws.send("hello").await.unwrap();
                timeout(secs(30), ws.recv()).await.unwrap().unwrap();
                round_trips += 1;
            }
            round_trips
        });
    }
    tasks.join_all().await.into_iter().sum()
}

/// Sends small messages as fast as the connection takes them.
async fn flood(server: Server) {
    let mut peer = server.open_with(Socket::default(), "x-flooder: yes\r\n").await;
    let burst: Vec<_> = (0..1000).flat_map(|_| peer.encode(&text("flood"))).collect();
    loop {
        peer.send_raw(&burst).await;
    }
}

/// The neighbours' round trips beside a flooder, in parts of those without one: the median of some rounds.
async fn share(rate_limit: Option<RateLimit>) -> f64 {
    let limits = Limits::default();
    let limits = rate_limit.map_or(limits.clone(), |rate_limit| limits.rate_limit(rate_limit));
    let layer = WebSocketLayer::new(|ws: Manager| async move {
        // A flooder that gets no answers is held up by nothing but the limit.
        if ws.request().headers.contains_key("x-flooder") { ws.ignore_incoming().await.map(drop) } else { echo(ws).await }
    });
    let server = serve(Over::Tcp, layer.upgrader(quiet().limits(limits))).await;
    let mut neighbours = Vec::new();
    for _ in 0..4 {
        neighbours.push(server.connect(Connector::new()).await);
    }
    let mut shares = Vec::new();
    for _ in 0..ROUNDS {
        let alone = round_trips(&neighbours).await;
        let flooder = tokio::spawn(flood(server.clone()));
        // Past its burst.
        tokio::time::sleep(millis(300)).await;
        let beside = round_trips(&neighbours).await;
        flooder.abort();
        let _ = flooder.await;
        shares.push(beside as f64 / alone as f64);
    }
    shares.sort_by(f64::total_cmp);
    shares[ROUNDS / 2]
}

#[tokio::test]
async fn a_flooder_with_a_rate_limit_costs_its_neighbours_little() {
    let limited = share(Some(RateLimit::new().messages(100).bytes(16 * 1024))).await;
    let unlimited = share(None).await;
    println!("beside a flooder: {limited:.3} with a rate limit, {unlimited:.3} without");
    // 0.95 and more on a machine that does nothing else; this one may be busy.
    assert!(limited > 0.8, "{limited}");
    assert!(limited > unlimited + 0.1, "{limited} with a rate limit, {unlimited} without");
}

const MEASURED: std::time::Duration = millis(400);
const ROUNDS: usize = 5;
