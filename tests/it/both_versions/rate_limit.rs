//! How much a peer may send per second.

use std::time::Duration;

use tokio::time::{Instant, timeout};
use tower_websocket::{ErrorKind, Excess, Limits, Manager, RateLimit, Upgrader};

use super::support::{Peer, binary, close, continuation, kind, millis, open, ping, pong, quiet, secs, text};

fn limited(rate_limit: RateLimit) -> Upgrader {
    quiet().limits(Limits::default().rate_limit(rate_limit))
}

/// Receives so many messages, which are numbered, and returns when each of them came.
async fn times(ws: &Manager, messages: usize) -> Vec<Duration> {
    let start = Instant::now();
    let mut times = Vec::new();
    for number in 0..messages {
        assert_eq!(ws.recv().await.unwrap().unwrap().as_text(), Some(&*number.to_string()));
        times.push(start.elapsed());
    }
    times
}

async fn send_numbers(peer: &mut Peer, messages: usize) {
    let frames: Vec<_> = (0..messages).flat_map(|number| text(number.to_string()).masked()).collect();
    peer.send_raw(frames).await;
}

#[tokio::test(start_paused = true)]
async fn messages_beyond_the_rate_wait_and_none_is_lost() {
    let (ws, mut peer) = open(limited(RateLimit::new().messages(10))).await;
    send_numbers(&mut peer, 100).await;
    let times = times(&ws, 100).await;
    for (number, time) in times.iter().enumerate() {
        let due = millis(100 * (number as u64).saturating_sub(9));
        assert!(*time + millis(1) >= due && *time <= due + millis(20), "{number}: {time:?}");
    }
    peer.send(close(1000, "")).await;
    assert_eq!(ws.done().await.unwrap().code().get(), 1000);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_was_silent_has_a_burst() {
    let (ws, mut peer) = open(limited(RateLimit::new().messages(10).burst(secs(3)))).await;
    for _ in 0..2 {
        send_numbers(&mut peer, 40).await;
        let times = times(&ws, 40).await;
        assert!(times[29] < millis(10) && times[30] > millis(50) && times[39] < millis(1100), "{times:?}");
        tokio::time::sleep(secs(10)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn bytes_beyond_the_rate_wait_and_a_message_gets_no_older_meanwhile() {
    let limits = Limits::default().rate_limit(RateLimit::new().bytes(1000)).message_timeout(secs(2));
    let (ws, mut peer) = open(quiet().limits(limits)).await;
    let start = Instant::now();
    peer.send(binary(vec![7; 8000])).await;
    peer.send(text("behind")).await;
    assert_eq!(ws.recv().await.unwrap().unwrap().as_bytes(), vec![7; 8000]);
    let time = start.elapsed();
    assert!(time > millis(6900) && time < millis(7200), "{time:?}");
    assert_eq!(ws.recv().await.unwrap().unwrap().as_text(), Some("behind"));
    // Half a message still has its time.
    peer.send_raw(&binary(vec![7; 1000]).masked()[..20]).await;
    let start = Instant::now();
    assert_eq!(kind(ws.recv().await), ErrorKind::ReadTimeout);
    let time = start.elapsed();
    assert!(time >= secs(2) && time < millis(2200), "{time:?}");
}

#[tokio::test(start_paused = true)]
async fn silence_does_not_count_while_the_rate_limit_pauses_reading() {
    let rate_limit = RateLimit::new().messages(1).burst(secs(1));
    let (ws, mut peer) = open(Upgrader::new().limits(Limits::default().rate_limit(rate_limit))).await;
    send_numbers(&mut peer, 20).await;
    // It answers no ping, which stand behind its messages.
    assert!(times(&ws, 20).await[19] > secs(18));
    let start = Instant::now();
    assert_eq!(kind(ws.recv().await), ErrorKind::KeepaliveTimeout);
    let time = start.elapsed();
    assert!(time >= secs(5) && time < millis(6100), "{time:?}");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_sends_too_much_is_closed_with_1008_where_that_is_asked_for() {
    for rate_limit in [RateLimit::new().messages(10), RateLimit::new().bytes(100)] {
        let (ws, mut peer) = open(limited(rate_limit.on_excess(Excess::Close))).await;
        // Of 7 or 8 bytes each.
        send_numbers(&mut peer, 9).await;
        times(&ws, 9).await;
        tokio::time::sleep(secs(10)).await;
        send_numbers(&mut peer, 20).await;
        assert_eq!(peer.expect_close(1008).await, "too many messages or bytes per second");
        // What had arrived is received before that.
        times(&ws, 20).await;
        assert_eq!(kind(ws.recv().await), ErrorKind::RateLimitExceeded);
        assert_eq!(kind(ws.done().await), ErrorKind::RateLimitExceeded);
    }
}

#[tokio::test(start_paused = true)]
async fn pings_count_as_messages() {
    let (ws, mut peer) = open(limited(RateLimit::new().messages(10).on_excess(Excess::Close))).await;
    for _ in 0..10 {
        peer.send(ping("")).await;
        peer.expect(pong("")).await;
    }
    peer.send(ping("")).await;
    assert_eq!(kind(ws.done().await), ErrorKind::RateLimitExceeded);
    let (_ws, mut peer) = open(limited(RateLimit::new().messages(10))).await;
    let start = Instant::now();
    for number in 0..30 {
        peer.send(ping(number.to_string())).await;
        peer.expect(pong(number.to_string())).await;
    }
    assert!(start.elapsed() > millis(1900), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn pings_of_one_read_are_answered_no_faster_than_the_rate_allows() {
    let (_ws, mut peer) = open(limited(RateLimit::new().messages(10))).await;
    let pings: Vec<_> = (0..30).flat_map(|number| ping(number.to_string()).masked()).collect();
    peer.send_raw(&pings).await;
    let start = Instant::now();
    for number in 0..30 {
        peer.expect(pong(number.to_string())).await;
    }
    assert!(start.elapsed() > millis(1900), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_connection_closes_while_reading_is_paused() {
    let (ws, mut peer) = open(limited(RateLimit::new().messages(1).burst(secs(1)))).await;
    send_numbers(&mut peer, 100).await;
    times(&ws, 2).await;
    let start = Instant::now();
    let closing = tokio::spawn(async move { ws.close().await });
    peer.expect_close(1000).await;
    peer.send(close(1000, "")).await;
    closing.await.unwrap().unwrap();
    assert!(start.elapsed() < millis(100), "{:?}", start.elapsed());
    peer.expect_end().await;
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_receives_late_and_a_rate_limit_do_not_stop_each_other() {
    let limits = Limits::default().incoming(1).rate_limit(RateLimit::new().messages(10));
    let (ws, mut peer) = open(quiet().limits(limits)).await;
    send_numbers(&mut peer, 40).await;
    for number in 0..40 {
        if number % 7 == 0 {
            tokio::time::sleep(secs(2)).await;
        }
        let received = timeout(secs(1), ws.recv()).await.unwrap();
        assert_eq!(received.unwrap().unwrap().as_text(), Some(&*number.to_string()));
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_ignored_counts_too() {
    let (ws, mut peer) = open(limited(RateLimit::new().messages(10))).await;
    let ignoring = tokio::spawn(async move { ws.ignore_incoming().await });
    let start = Instant::now();
    send_numbers(&mut peer, 50).await;
    peer.send(close(1000, "")).await;
    ignoring.await.unwrap().unwrap();
    let time = start.elapsed();
    assert!(time > millis(3900) && time < millis(4200), "{time:?}");
}

/// A number in many frames, most of them empty.
fn in_fragments(number: usize) -> Vec<u8> {
    let first = text(number.to_string()).more().masked();
    let middle = (0..50).flat_map(|_| continuation("").more().masked());
    first.into_iter().chain(middle).chain(continuation("").masked()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_message_in_fragments_counts_once_and_its_frames_as_bytes() {
    let (ws, mut peer) = open(limited(RateLimit::new().messages(10).on_excess(Excess::Close))).await;
    // The whole burst, and again as soon as it may come.
    for _ in 0..3 {
        peer.send_raw((0..10).flat_map(in_fragments).collect::<Vec<_>>()).await;
        times(&ws, 10).await;
        tokio::time::sleep(secs(1)).await;
    }
    peer.send_raw((0..11).flat_map(in_fragments).collect::<Vec<_>>()).await;
    times(&ws, 11).await;
    assert_eq!(kind(ws.recv().await), ErrorKind::RateLimitExceeded);

    let bytes = u32::try_from(in_fragments(0).len()).unwrap();
    for (burst, passes) in [(bytes, true), (bytes - 1, false)] {
        let (ws, mut peer) = open(limited(RateLimit::new().bytes(burst).on_excess(Excess::Close))).await;
        peer.send_raw(in_fragments(0)).await;
        times(&ws, 1).await;
        peer.send_raw(close(1000, "").masked()).await;
        tokio::time::sleep(secs(1)).await;
        assert_eq!(ws.done().await.is_ok(), passes, "{burst}");
    }
}
