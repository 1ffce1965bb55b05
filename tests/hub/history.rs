//! Histories, and members that come back.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use tokio::time::sleep;
use tower_websocket::{
    Budget, History, Hub, Keepalive, Limits, Message, Overflow, Position, Recovered, Topic, Upgrader, testing,
};

use crate::support::{pair, plain_pair, received, settle};

const MINUTE: Duration = Duration::from_secs(60);

fn chat(hub: &Hub) -> Topic {
    hub.topic("chat").history(History::last(3).within(2 * MINUTE))
}

/// What a client that comes back is told and gets.
async fn recover(topic: &Topic, position: impl Into<Option<Position>>) -> (Recovered, Vec<String>) {
    let (client, server) = pair();
    let recovered = topic.join_after(&server, position, Overflow::Close).unwrap();
    settle().await;
    let messages = received(&client);
    topic.publish_except(server.id(), "not for the history").unwrap_or(());
    topic.leave(&server);
    (recovered, messages)
}

#[tokio::test(start_paused = true)]
async fn a_client_gets_what_it_has_missed_or_a_notice_of_a_gap() {
    let topic = chat(&Hub::new());
    let start = topic.position();
    let mut positions = vec![start];
    for number in 1..=5 {
        topic.publish(number.to_string()).unwrap();
        positions.push(topic.position());
    }
    let (client, server) = pair();
    for (position, expected) in [
        (positions[5], Some("")),
        (positions[4], Some("5")),
        (positions[2], Some("3 4 5")),
        (positions[1], None),
        (start, None),
        (format!("{:x}-6", start.epoch()).parse().unwrap(), None),
        (format!("{:x}-5", start.epoch() ^ 1).parse().unwrap(), None),
    ] {
        let recovered = topic.join_after(&server, position, Overflow::Close).unwrap();
        settle().await;
        let messages = received(&client);
        match expected {
            None => assert_eq!((recovered, messages.len()), (Recovered::Gap, 0), "{position}"),
            Some(expected) => {
                assert_eq!(recovered, Recovered::All(messages.len()), "{position}");
                assert_eq!(messages.join(" "), expected, "{position}");
            }
        }
        topic.leave(&server);
    }
    // Without a position it gets what there is.
    assert_eq!(topic.join_after(&server, None, Overflow::Close).unwrap(), Recovered::All(3));
    topic.publish("6").unwrap();
    settle().await;
    assert_eq!(received(&client), ["3", "4", "5", "6"]);
}

/// The connection's task makes it, while others publish.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_notice_of_a_gap_comes_before_later_publications_if_encoding_it_takes_long() {
    let notice: String =
        (0..400_000_u32).map(|number| char::from(b'a' + (number.wrapping_mul(number) >> 7) as u8 % 26)).collect();
    let told = notice.clone();
    let topic = Hub::new().topic("t").tell_gap(move |_| Message::text(told.clone()));
    let unknown = Hub::new().topic("t").position();
    for _ in 0..20 {
        let (client, server) = pair();
        let (seat, recovered) = topic.resume(&server, unknown, Overflow::Close).unwrap();
        assert_eq!(recovered, Recovered::Gap);
        for number in 0..10 {
            tokio::time::sleep(Duration::from_millis(1)).await;
            topic.publish(number.to_string()).unwrap();
        }
        let mut all = Vec::new();
        while all.len() < 11 {
            all.push(client.recv().await.unwrap().unwrap());
        }
        let lengths: Vec<_> = all.iter().map(Message::len).collect();
        assert_eq!(lengths, [notice.len(), 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]);
        drop(seat);
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_topic_without_history_published_without_members_is_a_gap() {
    let topic = Hub::new().topic("news");
    let before = topic.position();
    topic.publish("missed").unwrap();
    assert_eq!(recover(&topic, before).await, (Recovered::Gap, vec![]));
    assert_eq!(recover(&topic, topic.position()).await, (Recovered::All(0), vec![]));
}

#[tokio::test(start_paused = true)]
async fn the_notice_of_a_gap_comes_before_later_publications() {
    let topic = chat(&Hub::new()).tell_gap(|gap| format!("{} to {}", gap.after(), gap.up_to()).into());
    let start = topic.position();
    for number in 1..=5 {
        topic.publish(number.to_string()).unwrap();
    }
    let gap = format!("{start} to {}", topic.position());
    let (client, server) = pair();
    let (_seat, recovered) = topic.resume(&server, start, Overflow::Close).unwrap();
    topic.publish("6").unwrap();
    settle().await;
    assert_eq!((recovered, received(&client)), (Recovered::Gap, vec![gap, "6".to_owned()]));
    // Nothing is lost for a member that joins afresh, nor for one that gets all that it has missed.
    for position in [None, Some(format!("{:x}-4", start.epoch()).parse().unwrap())] {
        assert!(matches!(recover(&topic, position).await.0, Recovered::All(_)));
    }
    // A slow member is told of it first.
    let (client, server) = pair();
    topic.join_after(&server, start, Overflow::KeepLatest).unwrap();
    let gap = format!("{start} to {}", topic.position());
    for number in 7..=9 {
        topic.publish(number.to_string()).unwrap();
    }
    settle().await;
    assert_eq!(received(&client)[0], gap);
}

#[tokio::test(start_paused = true)]
async fn what_is_too_old_is_a_gap() {
    let topic = chat(&Hub::new());
    let start = topic.position();
    topic.publish("1").unwrap();
    sleep(MINUTE).await;
    topic.publish("2").unwrap();
    let after_two = topic.position();
    assert_eq!(recover(&topic, start).await.0, Recovered::All(2));
    let topic = topic.history(History::last(10).within(MINUTE));
    assert_eq!(recover(&topic, start).await.0, Recovered::Gap);
    let (recovered, messages) = recover(&topic, after_two).await;
    assert_eq!(recovered, Recovered::All(messages.len()));
}

#[tokio::test(start_paused = true)]
async fn a_topic_stays_for_its_history_and_no_longer() {
    let hub = Hub::new();
    let position = {
        let topic = chat(&hub);
        let position = topic.position();
        topic.publish("1").unwrap();
        position
    };
    assert_eq!(hub.topics(), 1);
    sleep(MINUTE).await;
    chat(&hub).publish("2").unwrap();
    sleep(MINUTE + MINUTE / 2).await;
    // The first is gone, the second is there.
    let topic = chat(&hub);
    assert_eq!(topic.position().offset(), 2);
    let (client, server) = pair();
    assert_eq!(topic.join_after(&server, position, Overflow::Close).unwrap(), Recovered::Gap);
    topic.leave(&server);
    assert_eq!(topic.join_after(&server, None, Overflow::Close).unwrap(), Recovered::All(1));
    topic.leave(&server);
    drop(topic);
    assert_eq!(hub.topics(), 1);
    sleep(MINUTE).await;
    assert_eq!(hub.topics(), 0);
    // Another run of the topic: its offsets mean something else.
    let topic = chat(&hub);
    assert_ne!(topic.position().epoch(), position.epoch());
    assert_eq!(topic.join_after(&server, position, Overflow::Close).unwrap(), Recovered::Gap);
    drop(client);
}

#[tokio::test(start_paused = true)]
async fn topics_that_publish_at_the_same_instant_all_stay_for_their_histories() {
    let hub = Hub::new();
    for name in ["a", "b", "c"] {
        hub.topic(name).history(History::last(3)).publish("kept").unwrap();
    }
    assert_eq!(hub.topics(), 3);
    let (_client, server) = pair();
    for name in ["a", "b", "c"] {
        assert_eq!(hub.topic(name).join_after(&server, None, Overflow::Close).unwrap(), Recovered::All(1), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_history_is_charged_once_with_its_encoded_frames() {
    const LEN: usize = 10_000;
    let budget = Budget::new(1_000_000);
    let topic = chat(&Hub::with_budget(budget.clone()));
    let members = [plain_pair(), plain_pair(), plain_pair()];
    for (_, server) in &members {
        topic.join(server, Overflow::Close).unwrap().stay();
    }
    topic.publish(vec![0; LEN]).unwrap();
    settle().await;
    for (client, _) in &members {
        assert_eq!(client.recv().await.unwrap().unwrap().len(), LEN);
    }
    settle().await;
    // The message, and the frame that all three were sent.
    assert!((2 * LEN..3 * LEN).contains(&budget.used()), "{}", budget.used());
}

#[tokio::test(start_paused = true)]
async fn a_publication_without_members_is_not_encoded() {
    let count = Arc::new(AtomicUsize::new(0));
    let encoded = count.clone();
    let topic = Hub::new().topic("news").encode(move |message, _| {
        encoded.fetch_add(1, Relaxed);
        message
    });
    topic.publish("without members or a history").unwrap();
    assert_eq!(count.load(Relaxed), 0);
    let topic = topic.history(History::last(1));
    topic.publish("for the history").unwrap();
    assert_eq!(count.load(Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn a_hub_that_is_dropped_frees_everything() {
    let budget = Budget::new(1_000_000);
    let hub = Hub::with_budget(budget.clone());
    chat(&hub).publish(vec![0; 1000]).unwrap();
    assert!(budget.used() >= 1000);
    drop(hub);
    assert_eq!(budget.used(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_application_encodes_positions() {
    let topic = chat(&Hub::new())
        .encode(|message, position| Message::text(format!("{position} {}", message.as_text().unwrap_or_default())));
    let (client, server) = pair();
    let (seat, recovered) = topic.resume(&server, None, Overflow::Close).unwrap();
    assert_eq!((recovered, seat.position()), (Recovered::All(0), topic.position()));
    topic.publish("one").unwrap();
    topic.publish("two").unwrap();
    settle().await;
    let told = received(&client);
    let (first, message) = told[0].split_once(' ').unwrap();
    assert_eq!(message, "one");
    let first: Position = first.parse().unwrap();
    assert_eq!((first.epoch(), first.offset()), (topic.position().epoch(), 1));
    drop(seat);
    let (_seat, recovered) = topic.resume(&server, first, Overflow::Close).unwrap();
    settle().await;
    assert_eq!((recovered, received(&client)), (Recovered::All(1), vec![told[1].clone()]));
}

#[tokio::test(start_paused = true)]
async fn a_replay_is_no_reason_to_close_a_member() {
    let topic = Hub::new().topic("large").history(History::last(1000)).capacity(1);
    for number in 0..1000 {
        topic.publish(format!("{number} {}", "x".repeat(1000))).unwrap();
    }
    let (client, server) = plain_pair();
    let (seat, recovered) = topic.resume(&server, None, Overflow::Close).unwrap();
    assert_eq!(recovered, Recovered::All(1000));
    topic.publish("behind it").unwrap();
    settle().await;
    assert!(seat.lag() > 500, "{}", seat.lag());
    for number in 0..1000 {
        let message = client.recv().await.unwrap().unwrap();
        assert!(message.as_text().unwrap().starts_with(&format!("{number} ")));
    }
    assert_eq!(client.recv().await.unwrap(), Some(Message::text("behind it")));
    assert_eq!((seat.lag(), seat.dropped()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn histories_go_when_the_budget_is_used_up() {
    let budget = Budget::new(100_000);
    let hub = Hub::with_budget(budget.clone());
    let topic = hub.topic("large").history(History::last(1000));
    let start = topic.position();
    let mut positions = Vec::new();
    for _ in 0..50 {
        topic.publish(vec![0; 10_000]).unwrap();
        positions.push(topic.position());
        assert!(budget.used() <= 100_000, "{budget:?}");
    }
    let (_client, server) = pair();
    assert_eq!(topic.join_after(&server, start, Overflow::Close).unwrap(), Recovered::Gap);
    topic.leave(&server);
    assert_eq!(topic.join_after(&server, positions[49], Overflow::Close).unwrap(), Recovered::All(0));
    drop((topic, hub, server));
    settle().await;
    assert_eq!(budget.used(), 0);
}

/// The history of another topic, which nothing is published to any more, fills the budget.
fn fill(hub: &Hub) -> (Topic, Position) {
    let quiet = hub.topic("quiet").history(History::last(100_000));
    let start = quiet.position();
    for _ in 0..970 {
        quiet.publish(vec![0; 10_000]).unwrap();
    }
    (quiet, start)
}

#[tokio::test(start_paused = true)]
async fn histories_of_other_topics_go_before_less_waits_for_a_slow_member() {
    let hub = Hub::with_budget(Budget::new(10_000_000));
    let (quiet, start) = fill(&hub);
    let busy = hub.topic("busy").capacity(100);
    let (_client, server) = plain_pair();
    let seat = busy.join(&server, Overflow::Close).unwrap();
    for _ in 0..60 {
        busy.publish(vec![0; 16_000]).unwrap();
        settle().await;
    }
    assert!(seat.lag() > 30 && busy.stats().overflowed == 0, "{} wait", seat.lag());
    let (_client, server) = pair();
    assert_eq!(quiet.join_after(&server, start, Overflow::Close).unwrap(), Recovered::Gap);
}

#[tokio::test(start_paused = true)]
async fn histories_leave_room_for_what_connections_receive() {
    let budget = Budget::new(10_000_000);
    let hub = Hub::with_budget(budget.clone());
    let (_quiet, _) = fill(&hub);
    let settings = Upgrader::new().without_compression().limits(Limits::default().budget(budget));
    let (client, server) = testing::pair(settings.keepalive(Keepalive::disabled()));
    client.send(vec![0; 1_000_000]).await.unwrap();
    assert_eq!(server.recv().await.unwrap().unwrap().len(), 1_000_000);
}
