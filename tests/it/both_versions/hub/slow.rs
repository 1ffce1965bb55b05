//! Members that take publications more slowly than they come.

use super::*;

/// A member whose transport takes a kilobyte and no more until its peer reads.
async fn stalled(topic: &Topic, overflow: Overflow) -> (Seat, Manager, Peer) {
    let (peer, transport, _) = tap(1024);
    let limits = Limits::default().max_write_buffer_size(1000);
    let (ws, mut peer) = open_over(quiet().limits(limits), "", peer, transport).await;
    let seat = topic.join(&ws, overflow).unwrap();
    fill(&ws, vec![0; BIG]);
    peer.settle().await;
    (seat, ws, peer)
}

/// Fills the transport, and what topics may have unsent.
fn fill(ws: &Manager, message: Vec<u8>) {
    let topic = Hub::new().topic("large");
    topic.join(ws, Overflow::Close).unwrap().stay();
    topic.publish(message).unwrap();
}

async fn publish(topic: &Topic, names: &str, other: &mut Peer) {
    for name in names.split(' ') {
        match name.strip_prefix(char::is_uppercase) {
            Some(_) => topic.publish_keyed(&name[..1], name).unwrap(),
            None => topic.publish(name).unwrap(),
        }
        other.expect(text(name)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_a_slow_member_is_bounded_and_the_others_wait_for_nothing() {
    for (overflow, left, dropped) in [(Overflow::DropOldest, "3 B4 5", 4), (Overflow::KeepLatest, "A3 B4 5", 4)] {
        let topic = Hub::new().topic("prices").capacity(3);
        let (seat, _ws, mut slow) = stalled(&topic, overflow).await;
        let (.., mut other) = {
            let (ws, peer) = open(quiet()).await;
            topic.join(&ws, overflow).unwrap().stay();
            (ws, peer)
        };
        publish(&topic, "A1 B1 1 A3 3 B4 5", &mut other).await;
        assert_eq!((seat.lag(), seat.dropped()), (3, dropped), "{overflow:?}");
        assert_eq!(topic.stats().dropped, dropped);
        slow.expect(binary(vec![0; BIG])).await;
        for name in left.split(' ') {
            slow.expect(text(name)).await;
        }
        assert_eq!(seat.lag(), 0);
        // It is as fast as the others from here on.
        publish(&topic, "6 7 8 9 10 11", &mut other).await;
        for name in ["6", "7", "8", "9", "10", "11"] {
            slow.expect(text(name)).await;
        }
        assert_eq!(seat.dropped(), dropped);
    }
}

#[tokio::test(start_paused = true)]
async fn a_member_that_is_to_miss_nothing_is_closed_with_1013() {
    let topic = Hub::new().topic("ledger").capacity(3);
    let (seat, ws, mut slow) = stalled(&topic, Overflow::Close).await;
    let (_seat, _other, mut other) = member(&topic, Overflow::Close).await;
    publish(&topic, "1 2 3", &mut other).await;
    assert_eq!((seat.lag(), topic.members()), (3, 2));
    publish(&topic, "4", &mut other).await;
    assert_eq!((seat.lag(), topic.members(), topic.stats().overflowed), (0, 1, 1));
    assert_eq!(kind(ws.send("late").await), ErrorKind::Closed);
    slow.expect(binary(vec![0; BIG])).await;
    assert_eq!(slow.expect_close(1013).await, "too slow for a topic");
    publish(&topic, "5", &mut other).await;
}

#[tokio::test(start_paused = true)]
async fn pings_are_answered_while_publications_wait() {
    let topic = Hub::new().topic("prices");
    let (seat, ws, mut slow) = stalled(&topic, Overflow::DropOldest).await;
    for number in 0..10 {
        topic.publish(vec![number; 500]).unwrap();
    }
    slow.send(ping("?")).await;
    slow.settle().await;
    assert_eq!(seat.lag(), 10);
    slow.expect(binary(vec![0; BIG])).await;
    slow.expect(pong("?")).await;
    for number in 0..10 {
        slow.expect(binary([number; 500])).await;
    }
    drop(ws);
}

#[tokio::test(start_paused = true)]
async fn a_slow_member_of_its_own_encoding_is_bounded_too() {
    let topic = Hub::new().topic("prices").capacity(3);
    let (peer, transport, _) = tap(1024);
    let settings = quiet()
        .limits(Limits::default().max_write_buffer_size(1000))
        .compression(Compression::default().server_context_takeover(true).threshold(0));
    let (ws, mut peer) = open_over(settings, DEFLATE, peer, transport).await;
    let seat = topic.join(&ws, Overflow::DropOldest).unwrap();
    // It does not shrink.
    let large: Vec<u8> = (0..BIG / 8).flat_map(|_| rand::random::<u64>().to_le_bytes()).collect();
    fill(&ws, large.clone());
    peer.settle().await;
    for number in 0..10 {
        topic.publish(format!("message {number}")).unwrap();
        peer.settle().await;
    }
    assert_eq!((seat.lag(), seat.dropped()), (3, 7));
    peer.expect(binary(large)).await;
    let mut inflater = Inflate::new();
    for number in 7..10 {
        let frame = peer.recv().await.unwrap();
        let payload = if frame.is_compressed() { inflater.message(&frame.payload) } else { frame.payload };
        assert_eq!(payload, format!("message {number}").into_bytes());
    }
}
