//! What the documentation says of memory. A binary of its own, as its allocator counts.

#![expect(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use allocation_counter::measure;
use http::{Request, Response};
use tokio::runtime;
use tower::{Layer, Service, service_fn};
use tower_websocket::testing::TestClient;
use tower_websocket::{Compression, Error, Keepalive, Manager, Upgrader, WebSocketLayer};

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

async fn echo(ws: Manager) -> Result<(), Error> {
    while let Some(message) = ws.recv().await? {
        ws.send(message).await?;
    }
    Ok(())
}

#[test]
fn a_plain_request_passes_through_without_an_allocation() {
    fn page(_: Request<()>) -> Ready<Result<Response<()>, Infallible>> {
        ready(Ok(Response::new(())))
    }
    let mut service = WebSocketLayer::new(echo).path("/ws").layer(service_fn(page));
    for headers in [&[][..], &[("connection", "keep-alive"), ("upgrade", "h2c"), ("accept", "*/*")]] {
        let mut request = Request::new(());
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let allocated = measure(|| {
            let response = pin!(service.call(request)).poll(&mut Context::from_waker(Waker::noop()));
            assert!(matches!(response, Poll::Ready(Ok(_))));
        });
        assert_eq!(allocated.count_total, 0);
    }
}

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
    let settings = Upgrader::new().compression(compression).keepalive(Keepalive::disabled());
    let client = TestClient::new(WebSocketLayer::new(echo).upgrader(settings.clone()).into_service());
    let client = client.settings(settings);
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
