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
