//! What a connection holds is given back when it ends, though its handler goes on and keeps its handle.

use std::sync::Arc;
use std::time::Duration;

use allocation_counter::measure;
use bytes::Bytes;
use tokio::runtime::Builder;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};
use tower_websocket::{
    Budget, CloseCode, Connector, ErrorKind, Keepalive, Limits, Manager, Message, Shutdown, Upgrader, WebSocketLayer,
};

use crate::support::{
    Cases, KIB, MIB, Over, Peer, Server, Socket, Way, binary, context_takeover, expect, handed_over, how, millis, open,
    quiet, secs, serve, sides, text,
};

/// A server whose handlers keep their handle and only tick, and the handles.
async fn ticking(over: Over, settings: Upgrader) -> (Server, mpsc::UnboundedReceiver<Manager>) {
    let (sender, managers) = mpsc::unbounded_channel();
    let layer = WebSocketLayer::new(move |ws: Manager| {
        sender.send(ws.clone()).unwrap();
        async move {
            for _ in 0..1000 {
                sleep(secs(600)).await;
                let _ = ws.send("tick").await;
            }
        }
    });
    (serve(over, layer.upgrader(settings)).await, managers)
}

/// Sends so much of a message of 1 MiB.
async fn begin(peer: &mut Peer, bytes: usize) {
    let whole = peer.encode(&binary(vec![0; MIB]));
    peer.send_raw(&whole[..bytes]).await;
}

/// Waits until this holds for the bytes that are charged.
async fn charged(budget: &Budget, what: &str, holds: impl Fn(usize) -> bool) {
    let start = Instant::now();
    while !holds(budget.used()) {
        assert!(start.elapsed() < secs(10), "{what}: {} bytes are charged", budget.used());
        sleep(millis(10)).await;
    }
}

/// An honest peer's message finds room.
async fn has_room(peer: &mut Peer, ws: &Manager) {
    peer.send(binary(vec![0; MIB])).await;
    let received = ws.recv().await.map(|message| message.map(|message| message.len()));
    expect("a message", received.map_err(|error| error.kind()), Ok(Some(MIB)));
}

#[tokio::test]
async fn half_of_a_message_is_given_back_when_the_peer_vanishes() {
    let mut cases = Cases::default();
    for over in Over::ALL {
        for socket in [Socket::default(), Socket::RESETTING] {
            let name = if socket.reset_on_drop { "reset" } else { "ended" };
            cases.add(format!("{over}, {name}"), async move {
                let budget = Budget::new(8 * MIB);
                let settings = quiet().limits(Limits::default().budget(budget.clone()));
                let (server, mut managers) = ticking(over, settings).await;
                let mut peers = Vec::new();
                for _ in 0..8 {
                    let mut peer = server.open(socket).await;
                    begin(&mut peer, 1_030_000).await;
                    peers.push(peer);
                }
                charged(&budget, "eight halves", |used| used > 7 * MIB).await;
                let handles: Vec<_> = (0..8).map(|_| managers.try_recv().unwrap()).collect();
                peers.clear();
                for ws in &handles {
                    expect("the end", how(ws.done().await), Err(ErrorKind::Disconnected));
                }
                charged(&budget, "nobody is there", |used| used == 0).await;
                let mut peer = server.open(Socket::default()).await;
                has_room(&mut peer, &managers.recv().await.unwrap()).await;
            });
        }
    }
    cases.finish().await;
}

/// How a connection with half of a message ends.
#[derive(Clone, Copy, Debug)]
enum End {
    Aborted,
    Closed,
    KeepaliveTimeout,
    Lifetime,
    MessageTime,
    Violation,
}

#[tokio::test]
async fn half_of_a_message_is_given_back_at_each_end() {
    let mut cases = Cases::default();
    for over in Over::ALL {
        for end in [End::Aborted, End::Closed, End::KeepaliveTimeout, End::Lifetime, End::MessageTime, End::Violation] {
            cases.add(format!("{over}, {end:?}"), async move {
                let budget = Budget::new(8 * MIB);
                // Longer than a busy machine takes for the opening and the part of a message.
                let short = secs(4);
                let limits = Limits::default().budget(budget.clone()).close_timeout(millis(300));
                let settings = match end {
                    End::KeepaliveTimeout => Upgrader::new()
                        .limits(limits)
                        .keepalive(Keepalive::default().interval(short / 2).timeout(short)),
                    End::Lifetime => quiet().limits(limits.max_lifetime(short)),
                    End::MessageTime => quiet().limits(limits.message_timeout(short)),
                    _ => quiet().limits(limits),
                };
                let shutdown = Shutdown::new();
                let (sender, mut managers) = mpsc::unbounded_channel();
                let layer = WebSocketLayer::new(move |ws: Manager| {
                    let _ = sender.send(ws);
                    sleep(secs(600))
                });
                let server = serve(over, layer.upgrader(settings).shutdown(&shutdown)).await;
                let mut peer = server.open(Socket::default()).await;
                let ws = managers.recv().await.unwrap();
                if let End::Violation = end {
                    peer.send(binary(vec![0; 300 * KIB]).more()).await;
                    charged(&budget, "a part of a message", |used| used > 200 * KIB).await;
                    peer.send(text("within it")).await;
                } else {
                    begin(&mut peer, 300 * KIB).await;
                    charged(&budget, "a part of a message", |used| used > 200 * KIB).await;
                }
                match end {
                    End::Aborted => drop(shutdown.close_all(CloseCode::GOING_AWAY, "", millis(500)).await),
                    End::Closed => drop(ws.close().await),
                    _ => drop(ws.done().await),
                }
                charged(&budget, "it has ended", |used| used == 0).await;
                drop((ws, peer));
            });
        }
    }
    cases.finish().await;
}

#[tokio::test]
async fn unread_messages_are_charged_until_they_are_received() {
    let mut cases = Cases::default();
    for over in Over::ALL {
        for vanishes in [false, true] {
            cases.add(format!("{over}, the peer vanishes: {vanishes}"), async move {
                let budget = Budget::new(8 * MIB);
                let settings = quiet().limits(Limits::default().budget(budget.clone()));
                let (server, mut managers) = ticking(over, settings).await;
                let mut open = Vec::new();
                for _ in 0..6 {
                    let mut peer = server.open(Socket::default()).await;
                    peer.send(binary(vec![0; MIB])).await;
                    open.push((peer, managers.recv().await.unwrap()));
                }
                charged(&budget, "six messages", |used| used >= 6 * (MIB - 64 * KIB)).await;
                let handles: Vec<_> =
                    open.into_iter().map(|(peer, ws)| (if vanishes { None } else { Some(peer) }, ws)).collect();
                sleep(millis(200)).await;
                charged(&budget, "six messages still", |used| used >= 6 * (MIB - 64 * KIB)).await;
                for (_, ws) in &handles {
                    let received = ws.recv().await.map(|message| message.map(|message| message.len()));
                    expect("a message", received.map_err(|error| error.kind()), Ok(Some(MIB)));
                }
                charged(&budget, "all are received", |used| used == 0).await;
            });
        }
    }
    cases.finish().await;
}

#[tokio::test]
async fn unread_messages_of_a_dead_connection_go_with_the_last_handle() {
    let mut cases = Cases::default();
    for over in Over::ALL {
        cases.add(over, async move {
            let budget = Budget::new(8 * MIB);
            let (layer, mut managers) = handed_over();
            let layer = layer.upgrader(quiet().limits(Limits::default().budget(budget.clone())));
            let server = serve(over, layer).await;
            let mut peer = server.open(Socket::default()).await;
            let ws = managers.recv().await.unwrap();
            peer.send(binary(vec![0; MIB])).await;
            charged(&budget, "one message", |used| used >= MIB - 64 * KIB).await;
            drop(peer);
            expect("the end", how(ws.done().await), Err(ErrorKind::Disconnected));
            drop(ws);
            charged(&budget, "nobody can receive it", |used| used == 0).await;
        });
    }
    cases.finish().await;
}

#[tokio::test]
async fn unread_messages_of_a_dead_connection_are_still_received() {
    let mut cases = Cases::default();
    for (role, over) in sides(&Over::ALL) {
        for socket in [Socket::default(), Socket::RESETTING] {
            let name = if socket.reset_on_drop { "reset" } else { "ended" };
            cases.add(format!("{role:?}, {over}, {name}"), async move {
                let (ws, mut peer) = open(role, over, Way::Direct(socket), quiet()).await;
                for _ in 0..3 {
                    peer.send(binary(vec![0; 10 * KIB])).await;
                }
                peer.settle().await;
                drop(peer);
                for _ in 0..3 {
                    let received = ws.recv().await.map(|message| message.map(|message| message.len()));
                    expect("a message", received.map_err(|error| error.kind()), Ok(Some(10 * KIB)));
                    sleep(millis(50)).await;
                }
                expect(
                    "the end",
                    ws.recv().await.map(drop).map_err(|error| error.kind()),
                    Err(ErrorKind::Disconnected),
                );
            });
        }
    }
    cases.finish().await;
}

/// A payload that tells when the last copy is dropped.
struct Watched {
    bytes: Vec<u8>,
    _alive: Arc<()>,
}

impl AsRef<[u8]> for Watched {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[tokio::test]
async fn queued_output_is_dropped_with_the_connection() {
    let mut cases = Cases::default();
    for over in Over::ALL {
        for socket in [Socket::default(), Socket::RESETTING] {
            let name = if socket.reset_on_drop { "reset" } else { "ended" };
            cases.add(format!("{over}, {name}"), async move {
                let settings = quiet().limits(Limits::default().max_write_buffer_size(64 * MIB));
                let (server, mut managers) = ticking(over, settings).await;
                let peer = server.open(socket).await;
                let ws = managers.recv().await.unwrap();
                let alive = Arc::new(());
                for _ in 0..16 {
                    let watched = Watched { bytes: vec![0; MIB], _alive: alive.clone() };
                    ws.send_uncompressed(Message::Binary(Bytes::from_owner(watched))).await.unwrap();
                }
                sleep(millis(200)).await;
                // Over HTTP/2, hyper takes copies.
                assert!(over.is_http2() || Arc::strong_count(&alive) > 1, "all of it was written");
                drop(peer);
                expect("the end", how(ws.done().await), Err(ErrorKind::Disconnected));
                let start = Instant::now();
                while Arc::strong_count(&alive) > 1 {
                    assert!(start.elapsed() < secs(5), "{} messages are kept", Arc::strong_count(&alive) - 1);
                    sleep(Duration::from_millis(10)).await;
                }
                drop(ws);
            });
        }
    }
    cases.finish().await;
}

/// The bytes of a compressor and a decompressor with the default window.
const COMPRESSORS: i64 = 380_160 + INFLATER;
const INFLATER: i64 = 47_680;

#[test]
fn compressors_are_dropped_with_the_connection() {
    const CONNECTIONS: i64 = 20;
    // One thread: what is counted is a thread's own.
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let settings = quiet().compression(context_takeover());
    let (server, mut managers) = runtime.block_on(ticking(Over::Memory, settings.clone()));
    let connector = Connector::new().config(settings.get_config().clone());
    let open = || {
        runtime.block_on(async {
            let client = server.connect(connector.clone()).await;
            let ws = managers.recv().await.unwrap();
            assert!(ws.is_compressed());
            let message = "what compresses well ".repeat(100);
            client.send(message.clone()).await.unwrap();
            assert_eq!(ws.recv().await.unwrap().unwrap().as_text(), Some(&*message));
            ws.send(message.clone()).await.unwrap();
            assert_eq!(client.recv().await.unwrap().unwrap().as_text(), Some(&*message));
            (client, ws)
        })
    };
    let mut open = open;
    let mut pairs: Vec<_> = (0..CONNECTIONS).map(|_| open()).collect();
    let freed = -measure(|| {
        runtime.block_on(async {
            for (client, ws) in &pairs {
                client.close().await.unwrap();
                ws.done().await.unwrap();
            }
            sleep(millis(50)).await;
        });
    })
    .bytes_current;
    pairs.clear();
    // Some go into the pool.
    let least = 2 * COMPRESSORS * CONNECTIONS * 8 / 10;
    assert!(freed > least, "{freed} bytes of {} are given back", 2 * COMPRESSORS * CONNECTIONS);
    // The pool is full now: of others nothing stays with a handler that does.
    let mut handles = Vec::new();
    let left = measure(|| {
        for _ in 0..CONNECTIONS {
            let (client, ws) = open();
            runtime.block_on(async {
                client.close().await.unwrap();
                ws.done().await.unwrap();
            });
            handles.push(ws);
        }
        runtime.block_on(async { sleep(millis(50)).await });
    })
    .bytes_current;
    assert!(left < INFLATER * CONNECTIONS / 2, "{left} bytes stay with {CONNECTIONS} handlers");
}
