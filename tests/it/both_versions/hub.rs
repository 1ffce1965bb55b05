//! Topics and their members.

use tower_websocket::{Compression, ErrorKind, Hub, Limits, Manager, Overflow, Seat, Topic, Upgrader};

use super::support::{
    BIG, DEFLATE, Inflate, Peer, binary, close, inflate, kind, open, open_over, open_with, ping, pong, quiet, secs,
    tap, text,
};

mod slow;

/// A member with a scripted peer.
async fn member(topic: &Topic, overflow: Overflow) -> (Seat, Manager, Peer) {
    let (ws, peer) = open(quiet()).await;
    (topic.join(&ws, overflow).unwrap(), ws, peer)
}

#[tokio::test(start_paused = true)]
async fn all_members_get_what_is_published_in_order() {
    let topic = Hub::new().topic("news");
    topic.publish("before anybody").unwrap();
    let mut members = Vec::new();
    for _ in 0..200 {
        members.push(member(&topic, Overflow::Close).await);
    }
    for number in 0..20 {
        topic.publish(format!("first {number}")).unwrap();
    }
    topic.publish_json(&[1, 2]).unwrap();
    for (.., peer) in &mut members {
        for number in 0..20 {
            peer.expect(text(format!("first {number}"))).await;
        }
        peer.expect(text("[1,2]")).await;
    }
    let stats = topic.stats();
    assert_eq!((stats.published, stats.members, stats.delivered), (22, 200, 200 * 21));
    assert_eq!((stats.dropped, stats.overflowed), (0, 0));
    for (_, ws, mut peer) in members {
        assert_eq!(ws.stats().messages_sent, 21);
        peer.expect_silence(secs(1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_burst_of_publications_leaves_in_one_write() {
    let topic = Hub::new().topic("news");
    let (peer, transport, knobs) = tap(64 * 1024);
    let (ws, mut peer) = open_over(quiet(), "", peer, transport).await;
    let _seat = topic.join(&ws, Overflow::Close).unwrap();
    peer.settle().await;
    knobs.take_writes();
    for number in 0..20 {
        topic.publish(format!("message {number}")).unwrap();
    }
    for number in 0..20 {
        peer.expect(text(format!("message {number}"))).await;
    }
    assert_eq!(knobs.take_writes(), 1);
}

#[tokio::test(start_paused = true)]
async fn one_connection_can_be_left_out() {
    let topic = Hub::new().topic("chat");
    let (seat, .., mut sender) = member(&topic, Overflow::Close).await;
    let (_seat, other, mut receiver) = member(&topic, Overflow::Close).await;
    topic.publish_except(&seat, "from the sender").unwrap();
    topic.publish_except(&other, "from the receiver").unwrap();
    topic.publish_except(other.id(), "from the receiver again").unwrap();
    topic.publish("to all").unwrap();
    for expected in ["from the receiver", "from the receiver again", "to all"] {
        sender.expect(text(expected)).await;
    }
    for expected in ["from the sender", "to all"] {
        receiver.expect(text(expected)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn each_member_gets_its_own_encoding() {
    let compression = |takeover| Compression::default().threshold(100).server_context_takeover(takeover);
    let topic = Hub::new().topic("mixed");
    let mut peers = Vec::new();
    for (takeover, more) in [(false, ""), (false, DEFLATE), (true, DEFLATE), (false, DEFLATE), (true, DEFLATE)] {
        let (ws, peer) = open_with(quiet().compression(compression(takeover)), more).await;
        assert_eq!(ws.is_compressed(), !more.is_empty());
        topic.join(&ws, Overflow::Close).unwrap().stay();
        peers.push((ws, peer, takeover, Inflate::new()));
    }
    let long = |number: usize| format!("{number} {}", "abcdef".repeat(100));
    for number in 0..3 {
        topic.publish("short").unwrap();
        topic.publish(long(number)).unwrap();
    }
    let mut sizes = Vec::new();
    for (ws, peer, takeover, inflater) in &mut peers {
        for number in 0..3 {
            peer.expect(text("short")).await;
            let frame = peer.recv().await.unwrap();
            assert_eq!(frame.is_compressed(), ws.is_compressed());
            sizes.push(frame.payload.len());
            let payload = match (frame.is_compressed(), *takeover) {
                (false, _) => frame.payload,
                (true, false) => inflate(&frame.payload),
                (true, true) => inflater.message(&frame.payload),
            };
            assert_eq!(String::from_utf8(payload).unwrap(), long(number));
        }
    }
    // The second and third message of a member with context takeover refer to the first.
    assert!(sizes[7] < sizes[4], "{sizes:?}");
}

#[tokio::test(start_paused = true)]
async fn a_client_can_be_a_member() {
    let topic = Hub::new().topic("upstream");
    let (client, server) = tower_websocket::testing::pair(Upgrader::new());
    let _seat = topic.join(&client, Overflow::Close).unwrap();
    for number in 0..600 {
        topic.publish(format!("{number} {}", "x".repeat(1000))).unwrap();
        // It has a queue, which is emptied as it encodes.
        if number % 100 == 99 {
            for number in number - 99..=number {
                let message = server.recv().await.unwrap().unwrap();
                assert!(message.as_text().unwrap().starts_with(&format!("{number} ")));
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_member_leaves_with_its_seat_or_its_connection() {
    let hub = Hub::new();
    let topic = hub.topic("room");
    let (seat, ws, mut dropped) = member(&topic, Overflow::Close).await;
    let (closed_seat, _closed_ws, mut closed) = member(&topic, Overflow::Close).await;
    let (gone_seat, gone_ws, gone) = member(&topic, Overflow::Close).await;
    let (_, stays, mut stays_peer) = {
        let (seat, ws, peer) = member(&topic, Overflow::Close).await;
        seat.stay();
        ((), ws, peer)
    };
    assert_eq!(topic.members(), 4);
    drop(seat);
    assert_eq!(topic.members(), 3);
    closed.send(close(1000, "")).await;
    closed.expect_close(1000).await;
    assert_eq!(topic.members(), 2);
    drop(gone);
    gone_ws.done().await.unwrap_err();
    assert_eq!(topic.members(), 1);

    topic.publish("to one").unwrap();
    stays_peer.expect(text("to one")).await;
    dropped.expect_silence(secs(1)).await;
    for seat in [&closed_seat, &gone_seat] {
        assert_eq!((seat.lag(), seat.dropped()), (0, 0));
    }
    assert_eq!(kind(topic.join(&gone_ws, Overflow::Close)), ErrorKind::Disconnected);

    // A seat may be taken again, and more than once.
    let seats = [topic.join(&ws, Overflow::Close).unwrap(), topic.join(&ws, Overflow::Close).unwrap()];
    topic.publish("twice").unwrap();
    dropped.expect(text("twice")).await;
    dropped.expect(text("twice")).await;
    topic.leave(&ws);
    topic.leave(&stays);
    assert_eq!(topic.members(), 0);
    drop(seats);
    assert_eq!(hub.topics(), 1);
    drop((topic, closed_seat, gone_seat));
    assert_eq!(hub.topics(), 0);
}

#[tokio::test(start_paused = true)]
async fn topics_without_members_cost_nothing() {
    let hub = Hub::new();
    let (ws, mut peer) = open(quiet()).await;
    for number in 0..10_000 {
        let name = format!("topic {number}");
        hub.topic(&name).publish("to nobody").unwrap();
        let seat = hub.topic(&name).join(&ws, Overflow::Close).unwrap();
        assert_eq!(hub.topics(), 1);
        hub.topic(&name).publish("kept by its member").unwrap();
        peer.expect(text("kept by its member")).await;
        drop(seat);
        assert_eq!(hub.topics(), 0);
    }
}
