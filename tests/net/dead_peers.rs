//! Peers that accept no more data: they are found in time, over every transport.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;
use tower_websocket::{ErrorKind, Limits, Role, Upgrader};

use crate::support::{
    Cases, KIB, MIB, Nginx, Over, Reading, Socket, Way, expect, handed_over, how, open, quiet, secs, serve, sides,
};

/// More than the buffers of one connection hold, and those of the two of a proxy.
const FLOOD: usize = 8 * MIB;
static ZEROS: &[u8] = &[0; FLOOD];
const PROXIED_FLOOD: usize = 24 * MIB;

/// Sends a flood, and returns what it ended with and after how long.
async fn flood(role: Role, over: Over, way: Way, settings: Upgrader) -> (Result<u16, ErrorKind>, Duration) {
    let (ws, peer) = open(role, over, way, settings).await;
    let start = Instant::now();
    ws.send(Bytes::from_static(ZEROS)).await.unwrap();
    let end = how(ws.done().await);
    drop(peer);
    (end, start.elapsed())
}

fn in_time(found: Duration, least: u64, most: u64) {
    assert!((secs(least)..secs(most)).contains(&found), "found after {found:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_accepts_no_data_is_found_within_the_write_time() {
    let mut cases = Cases::default();
    for (role, over) in sides(&Over::ALL) {
        cases.add(format!("{role:?}, {over}, 2 s"), async move {
            let settings = quiet().limits(Limits::default().write_timeout(secs(2)));
            let (end, found) = flood(role, over, Way::SMALL, settings).await;
            expect("the end", end, Err(ErrorKind::WriteTimeout));
            // Where only our own buffers can be seen, a peer may be silent for the grace of 5 s.
            in_time(found, 1, if over.is_tls() || over.is_http2() { 9 } else { 7 });
        });
        cases.add(format!("{role:?}, {over}, no keepalive"), async move {
            let (end, found) = flood(role, over, Way::DIRECT, quiet()).await;
            expect("the end", end, Err(ErrorKind::WriteTimeout));
            in_time(found, 9, 14);
        });
        cases.add(format!("{role:?}, {over}, defaults"), async move {
            let (end, found) = flood(role, over, Way::DIRECT, Upgrader::new()).await;
            assert!(matches!(end, Err(ErrorKind::KeepaliveTimeout | ErrorKind::WriteTimeout)), "{end:?}");
            in_time(found, 2, 14);
        });
    }
    cases.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn write_data_fails_in_its_time_where_the_peer_accepts_no_data() {
    let mut cases = Cases::default();
    for (role, over) in sides(&Over::ALL) {
        cases.add(format!("{role:?}, {over}"), async move {
            let (ws, peer) = open(role, over, Way::SMALL, quiet()).await;
            let start = Instant::now();
            let written = ws.write_data(Bytes::from_static(ZEROS), secs(1)).await;
            expect("write_data", written.map_err(|error| error.kind()), Err(ErrorKind::WriteTimeout));
            in_time(start.elapsed(), 1, 5);
            expect("the end", how(ws.done().await), Err(ErrorKind::WriteTimeout));
            drop(peer);
        });
    }
    cases.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_behind_a_proxy_that_accepts_no_more_data_is_found() {
    let mut cases = Cases::default();
    for (role, over) in sides(&Over::TCP) {
        for (way, bytes, most) in [
            (Way::Dying { after: MIB, buffer: 64 * KIB }, PROXIED_FLOOD, 16),
            // The proxy still takes all of it.
            (Way::Dying { after: 16 * KIB, buffer: MIB }, 256 * KIB, 31),
        ] {
            cases.add(format!("{role:?}, {over}, {way}, {bytes} B sent"), async move {
                let (ws, mut peer) = open(role, over, way, Upgrader::new()).await;
                let start = Instant::now();
                let reading = tokio::spawn(async move { peer.read(Reading::at(1 << 30)).await });
                let _ = ws.send(vec![0; bytes]).await;
                let end = how(ws.done().await);
                assert!(matches!(end, Err(ErrorKind::KeepaliveTimeout | ErrorKind::WriteTimeout)), "{end:?}");
                in_time(start.elapsed(), 2, most);
                reading.abort();
            });
        }
    }
    cases.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_behind_nginx_that_accepts_no_data_is_found() {
    let (layer, mut managers) = handed_over();
    let layer = layer.upgrader(Upgrader::new());
    let server = serve(Over::Tcp, layer).await;
    let Some(nginx) = Nginx::start(server.address()) else { return };
    let server = server.behind(nginx.address);
    let mut cases = Cases::default();
    for bytes in [256 * KIB, PROXIED_FLOOD] {
        let peer = server.open(Socket::SMALL).await;
        let ws = managers.recv().await.unwrap();
        cases.add(format!("{bytes} B"), async move {
            let start = Instant::now();
            let _ = ws.send(vec![0; bytes]).await;
            let end = how(ws.done().await);
            assert!(matches!(end, Err(ErrorKind::KeepaliveTimeout | ErrorKind::WriteTimeout)), "{end:?}");
            in_time(start.elapsed(), 2, 31);
            drop(peer);
        });
    }
    cases.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_close_ends_in_time_where_the_peer_stops_reading() {
    let mut cases = Cases::default();
    for (role, over) in sides(&Over::ALL) {
        cases.add(format!("{role:?}, {over}"), async move {
            let (ws, peer) = open(role, over, Way::SMALL, quiet()).await;
            ws.send(Bytes::from_static(ZEROS)).await.unwrap();
            let start = Instant::now();
            let _ = ws.close().await;
            // `write_time` is 10 s, `close_time` 5 s.
            in_time(start.elapsed(), 2, 14);
            drop(peer);
        });
    }
    cases.finish().await;
}

/// All of it, and the close frame, is in the buffers of the kernel.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_close_after_data_that_is_never_read_ends() {
    let mut cases = Cases::default();
    for (role, over) in sides(&Over::ALL) {
        for settings in [Upgrader::new(), quiet()] {
            cases.add(format!("{role:?}, {over}"), async move {
                let (ws, peer) = open(role, over, Way::DIRECT, settings).await;
                ws.send(vec![0; 256 * KIB]).await.unwrap();
                let start = Instant::now();
                let _ = ws.close().await;
                in_time(start.elapsed(), 2, 31);
                drop(peer);
            });
        }
    }
    cases.finish().await;
}

/// Where the kernel can say what the peer has acknowledged, it is asked first: the end must not wait for another reason to look.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_close_that_may_take_no_time_takes_none() {
    let mut cases = Cases::default();
    for (role, over) in sides(&Over::ALL) {
        cases.add(format!("{role:?}, {over}"), async move {
            let settings = quiet().limits(Limits::default().close_timeout(Duration::ZERO));
            let (ws, peer) = open(role, over, Way::DIRECT, settings).await;
            let start = Instant::now();
            let _ = ws.close().await;
            expect("the end", how(ws.done().await), Ok(1000));
            in_time(start.elapsed(), 0, 1);
            drop(peer);
        });
    }
    cases.finish().await;
}
