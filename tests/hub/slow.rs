//! Members that are slow, and how that is seen.

use std::time::Duration;

use tower_websocket::{CloseCode, Compression, Hub, Keepalive, Message, Overflow, Upgrader, testing};

use crate::support::{plain_pair, received, settle};

#[tokio::test(start_paused = true)]
async fn a_member_gets_a_notice_of_dropped_publications() {
    let topic =
        Hub::new().topic("ticker").capacity(2).tell_dropped(|count| Message::text(format!("{count} are left out")));
    let (client, server) = plain_pair();
    let seat = topic.join(&server, Overflow::DropOldest).unwrap();
    // More than both ends and the buffer between them take.
    for number in 0..50 {
        topic.publish(format!("{number} {}", "x".repeat(16_000))).unwrap();
        settle().await;
    }
    assert_eq!((seat.lag(), topic.lag()), (2, 2));
    let dropped = seat.dropped();
    assert!((10..48).contains(&dropped), "{dropped}");
    assert_eq!(topic.stats().dropped, dropped);
    let mut messages = Vec::new();
    while messages.len() < 50 - dropped as usize + 1 {
        messages.extend(received(&client));
        settle().await;
    }
    let numbers: Vec<_> = messages.iter().map(|message| message.split(" x").next().unwrap()).collect();
    let before: Vec<_> = (0..48 - dropped).map(|number| number.to_string()).collect();
    let told = format!("{dropped} are left out");
    let expected: Vec<_> = before.iter().map(String::as_str).chain([&*told, "48", "49"]).collect();
    assert_eq!(numbers, expected);
    topic.publish("as before").unwrap();
    settle().await;
    assert_eq!(received(&client), ["as before"]);
    assert_eq!((seat.lag(), topic.lag()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn what_a_handler_sends_comes_through_however_much_is_published() {
    let topic = Hub::new().topic("flood").capacity(100);
    let (client, server) = plain_pair();
    let seat = topic.join(&server, Overflow::DropOldest).unwrap();
    let publish = || topic.publish("x".repeat(16_000)).unwrap();
    while seat.dropped() == 0 {
        publish();
        settle().await;
    }
    let mut replies = Vec::new();
    let sending = tokio::spawn(async move {
        for number in 0..5 {
            server.send(format!("reply {number}")).await.unwrap();
        }
        server
    });
    for _ in 0..100 {
        for _ in 0..3 {
            publish();
        }
        settle().await;
        let message = client.recv().await.unwrap().unwrap();
        replies.extend(message.as_text().filter(|text| text.starts_with("reply")).map(str::to_owned));
    }
    assert_eq!(replies, ["reply 0", "reply 1", "reply 2", "reply 3", "reply 4"]);
    // The publications have come through as well.
    assert!(seat.lag() > 0 && topic.members() == 1);
    drop(sending.await.unwrap());
}

/// Many small publications in a row are delivered together, more than the queue of a slow member takes.
#[tokio::test(start_paused = true)]
async fn a_burst_makes_no_member_slow() {
    let settings = Upgrader::new().keepalive(Keepalive::disabled());
    let takeover = settings.compression(Compression::default().server_context_takeover(true).threshold(0));
    for overflow in [Overflow::Close, Overflow::DropOldest, Overflow::KeepLatest] {
        let topic = Hub::new().topic("burst").capacity(2);
        let pairs = [plain_pair(), testing::pair(takeover.clone()), plain_pair()];
        // One does not get all of it, one encodes for itself, and one is a client, which masks.
        let members = [&pairs[0].1, &pairs[1].1, &pairs[2].0];
        let _seats = members.map(|member| topic.join(member, overflow).unwrap());
        topic.publish_except(&pairs[0].1, "0").unwrap();
        for number in 1..300 {
            topic.publish(number.to_string()).unwrap();
        }
        settle().await;
        for (member, peer) in [(0, &pairs[0].0), (1, &pairs[1].0), (2, &pairs[2].1)] {
            let all: Vec<_> = (usize::from(member == 0)..300).map(|number| number.to_string()).collect();
            assert_eq!(received(peer), all, "{overflow:?}, member {member}");
        }
        assert_eq!((topic.members(), topic.stats().dropped), (3, 0));
    }
}

/// As a panic in a handler: it ends this connection, and tells its peer so.
#[tokio::test(start_paused = true)]
async fn a_panic_in_the_notice_closes_its_connection_alone() {
    let topic = Hub::new().topic("t").capacity(2).tell_dropped(|_| -> Message { panic!("the user's notice") });
    let (client, server) = plain_pair();
    let seat = topic.join(&server, Overflow::DropOldest).unwrap();
    while seat.dropped() == 0 {
        topic.publish("x".repeat(16_000)).unwrap();
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    while let Ok(Some(_)) = client.recv().await {}
    assert_eq!(client.done().await.unwrap().code(), CloseCode::INTERNAL_ERROR);
    assert_eq!(server.done().await.unwrap().code(), CloseCode::INTERNAL_ERROR);
}

/// The member's connection is sent the same frames as others, or, as a client, masks its own.
#[tokio::test(start_paused = true)]
async fn a_topic_with_much_to_send_does_not_keep_the_connections_other_topics_waiting() {
    for is_client in [false, true] {
        let hub = Hub::new();
        let (busy, quiet) = (hub.topic("busy").capacity(1000), hub.topic("quiet"));
        let (client, server) = plain_pair();
        let (member, reader) = if is_client { (client, server) } else { (server, client) };
        let seat = busy.join(&member, Overflow::Close).unwrap();
        let _seat = quiet.join(&member, Overflow::Close).unwrap();
        for _ in 0..200 {
            busy.publish("x".repeat(16_000)).unwrap();
        }
        settle().await;
        quiet.publish("quiet").unwrap();
        settle().await;
        while reader.recv().await.unwrap().unwrap().as_text() != Some("quiet") {}
        assert!(seat.lag() > 150, "{}", seat.lag());
    }
}
