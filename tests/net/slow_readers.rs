//! Peers that read slowly, while what they have not read yet lies in the buffers of a kernel, of TLS, of HTTP/2 or of a
//! proxy: they stay connected, and get everything and then the close frame.

use tokio::time::{Instant, sleep, timeout};
use tower_websocket::{CloseCode, Keepalive, Limits, Manager, Role, Shutdown, Upgrader, WebSocketLayer};

use crate::support::{
    Cases, KIB, MIB, Nginx, Over, Peer, Reading, Received, Socket, Way, close, expect, handed_over, how, millis, open,
    quiet, secs, serve, serve_with_unknown_tls, sides,
};

/// What a handler sends before it returns.
#[derive(Clone, Copy)]
struct Bulk {
    bytes: usize,
    message: usize,
}

impl Bulk {
    const fn whole(bytes: usize) -> Self {
        Self { bytes, message: bytes }
    }

    /// Messages of 64 KiB.
    const fn parts(bytes: usize) -> Self {
        Self { bytes, message: 64 * KIB }
    }

    async fn send(self, ws: &Manager) -> Result<(), tower_websocket::Error> {
        for _ in 0..self.bytes / self.message {
            ws.send(vec![0; self.message]).await?;
        }
        Ok(())
    }
}

/// Sends all of this, and keeps the connection open until the peer, which has it, closes.
async fn peer_closes(role: Role, over: Over, way: Way, settings: Upgrader, bulk: Bulk, reading: Reading) {
    let (ws, mut peer) = open(role, over, way, settings).await;
    let sending = tokio::spawn({
        let ws = ws.clone();
        async move { bulk.send(&ws).await }
    });
    let received = peer.read(reading.closing_after(bulk.bytes)).await;
    expect("ours", how(ws.done().await), Ok(1000));
    expect("the peer", received, Received { data: bulk.bytes, code: Some(1000) });
    sending.await.unwrap().unwrap();
}

/// Sends all of this and closes at once.
async fn we_close(role: Role, over: Over, way: Way, settings: Upgrader, bulk: Bulk, reading: Reading) {
    let (ws, mut peer) = open(role, over, way, settings).await;
    let sending = tokio::spawn({
        let ws = ws.clone();
        async move {
            bulk.send(&ws).await?;
            ws.close().await
        }
    });
    let received = peer.read(reading).await;
    expect("ours", how(ws.done().await), Ok(1000));
    expect("the peer", received, Received { data: bulk.bytes, code: Some(1000) });
    sending.await.unwrap().unwrap();
}

const SWALLOWING: Way = Way::Proxied { rate: 150 * KIB, buffer: 2 * MIB };

#[tokio::test]
async fn a_peer_that_reads_steadily_stays_connected() {
    let mut cases = Cases::default();
    // The handler sends 2 MiB in one go.
    let listed = (Role::Server, Over::Tcp, Way::SMALL);
    cases.add(
        "2 MiB over TCP",
        peer_closes(listed.0, listed.1, listed.2, Upgrader::new(), Bulk::whole(2 * MIB), Reading::at(100 * KIB)),
    );
    for (role, over) in sides(&[Over::Tcp, Over::Tls, Over::Http2, Over::Http2Tls, Over::Unix]) {
        for way in [Way::SMALL, Way::DIRECT] {
            let reading = Reading::at(100 * KIB);
            let case = peer_closes(role, over, way, Upgrader::new(), Bulk::parts(MIB), reading);
            cases.add(format!("{role:?}, {over}, {way}"), case);
        }
    }
    cases.finish().await;
}

/// What it says shows that it is there, not that it has come to what was sent before.
#[tokio::test]
async fn a_peer_that_sends_while_it_reads_stays_connected() {
    let mut cases = Cases::default();
    for (role, over) in sides(&Over::ALL) {
        for way in [Way::SMALL, Way::DIRECT] {
            let reading = Reading::at(80 * KIB).speaking_after(millis(500));
            let case = peer_closes(role, over, way, Upgrader::new(), Bulk::whole(900 * KIB), reading);
            cases.add(format!("{role:?}, {over}, {way}"), case);
            cases.add(format!("{role:?}, {over}, {way}, a close behind it"), async move {
                let (ws, mut peer) = open(role, over, way, Upgrader::new()).await;
                let reading = tokio::spawn(async move { peer.read(reading).await });
                Bulk::whole(900 * KIB).send(&ws).await.unwrap();
                expect("what it says", ws.recv().await.unwrap(), Some("hello".into()));
                expect(
                    "ours",
                    how(ws.close_frame(CloseCode::NORMAL).await.map(|()| CloseCode::NORMAL.into())),
                    Ok(1000),
                );
                expect("the peer", reading.await.unwrap(), Received { data: 900 * KIB, code: Some(1000) });
            });
        }
    }
    cases.finish().await;
}

#[tokio::test]
async fn a_peer_behind_a_proxy_stays_connected() {
    let mut cases = Cases::default();
    for (role, over) in sides(&Over::TCP) {
        for way in [SWALLOWING, Way::Proxied { rate: 150 * KIB, buffer: 4 * KIB }] {
            let case = peer_closes(role, over, way, Upgrader::new(), Bulk::parts(MIB), Reading::at(1 << 30));
            cases.add(format!("{role:?}, {over}, {way}"), case);
            let case = we_close(role, over, way, Upgrader::new(), Bulk::parts(MIB), Reading::at(1 << 30));
            cases.add(format!("{role:?}, {over}, {way}, a close behind it"), case);
        }
    }
    cases.finish().await;
}

#[tokio::test]
async fn a_peer_behind_nginx_stays_connected() {
    let (layer, mut managers) = handed_over();
    let layer = layer.upgrader(Upgrader::new());
    let server = serve(Over::Tcp, layer).await;
    let Some(nginx) = Nginx::start(server.address()) else { return };
    let server = server.behind(nginx.address);
    let mut cases = Cases::default();
    for closes in [false, true] {
        let mut peer = server.open(Socket::SMALL).await;
        let ws = managers.recv().await.unwrap();
        let case = async move {
            let bulk = Bulk::parts(MIB);
            let sending = tokio::spawn({
                let ws = ws.clone();
                async move {
                    bulk.send(&ws).await?;
                    if closes { ws.close().await } else { Ok(()) }
                }
            });
            let reading = Reading::at(150 * KIB);
            let reading = if closes { reading } else { reading.closing_after(bulk.bytes) };
            let received = peer.read(reading).await;
            expect("ours", how(ws.done().await), Ok(1000));
            expect("the peer", received, Received { data: bulk.bytes, code: Some(1000) });
            sending.await.unwrap().unwrap();
        };
        cases.add(if closes { "a close behind it" } else { "the peer closes" }, case);
    }
    cases.finish().await;
}

/// Its pings do not hide that it takes data, and their pongs may wait as long as that takes.
#[tokio::test]
async fn a_peer_that_pings_each_second_stays_connected() {
    let mut cases = Cases::default();
    for (role, over) in sides(&[Over::Tcp, Over::Tls, Over::Http2]) {
        for way in [Way::SMALL, Way::DIRECT] {
            for (rate, message) in [(40 * KIB, 16 * KIB), (100 * KIB, 60 * KIB), (100 * KIB, 300 * KIB)] {
                cases.add(format!("{role:?}, {over}, {way}, {rate} B/s, messages of {message}"), async move {
                    let (ws, peer) = open(role, over, way, Upgrader::new()).await;
                    stays_connected(ws, peer, rate, message).await;
                });
            }
        }
    }
    cases.finish().await;
}

/// Sends without a pause to a peer that reads at this rate, and pings each second.
async fn stays_connected(ws: Manager, mut peer: Peer, rate: usize, message: usize) {
    let sending = tokio::spawn({
        let ws = ws.clone();
        async move { Bulk { bytes: 20 * MIB, message }.send(&ws).await }
    });
    let reading = tokio::spawn(async move { peer.read(Reading::at(rate).pinging(secs(1))).await });
    expect("the end", timeout(secs(25), ws.done()).await.ok().map(how), None);
    sending.abort();
    reading.abort();
}

/// What the guide `server` says of `prepare_socket`, where the crate does not know the type of TLS.
#[tokio::test]
async fn under_tls_a_slow_peer_stays_connected_where_the_kernel_takes_little() {
    let (layer, mut managers) = handed_over();
    let server = serve_with_unknown_tls(layer.upgrader(Upgrader::new())).await;
    let mut cases = Cases::default();
    for (socket, rate, message) in [
        (Socket::SMALL, 40 * KIB, 60 * KIB),
        (Socket::SMALL, 100 * KIB, 300 * KIB),
        (Socket::default(), 200 * KIB, MIB),
    ] {
        let peer = server.open(socket).await;
        let ws = managers.recv().await.unwrap();
        cases.add(format!("{rate} B/s, messages of {message}"), async move {
            stays_connected(ws, peer, rate, message).await;
        });
    }
    cases.finish().await;
}

/// RFC 6455 §5.5.1 and §5.5.2: behind its own close frame a peer sends no data, but still answers pings, and may ping. What
/// arrives at a socket that is closed has its kernel drop what was still to be sent.
#[tokio::test]
async fn a_peer_that_sends_after_its_close_frame_gets_everything() {
    let mut cases = Cases::default();
    for (role, over) in sides(&Over::ALL) {
        for bytes in [60 * KIB, MIB] {
            cases.add(format!("{role:?}, {over}, {bytes} B"), async move {
                let (ws, mut peer) = open(role, over, Way::SMALL, Upgrader::new()).await;
                let sending = tokio::spawn({
                    let ws = ws.clone();
                    async move { Bulk::parts(bytes).send(&ws).await }
                });
                // As much as fits into the buffers.
                peer.settle().await;
                peer.send(close(1000, "")).await;
                let received = peer.read(Reading::at(300 * KIB).pinging(millis(50))).await;
                expect("ours", how(ws.done().await), Ok(1000));
                let sent = ws.stats().payload_sent as usize;
                expect("the peer", received, Received { data: sent, code: Some(1000) });
                drop(sending);
            });
        }
    }
    cases.finish().await;
}

/// Less than the peers of this take for what is sent.
fn short_close_time() -> Limits {
    Limits::default().close_timeout(secs(2))
}

#[tokio::test]
async fn everything_that_was_sent_before_a_close_arrives() {
    let mut cases = Cases::default();
    for (name, reading) in [
        ("a peer that is silent", Reading::at(400 * KIB)),
        ("a peer that pings", Reading::at(400 * KIB).pinging(secs(1))),
    ] {
        for (role, over) in sides(&Over::ALL) {
            for settings in [Upgrader::new(), quiet()] {
                let settings = settings.limits(short_close_time());
                let case = we_close(role, over, Way::SMALL, settings, Bulk::whole(2 * MIB), reading);
                cases.add(format!("{role:?}, {over}, {name}"), case);
            }
        }
        for over in Over::ALL {
            cases.add(format!("{over}, the handler returns, {name}"), async move {
                let layer = WebSocketLayer::new(|ws: Manager| async move { Bulk::parts(2 * MIB).send(&ws).await });
                let layer = layer.upgrader(Upgrader::new().limits(short_close_time()));
                let mut peer = serve(over, layer).await.open(Socket::SMALL).await;
                let received = peer.read(reading).await;
                expect("the peer", received, Received { data: 2 * MIB, code: Some(1000) });
            });
        }
        let reading = Reading::at(500 * KIB).pinging(secs(1));
        let case = we_close(Role::Server, Over::Tcp, Way::SMALL, Upgrader::new(), Bulk::whole(4 * MIB), reading);
        cases.add(format!("4 MiB over TCP with the default close time, {name}"), case);
    }
    cases.finish().await;
}

#[tokio::test]
async fn a_shutdown_waits_for_slow_peers_up_to_its_deadline() {
    let mut cases = Cases::default();
    for over in Over::ALL {
        for (name, reading) in [
            ("a peer that is silent", Reading::at(400 * KIB)),
            ("a peer that pings", Reading::at(400 * KIB).pinging(secs(1))),
        ] {
            cases.add(format!("{over}, {name}"), async move {
                let shutdown = Shutdown::new();
                let (layer, mut managers) = handed_over();
                let layer = layer.upgrader(Upgrader::new().limits(short_close_time()));
                let server = serve(over, layer.shutdown(&shutdown)).await;
                let mut peer = server.open(Socket::SMALL).await;
                let ws = managers.recv().await.unwrap();
                Bulk::whole(2 * MIB).send(&ws).await.unwrap();
                let closing =
                    tokio::spawn(async move { shutdown.close_all(CloseCode::GOING_AWAY, "", secs(60)).await });
                let received = peer.read(reading).await;
                expect("the peer", received, Received { data: 2 * MIB, code: Some(1001) });
                expect("dropped", closing.await.unwrap(), 0);
            });
        }
    }
    cases.finish().await;
}

#[tokio::test]
async fn two_kibibytes_per_second_are_enough() {
    let mut cases = Cases::default();
    for (role, over) in sides(&Over::ALL) {
        for (name, reading) in
            [("steadily", Reading::at(2 * KIB)), ("with pauses of 4 s", Reading::at(2 * KIB).pausing(secs(4)))]
        {
            let case = peer_closes(role, over, Way::SMALL, Upgrader::new(), Bulk::whole(20 * KIB), reading);
            cases.add(format!("{role:?}, {over}, {name}"), case);
            let case = we_close(role, over, Way::SMALL, Upgrader::new(), Bulk::whole(20 * KIB), reading);
            cases.add(format!("{role:?}, {over}, {name}, a close behind it"), case);
        }
    }
    cases.finish().await;
}

/// The kernel knows what the peer acknowledges, so that the answer to a ping may take longer than a silent peer has.
#[tokio::test]
async fn over_tcp_a_peer_that_reads_steadily_may_take_a_minute_to_its_pong() {
    let mut cases = Cases::default();
    for (role, over) in sides(&[Over::Tcp]) {
        let case = peer_closes(role, over, Way::SMALL, Upgrader::new(), Bulk::whole(700 * KIB), Reading::at(15 * KIB));
        cases.add(format!("{role:?}, {over}"), case);
    }
    cases.finish().await;
}

/// What it keeps for longer than that, a close or a ping would stand behind.
#[tokio::test]
async fn over_tcp_the_kernel_takes_little_more_than_a_mebibyte() {
    let (ws, _peer) = open(Role::Server, Over::Tcp, Way::SMALL, quiet()).await;
    ws.send(vec![0; 16 * MIB]).await.unwrap();
    let start = Instant::now();
    while ws.stats().wire_sent < 200_000 {
        assert!(start.elapsed() < secs(8), "{} bytes", ws.stats().wire_sent);
        sleep(millis(10)).await;
    }
    // It would go on at once.
    sleep(millis(500)).await;
    let taken = ws.stats().wire_sent;
    assert!(taken < 1_500_000, "{taken} bytes");
}

#[tokio::test]
async fn what_lies_in_buffers_does_not_count_as_write_time() {
    let mut cases = Cases::default();
    // The buffers hold more than the peer reads in that time, and accept nothing until a third of them is free.
    let short = Limits::default().write_timeout(secs(4));
    let bulk = Bulk::parts(6 * MIB);
    for (role, over) in sides(&Over::ALL) {
        let settings = quiet().limits(short.clone());
        let case = peer_closes(role, over, Way::DIRECT, settings, bulk, Reading::at(500 * KIB));
        cases.add(format!("{role:?}, {over}, no keepalive"), case);
        let reading = Reading::at(500 * KIB).pinging(secs(1));
        let case = peer_closes(role, over, Way::DIRECT, Upgrader::new(), bulk, reading);
        cases.add(format!("{role:?}, {over}, a ping that waits for its pong"), case);
    }
    for (role, over) in sides(&Over::TCP) {
        let way = Way::Proxied { rate: 500 * KIB, buffer: MIB };
        let settings = quiet().limits(short.clone());
        cases.add(
            format!("{role:?}, {over}, {way}"),
            peer_closes(role, over, way, settings, bulk, Reading::at(1 << 30)),
        );
    }
    cases.finish().await;
}

#[tokio::test]
async fn write_data_waits_for_a_slow_peer() {
    let mut cases = Cases::default();
    for (role, over) in sides(&Over::ALL) {
        cases.add(format!("{role:?}, {over}"), async move {
            let (ws, mut peer) = open(role, over, Way::SMALL, Upgrader::new()).await;
            let reading =
                tokio::spawn(async move { peer.read(Reading::at(400 * KIB).closing_after(3 * MIB + 5)).await });
            Bulk::parts(3 * MIB).send(&ws).await.unwrap();
            expect("write_data", ws.write_data("later", secs(60)).await.map_err(|error| error.kind()), Ok(()));
            expect("flush", ws.flush().await.map_err(|error| error.kind()), Ok(()));
            expect("the peer", reading.await.unwrap(), Received { data: 3 * MIB + 5, code: Some(1000) });
        });
    }
    cases.finish().await;
}

#[tokio::test]
async fn a_slow_peer_stays_connected_with_a_short_keepalive() {
    let mut cases = Cases::default();
    let keepalive = Keepalive::default().interval(millis(500)).timeout(secs(1));
    for (role, over) in sides(&Over::ALL) {
        let settings = Upgrader::new().keepalive(keepalive);
        let case = peer_closes(role, over, Way::SMALL, settings, Bulk::parts(MIB), Reading::at(200 * KIB));
        cases.add(format!("{role:?}, {over}"), case);
    }
    cases.finish().await;
}

#[tokio::test]
async fn the_connection_is_idle_again_after_a_large_message() {
    let mut cases = Cases::default();
    for (role, over) in sides(&Over::ALL) {
        cases.add(format!("{role:?}, {over}"), async move {
            let (ws, mut peer) = open(role, over, Way::SMALL, Upgrader::new()).await;
            let reading = tokio::spawn(async move { peer.read(Reading::at(200 * KIB)).await });
            Bulk::parts(MIB).send(&ws).await.unwrap();
            sleep(secs(6)).await;
            expect("ping", ws.ping().await.map(drop).map_err(|error| error.kind()), Ok(()));
            ws.close().await.unwrap();
            expect("the peer", reading.await.unwrap(), Received { data: MIB, code: Some(1000) });
        });
    }
    cases.finish().await;
}
