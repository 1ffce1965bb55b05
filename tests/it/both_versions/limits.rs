//! What one connection may cost.

use tokio::time::Instant;
use tower_websocket::{Budget, ErrorKind, Limits, Upgrader};

use super::support::{
    DEFLATE, binary, close, continuation, deflate, handler, kind, open, open_with, quiet, secs, serve_over, tap, text,
};

fn limited(limits: Limits) -> Upgrader {
    quiet().limits(limits)
}

#[tokio::test(start_paused = true)]
async fn a_message_at_the_limit_passes() {
    let (ws, mut peer) = open_with(limited(Limits::default().max_message_size(1000)), DEFLATE).await;
    peer.send_all([
        binary([1; 1000]),
        binary([1; 500]).more(),
        continuation([1; 500]),
        binary(deflate([1; 1000])).compressed(),
    ])
    .await;
    for _ in 0..3 {
        assert_eq!(ws.recv().await.unwrap().unwrap().as_bytes(), [1; 1000]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_over_the_limit_is_answered_with_1009() {
    let compressed = deflate([1; 1001]);
    let (head, tail) = compressed.split_at(3);
    for bytes in [
        // By the header alone.
        binary("").announce(1001),
        text("").announce(u64::from(u32::MAX)),
        text("").announce(u64::MAX),
        [binary([1; 600]).more().masked(), continuation("").announce(401)].concat(),
        [binary([1; 1000]).more().masked(), continuation([]).more().masked(), continuation([1]).masked()].concat(),
        binary(&compressed).compressed().masked(),
        [binary(head).compressed().more().masked(), continuation(tail).masked()].concat(),
    ] {
        let (ws, mut peer) = open_with(limited(Limits::default().max_message_size(1000)), DEFLATE).await;
        peer.send_raw(bytes).await;
        peer.expect_close(1009).await;
        assert_eq!(kind(ws.recv().await), ErrorKind::MessageTooBig);
        assert_eq!(kind(ws.done().await), ErrorKind::MessageTooBig);
        peer.shutdown().await;
        peer.expect_end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_default_limit_is_1_mib() {
    let (_ws, mut peer) = open(limited(Limits::default())).await;
    peer.send_raw(binary("").announce(1024 * 1024 + 1)).await;
    peer.expect_close(1009).await;
}

#[tokio::test(start_paused = true)]
async fn a_message_may_stay_unfinished_for_30_seconds() {
    for beginning in [binary("").announce(10), text("a").more().masked()] {
        let (ws, mut peer) = open(limited(Limits::default())).await;
        let start = Instant::now();
        peer.send_raw(beginning).await;
        assert_eq!(kind(ws.recv().await), ErrorKind::ReadTimeout);
        assert_eq!(start.elapsed().as_secs(), 30);
        peer.expect_close(1008).await;
    }
}

#[tokio::test(start_paused = true)]
async fn trickled_bytes_do_not_extend_the_time_of_a_message() {
    let (ws, mut peer) = open(limited(Limits::default())).await;
    let start = Instant::now();
    peer.send_raw(binary("").announce(1000)).await;
    let ended = tokio::spawn(async move { (kind(ws.recv().await), start.elapsed().as_secs()) });
    while peer.try_send_raw([0]).await.is_ok() && !ended.is_finished() {
        tokio::time::sleep(secs(1)).await;
    }
    assert_eq!(ended.await.unwrap(), (ErrorKind::ReadTimeout, 30));
}

#[tokio::test(start_paused = true)]
async fn a_connection_lives_no_longer_than_its_lifetime() {
    let (ws, mut peer) = open(limited(Limits::default().max_lifetime(secs(100)))).await;
    let start = Instant::now();
    peer.expect_close(1001).await;
    assert_eq!(start.elapsed().as_secs(), 100);
    assert_eq!(kind(ws.done().await), ErrorKind::LifetimeExceeded);
}

#[tokio::test(start_paused = true)]
async fn what_had_arrived_of_a_message_counts_no_longer_once_the_connection_closes() {
    let budget = Budget::new(300_000);
    let (ws, mut peer) = open(limited(Limits::default().budget(budget.clone()))).await;
    peer.send_raw(&binary([0; 200_000]).masked()[..150_000]).await;
    peer.settle().await;
    assert!(budget.used() >= 100_000, "{budget:?}");
    let closing = tokio::spawn(async move { ws.close().await });
    peer.expect_close(1000).await;
    assert_eq!(budget.used(), 0);
    // The rest of it is discarded.
    peer.send_raw(&binary([0; 200_000]).masked()[150_000..]).await;
    peer.send(close(1000, "")).await;
    peer.expect_end().await;
    closing.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn connections_share_a_budget_for_large_messages() {
    let budget = Budget::new(300_000);
    let upgrader = limited(Limits::default().budget(budget.clone()));
    let (first, mut one) = open(upgrader.clone()).await;
    let (second, mut two) = open(upgrader.clone()).await;
    let big = binary([0; 200_000]).masked();
    one.send_raw(&big[..150_000]).await;
    one.settle().await;
    assert!((100_000..=300_000).contains(&budget.used()), "{budget:?}");
    two.send_raw(&big[..150_000]).await;
    two.expect_close(1013).await;
    assert_eq!(kind(second.recv().await), ErrorKind::BudgetExceeded);
    one.send_raw(&big[150_000..]).await;
    assert_eq!(first.recv().await.unwrap().unwrap().len(), 200_000);
    drop((first, second, one, two));
    tokio::time::sleep(secs(20)).await;
    assert_eq!(budget.used(), 0);
}

#[tokio::test(start_paused = true)]
async fn memory_grows_with_what_arrives_and_not_with_what_is_announced() {
    let budget = Budget::new(usize::MAX);
    let limits = Limits::default().max_message_size(1 << 40).budget(budget.clone());
    let (_ws, mut peer) = open(limited(limits)).await;
    peer.send_raw(binary("").announce(1 << 40)).await;
    peer.settle().await;
    assert!(budget.used() <= 512 * 1024, "{budget:?}");
    peer.send_raw(vec![0; 4_000_000]).await;
    peer.settle().await;
    assert!((4_000_000..=9_000_000).contains(&budget.used()), "{budget:?}");
}

#[tokio::test(start_paused = true)]
async fn what_is_inflated_is_charged_to_the_budget() {
    for (bytes, closes) in [(200_000, true), (2_000_000, false)] {
        let budget = Budget::new(bytes);
        let (ws, mut peer) = open_with(limited(Limits::default().budget(budget.clone())), DEFLATE).await;
        peer.send(binary(deflate(vec![0; 500_000])).compressed()).await;
        if closes {
            peer.expect_close(1013).await;
            assert_eq!(kind(ws.recv().await), ErrorKind::BudgetExceeded);
        } else {
            assert_eq!(ws.recv().await.unwrap().unwrap().len(), 500_000);
        }
        assert_eq!(budget.used(), 0);
    }
}

#[test]
fn a_bomb_takes_no_more_memory_than_the_limit() {
    const LIMIT: u64 = 4 << 20;
    // A block that ends on a byte inflates to 1 MiB, a thousand times: 1 GiB from 1 MiB.
    let mut block = deflate(vec![0; 1 << 20]);
    block.extend_from_slice(&[0, 0, 0xff, 0xff]);
    let bomb = binary(block.repeat(1000)).compressed().masked();
    assert!(bomb.len() < 1_100_000, "{}", bomb.len());
    let limits = Limits::default().max_message_size(LIMIT as usize);
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let (mut peer, transport, _) = tap(64 * 1024);
    // Only the server's thread is counted.
    let peer = std::thread::spawn(move || {
        runtime().block_on(async {
            peer.handshake(DEFLATE).await;
            peer.send_raw(bomb).await;
            peer.expect_close(1009).await;
        });
    });
    let runtime = runtime();
    let info = allocation_counter::measure(|| {
        runtime.block_on(async {
            let (service, mut managers) = handler(limited(limits));
            serve_over(service, transport);
            let ws = managers.recv().await.unwrap();
            assert_eq!(kind(ws.recv().await), ErrorKind::MessageTooBig);
            assert_eq!(kind(ws.done().await), ErrorKind::MessageTooBig);
        });
    });
    peer.join().unwrap();
    // The message as it came, what it was inflated to, once more while that grows, and what a connection needs.
    assert!((LIMIT..2 * LIMIT + LIMIT / 2).contains(&info.bytes_max), "{} bytes", info.bytes_max);
}

#[tokio::test(start_paused = true)]
async fn times_as_long_as_can_be_are_no_limit() {
    let max = std::time::Duration::MAX;
    let limits = Limits::default()
        .message_timeout(max)
        .write_timeout(max)
        .close_timeout(max)
        .handshake_timeout(max)
        .max_lifetime(max);
    let keepalive = tower_websocket::Keepalive::default().interval(max).timeout(max);
    let (client, server) = tower_websocket::testing::pair(Upgrader::new().limits(limits).keepalive(keepalive));
    client.send("hello").await.unwrap();
    assert_eq!(server.recv().await.unwrap().unwrap().as_text(), Some("hello"));
    server.close().await.unwrap();
}
