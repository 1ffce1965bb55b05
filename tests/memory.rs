//! What the documentation says of memory. A binary of its own, as its allocator counts.

#![expect(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

#[path = "support/mod.rs"]
mod shared;

use allocation_counter::measure;
use futures_util::FutureExt;
use http_body_util::Empty;
use tokio::runtime;
use tower_websocket::testing::{self, TestClient};
use tower_websocket::{Compression, Manager, Role, WebSocketLayer};

/// The table of [`Compression`]: window bits, memory level, and the bytes of a compressor.
const COMPRESSORS: [(u8, u8, usize); 7] = [
    (15, 9, 494_848),
    (15, 8, 380_160),
    (15, 1, 266_368),
    (12, 8, 265_472),
    (12, 5, 165_120),
    (12, 1, 151_680),
    (9, 1, 137_344),
];
const DECOMPRESSOR: usize = 47_680;

#[test]
fn context_takeover_costs_the_memory_of_the_table() {
    for (bits, level, compressor) in COMPRESSORS {
        let compression = Compression::default().server_context_takeover(true);
        let compression = compression.server_max_window_bits(bits).unwrap().memory_level(level).unwrap();
        // The server's compressor and the client's decompressor stay with the connection.
        let kept = kept(compression);
        assert!(kept.abs_diff(compressor + DECOMPRESSOR) < 4096, "{bits} {level}: {kept}");
    }
    let kept = kept(Compression::default());
    assert!(kept < 4096, "without context takeover: {kept}");
}

/// The bytes that the two ends of a connection keep of their first compressed message.
fn kept(compression: Compression) -> usize {
    // One thread: what is counted is a thread's own.
    let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let settings = shared::quiet().compression(compression);
    let client = TestClient::new(WebSocketLayer::new(shared::echo).upgrader(settings.clone()).into_service());
    let client = client.config(settings.get_config().clone());
    let connect = || runtime.block_on(client.connect("/")).expect("the handshake is accepted");
    let exchange = |ws: &Manager| {
        runtime.block_on(async {
            ws.send("what compresses well ".repeat(100)).await.unwrap();
            assert_eq!(ws.recv().await.unwrap().map(|message| message.len()), Some(2100));
        });
    };
    let (first, second) = (connect(), connect());
    // The first connection pays for what all share.
    exchange(&first);
    usize::try_from(measure(|| exchange(&second)).bytes_current).unwrap_or(0)
}

/// Nothing is compressed behind a close frame, however long the peer takes to answer it.
#[test]
fn compressor_and_decompressor_are_freed_when_the_closing_handshake_begins() {
    let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (layer, mut managers) = shared::handed_over();
    let compression = Compression::default().server_context_takeover(true).client_context_takeover(true);
    let service = layer.upgrader(shared::quiet().compression(compression)).into_service();
    let (mut peer, ws) = runtime.block_on(async {
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        tokio::spawn(shared::serve_connection(shared::http_server(), theirs, service));
        let mut peer = shared::Peer::new(ours, Role::Client);
        peer.ask("Sec-WebSocket-Extensions: permessage-deflate\r\n").await;
        let ws = managers.recv().await.unwrap();
        let message = "what compresses well ".repeat(100);
        ws.send(message.as_str()).await.unwrap();
        let compressed = peer.recv().await.unwrap();
        assert!(compressed.is_compressed());
        peer.send(compressed).await;
        assert_eq!(ws.recv().await.unwrap(), Some(message.into()));
        (peer, ws)
    });
    let closing = ws.clone();
    let freed = -measure(|| {
        runtime.block_on(async {
            tokio::spawn(async move { closing.close().await });
            assert_eq!(peer.recv_close().await, Some(1000));
        });
    })
    .bytes_current;
    assert!(ws.done().now_or_never().is_none(), "the closing handshake has not ended");
    assert!(freed > 380_160 + DECOMPRESSOR as i64 - 8192, "{freed} bytes were freed");
}

#[test]
fn by_default_a_compressor_has_memory_level_8_and_the_largest_window() {
    let kept = kept(Compression::default().server_context_takeover(true));
    assert!(kept.abs_diff(380_160 + DECOMPRESSOR) < 4096, "{kept}");
}

/// A browser's headers.
const HEADERS: usize = 2048;

#[test]
fn a_request_that_is_dropped_gives_its_memory_back() {
    let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (sender, receiver) = std::sync::mpsc::channel();
    let layer = WebSocketLayer::new(move |ws: Manager| {
        sender.send(ws.clone()).unwrap();
        async move { ws.done().await.map(drop) }
    });
    let client = TestClient::new(layer.upgrader(shared::quiet()).into_service());
    let request =
        http::Request::get("/").header("x-large", "x".repeat(HEADERS)).body(Empty::<bytes::Bytes>::new()).unwrap();
    let client = runtime.block_on(client.open(request)).expect("the handshake is accepted");
    // The handler runs, and the request is made compact.
    runtime.block_on(async { tokio::task::yield_now().await });
    let ws = receiver.recv().unwrap();
    assert_eq!(ws.request().headers["x-large"].len(), HEADERS);
    let freed = -measure(|| ws.drop_request()).bytes_current;
    assert!(freed > HEADERS as i64, "{freed}");
    assert!(ws.request().headers.is_empty());
    drop(client);
}

/// What a thread keeps of messages that stand alone, large or small.
#[test]
fn a_thread_keeps_a_compressor_a_decompressor_and_32_kib() {
    const KEPT: i64 = 380_160 + DECOMPRESSOR as i64 + 32 * 1024;
    let kept = std::thread::spawn(|| {
        let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let pair = || testing::pair(shared::quiet());
        let exchange = |(client, server): (Manager, Manager), message: &str| {
            runtime.block_on(async {
                client.send(message.to_owned()).await.unwrap();
                assert_eq!(server.recv().await.unwrap().unwrap().len(), message.len());
                client.close().await.unwrap();
                drop((client, server));
                tokio::task::yield_now().await;
            });
        };
        // What is not compressed leaves the buffers of the connections behind.
        for _ in 0..3 {
            exchange(runtime.block_on(async { pair() }), "short");
        }
        let large = "what compresses well ".repeat(10_000);
        let pairs: Vec<_> = (0..3).map(|_| runtime.block_on(async { pair() })).collect();
        measure(|| {
            for pair in pairs {
                exchange(pair, &large);
            }
        })
        .bytes_current
    });
    let kept = kept.join().unwrap();
    println!("{kept} of {KEPT}");
    assert!((kept - KEPT).abs() < 24 * 1024, "{kept} instead of {KEPT}");
}
