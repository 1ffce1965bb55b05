//! What the documentation says of memory. A binary of its own, as its allocator counts.

#![expect(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

#[path = "support/mod.rs"]
mod shared;

use allocation_counter::measure;
use tokio::runtime;
use tower_websocket::testing::TestClient;
use tower_websocket::{Compression, Manager, WebSocketLayer};

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
fn context_takeover_costs_what_the_table_says() {
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
