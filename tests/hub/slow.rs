//! Members that are slow, and how that is seen.

use tower_websocket::{Hub, Message, Overflow};

use crate::support::{plain_pair, received, settle};

#[tokio::test(start_paused = true)]
async fn a_member_is_told_of_what_was_dropped() {
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
