//! Links of 800 kbit/s, in network namespaces: what is slow goes on, and what is dead is found.

use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::time::{Instant, sleep};
use tower_websocket::{ErrorKind, Role, Upgrader};

use crate::support::{
    MIB, Over, Reading, Received, Way, drop_packets, expect, heal, how, in_namespaces, open, secs, shape,
};

fn side(case: &str) -> (Role, Over) {
    let (role, over) = case.split_once(' ').unwrap();
    let role = if role == "server" { Role::Server } else { Role::Client };
    (role, Over::ALL.into_iter().find(|named| named.to_string() == over).unwrap())
}

#[test]
fn over_a_slow_link_a_peer_whose_packets_are_dropped_is_found() {
    let test = "slow_links::over_a_slow_link_a_peer_whose_packets_are_dropped_is_found";
    let Some(case) = in_namespaces(test, &CASES) else { return };
    let (role, over) = side(&case);
    Runtime::new().unwrap().block_on(packets_are_dropped(role, over));
}

#[test]
fn over_a_slow_link_everything_arrives() {
    let Some(case) = in_namespaces("slow_links::over_a_slow_link_everything_arrives", &CASES) else { return };
    let (role, over) = side(&case);
    Runtime::new().unwrap().block_on(everything_arrives(role, over));
}

#[test]
fn over_a_slow_link_everything_arrives_and_then_our_close_frame() {
    let test = "slow_links::over_a_slow_link_everything_arrives_and_then_our_close_frame";
    let Some(case) = in_namespaces(test, &CASES) else { return };
    let (role, over) = side(&case);
    Runtime::new().unwrap().block_on(we_close(role, over));
}

const CASES: [&str; 6] =
    ["server TCP", "client TCP", "server TLS", "client TLS", "server HTTP/2", "client HTTP/2 over TLS"];

/// The peer closes when it has everything.
async fn everything_arrives(role: Role, over: Over) {
    let (ws, mut peer) = open(role, over, Way::DIRECT, Upgrader::new()).await;
    shape("800kbit");
    let reading = tokio::spawn(async move { peer.read(Reading::at(1 << 30).closing_after(2 * MIB)).await });
    ws.send(vec![0; 2 * MIB]).await.unwrap();
    expect("the end", how(ws.done().await), Ok(1000));
    expect("the peer", reading.await.unwrap(), Received { data: 2 * MIB, code: Some(1000) });
}

/// Our close frame stands behind everything, and the peer pings meanwhile.
async fn we_close(role: Role, over: Over) {
    let (ws, mut peer) = open(role, over, Way::DIRECT, Upgrader::new()).await;
    shape("800kbit");
    let reading = tokio::spawn(async move { peer.read(Reading::at(1 << 30).pinging(secs(1))).await });
    ws.send(vec![0; 2 * MIB]).await.unwrap();
    expect("close", ws.close().await.map_err(|error| error.kind()), Ok(()));
    expect("the peer", reading.await.unwrap(), Received { data: 2 * MIB, code: Some(1000) });
}

/// Where other programs starve the link, a peer seems slower than it is and gets more time: then once more.
async fn packets_are_dropped(role: Role, over: Over) {
    shape("800kbit");
    for _ in 0..3 {
        let found = found_after(role, over).await;
        assert!((secs(2)..secs(31)).contains(&found), "found after {found:?}");
        if found < secs(12) {
            return;
        }
    }
    panic!("three times not found within 12 s");
}

/// How long it takes to find a peer whose packets are dropped in the middle of a large message.
async fn found_after(role: Role, over: Over) -> Duration {
    let (ws, mut peer) = open(role, over, Way::DIRECT, Upgrader::new()).await;
    let reading = tokio::spawn(async move { peer.read_to_end().await });
    ws.send(vec![0; 2 * MIB]).await.unwrap();
    sleep(secs(6)).await;
    expect("the end", ws.end().map(how), None);
    drop_packets();
    let start = Instant::now();
    let end = how(ws.done().await);
    let found = start.elapsed();
    heal();
    assert!(matches!(end, Err(ErrorKind::KeepaliveTimeout | ErrorKind::WriteTimeout)), "{end:?}");
    reading.abort();
    found
}
