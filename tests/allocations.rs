//! What must not allocate, and how much an idle connection may hold. A test target of its own, as it brings an allocator
//! that counts; it counts for each thread, and each of these tests runs on one.

#[path = "../benches/support/heap.rs"]
mod heap;
#[path = "../benches/support/mod.rs"]
mod support;

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use allocation_counter::{AllocationInfo, measure};
use futures_util::FutureExt;
use http::{Request, Response};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::sleep;
use tower::{Layer, Service, service_fn};
use tower_websocket::{
    History, Hub, Keepalive, Manager, Overflow, Recovered, Role, Upgrader, WebSocketConfig, WebSocketLayer, testing,
};

use heap::idle_heap;
use support::{PING, TEXT};

fn page(_: Request<()>) -> Ready<Result<Response<()>, Infallible>> {
    ready(Ok(Response::new(())))
}

#[test]
fn a_plain_request_passes_the_layer_without_an_allocation() {
    let plain = Request::get("/ws").header("host", "localhost").header("connection", "keep-alive");
    // For another path, so that it is none of the layer's business either.
    let handshake = Request::get("/other")
        .header("host", "localhost")
        .header("connection", "keep-alive, Upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    let other_upgrade = Request::get("/ws").header("connection", "Upgrade").header("upgrade", "h2c");
    let mut service = WebSocketLayer::new(support::echo).path("/ws").layer(service_fn(page));
    for request in [plain, handshake, other_upgrade] {
        let request = request.body(()).unwrap();
        let info = measure(|| {
            let response = service.call(request).now_or_never();
            assert!(response.is_some_and(|response| response.is_ok()));
            // What the request held is given back, which is no allocation.
        });
        assert_eq!(info.count_total, 0);
    }
}

#[test]
fn periodic_updates_of_an_unchanged_value_allocate_nothing() {
    // Its pings are the keepalive's, whatever is written.
    let upgrader = Upgrader::new().keepalive(Keepalive::disabled());
    let runtime = support::paused_runtime();
    let updates = |ticks: u64| -> AllocationInfo {
        let (client, server) = runtime.block_on(async { testing::pair(upgrader.clone()) });
        measure(|| {
            runtime.block_on(async {
                let mut left = ticks;
                let get = || {
                    left -= 1;
                    ready(if left > 0 { Ok("the same") } else { Err("that was the last") })
                };
                server.periodic_write(Duration::from_secs(1), get).await.unwrap_err();
                assert_eq!(client.stats().messages_received, 1);
            });
        })
    };
    updates(10);
    // What the first ticks set up, such as lists of wakers, differs by one or two between runs.
    assert!(updates(10_000).count_total < updates(10).count_total + 10);
}

#[test]
fn an_idle_connection_holds_at_most_four_kibibytes() {
    let message = support::masked(TEXT, &[b'x'; 1024]);
    let fragments = [support::masked(1, b"x"), support::masked(PING, b""), support::masked(0x80, b"y")].concat();
    for (what, frames, replies) in
        [("just opened", &[][..], 0), ("after an echo", &message, 1), ("after fragments and a ping", &fragments, 1)]
    {
        let bytes = idle_heap(support::serve_echo, "", frames, replies);
        println!("{bytes} bytes {what}");
        assert!((1..=4096).contains(&bytes), "{bytes} bytes {what}");
    }
}

#[test]
fn a_received_text_takes_one_allocation_and_a_short_one_none() {
    for (len, allocations) in [(1, 0), (64, 0), (65, 1), (1000, 1)] {
        let runtime = support::paused_runtime();
        let frame = support::masked(TEXT, &vec![b'x'; len]);
        let (mut near, ws) = runtime.block_on(async {
            let (near, far) = support::memory();
            (near, Manager::from_upgraded(far, Role::Server, &WebSocketConfig::new().keepalive(Keepalive::disabled())))
        });
        let mut receive = |times| {
            runtime.block_on(async {
                for _ in 0..times {
                    near.write_all(&frame).await.unwrap();
                    assert_eq!(ws.recv().await.unwrap().unwrap().len(), len);
                }
            });
        };
        receive(10);
        let info = measure(|| receive(1000));
        assert_eq!(info.count_total / 1000, allocations, "{info:?} for {len} bytes");
    }
}

/// A peer that says nothing and takes everything.
struct Silent;

impl AsyncRead for Silent {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

impl AsyncWrite for Silent {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[test]
fn a_publication_allocates_as_much_for_many_members_as_for_few() {
    let config = WebSocketConfig::new().keepalive(Keepalive::disabled());
    let published = |members: usize| {
        let runtime = support::paused_runtime();
        let topic = Hub::new().topic("all");
        let connections: Vec<_> = runtime
            .block_on(async { (0..members).map(|_| Manager::from_upgraded(Silent, Role::Server, &config)).collect() });
        for ws in &connections {
            topic.join(ws, Overflow::Close).unwrap().stay();
        }
        let publish = |rounds: usize| {
            runtime.block_on(async {
                for _ in 0..rounds {
                    // Two in a row, which are joined.
                    topic.publish(vec![b'x'; 1024]).unwrap();
                    topic.publish(vec![b'x'; 1024]).unwrap();
                    sleep(Duration::from_millis(1)).await;
                }
            });
        };
        // The first 64 KiB that a peer does not answer take an allocation of each connection.
        publish(40);
        let info = measure(|| publish(100));
        assert_eq!(connections[members - 1].stats().messages_sent, 280);
        info.count_total
    };
    let (few, many) = (published(10), published(1000));
    // A publication of its own makes some; a queue of woken tasks may grow.
    assert!((100..10_000).contains(&few) && many < few + 1000, "{few} and {many}");
}

#[test]
fn what_a_history_keeps_is_framed_once_for_all_that_join() {
    const LEN: u64 = 1024 * 1024;

    let config = WebSocketConfig::new().keepalive(Keepalive::disabled());
    let runtime = support::paused_runtime();
    let topic = Hub::new().topic("kept").history(History::last(1));
    topic.publish(vec![b'x'; LEN as usize]).unwrap();
    let join = || {
        runtime.block_on(async {
            let ws = Manager::from_upgraded(Silent, Role::Server, &config);
            assert_eq!(topic.join_after(&ws, None, Overflow::Close).unwrap(), Recovered::All(1));
            sleep(Duration::from_millis(1)).await;
            assert_eq!(ws.stats().messages_sent, 1);
        });
    };
    let (first, second) = (measure(join).bytes_total, measure(join).bytes_total);
    assert!(first > LEN && second < LEN / 2, "{first} and {second} bytes");
}

#[test]
fn the_counting_counts() {
    let runtime = support::paused_runtime();
    let info = measure(|| {
        let kept = runtime.block_on(async {
            sleep(Duration::from_secs(1)).await;
            Box::new([0_u8; 100])
        });
        std::mem::forget(kept);
    });
    assert!((100..200).contains(&info.bytes_current), "{info:?}");
}
