//! Links of 800 kbit/s, in network namespaces: what is slow goes on, and what is dead is found.

use tokio::runtime::Runtime;
use tokio::time::{Instant, sleep};
use tower_websocket::{ErrorKind, Role, Upgrader};

use crate::support::{MIB, Over, Received, Way, drop_packets, expect, how, in_namespaces, open, secs, shape};

/// Each of them with a peer that reads on and with one whose packets are dropped.
const CASES: [&str; 9] = [
    "server TCP",
    "client TCP",
    "server TLS",
    "server HTTP/2",
    "client HTTP/2 over TLS",
    "server TCP, packets dropped",
    "client TCP, packets dropped",
    "server TLS, packets dropped",
    "server HTTP/2 over TLS, packets dropped",
];

#[test]
fn over_a_slow_link_everything_arrives_and_a_dead_peer_is_found() {
    let test = "slow_links::over_a_slow_link_everything_arrives_and_a_dead_peer_is_found";
    let Some(case) = in_namespaces(test, &CASES) else { return };
    let (case, dies) = case.strip_suffix(", packets dropped").map_or((&*case, false), |case| (case, true));
    let (role, over) = case.split_once(' ').unwrap();
    let role = if role == "server" { Role::Server } else { Role::Client };
    let over = Over::ALL.into_iter().find(|named| named.to_string() == over).unwrap();
    let runtime = Runtime::new().unwrap();
    if dies {
        runtime.block_on(packets_are_dropped(role, over));
    } else {
        runtime.block_on(everything_arrives(role, over));
    }
}

async fn everything_arrives(role: Role, over: Over) {
    let (ws, mut peer) = open(role, over, Way::DIRECT, Upgrader::new()).await;
    shape("800kbit");
    let reading = tokio::spawn(async move { peer.read_to_end().await });
    ws.send(vec![0; 2 * MIB]).await.unwrap();
    expect("close", ws.close().await.map_err(|error| error.kind()), Ok(()));
    expect("the peer", reading.await.unwrap(), Received { data: 2 * MIB, code: Some(1000) });
}

async fn packets_are_dropped(role: Role, over: Over) {
    let (ws, mut peer) = open(role, over, Way::DIRECT, Upgrader::new()).await;
    shape("800kbit");
    let reading = tokio::spawn(async move { peer.read_to_end().await });
    ws.send(vec![0; 2 * MIB]).await.unwrap();
    sleep(secs(6)).await;
    expect("the end", ws.end().map(how), None);
    drop_packets();
    let start = Instant::now();
    let end = how(ws.done().await);
    assert!(matches!(end, Err(ErrorKind::KeepaliveTimeout | ErrorKind::WriteTimeout)), "{end:?}");
    assert!((secs(2)..secs(10)).contains(&start.elapsed()), "found after {:?}", start.elapsed());
    reading.abort();
}
