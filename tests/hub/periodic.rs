//! One producer for all members.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::sleep;
use tower_websocket::{History, Hub, Manager, Overflow, Recovered, Topic};

use crate::support::{pair, received, settle};

const PERIOD: Duration = Duration::from_secs(5);

/// A value that counts how often it is asked for, divided by this.
fn counter(divisor: u64) -> (Arc<AtomicU64>, impl FnMut() -> Ready<Result<u64, Infallible>> + Send + 'static) {
    let asked = Arc::new(AtomicU64::new(0));
    let count = asked.clone();
    (asked, move || ready(Ok(count.fetch_add(1, Ordering::Relaxed) / divisor)))
}

async fn join(topic: &Topic) -> (Manager, Manager) {
    let (client, server) = pair();
    topic.join(&server, Overflow::Close).unwrap().stay();
    settle().await;
    (client, server)
}

#[tokio::test(start_paused = true)]
async fn a_value_is_asked_for_once_and_sent_to_all_when_it_has_changed() {
    let hub = Hub::new();
    let topic = hub.topic("load");
    let (asked, get) = counter(2);
    topic.periodic(PERIOD, get);
    settle().await;
    sleep(10 * PERIOD).await;
    // Nobody was there.
    assert_eq!(asked.load(Ordering::Relaxed), 0);
    let members = [join(&topic).await, join(&topic).await, join(&topic).await];
    for (client, _) in &members {
        assert_eq!(received(client), ["0"]);
    }
    sleep(4 * PERIOD).await;
    assert_eq!(asked.load(Ordering::Relaxed), 5);
    for (client, _) in &members {
        assert_eq!(received(client), ["1", "2"]);
    }
    // One that comes in between gets the latest at once, and then what the others get.
    sleep(PERIOD / 2).await;
    let late = join(&topic).await;
    assert_eq!(received(&late.0), ["2"]);
    sleep(2 * PERIOD).await;
    for (client, _) in members.iter().chain([&late]) {
        assert_eq!(received(client), ["3"]);
    }
}

#[tokio::test(start_paused = true)]
async fn it_ends_with_the_last_clone_of_the_hub() {
    let hub = Hub::new();
    let (topic, clone) = (hub.topic("load"), hub.clone());
    let producer = topic.periodic(PERIOD, counter(1).1);
    let _member = join(&topic).await;
    drop(hub);
    sleep(2 * PERIOD).await;
    assert!(!producer.is_finished());
    drop(clone);
    sleep(2 * PERIOD).await;
    assert!(producer.is_finished());
}

#[tokio::test(start_paused = true)]
async fn a_topic_that_was_empty_gets_a_fresh_value() {
    let hub = Hub::new();
    let topic = hub.topic("load");
    let (asked, get) = counter(1);
    let producer = topic.periodic(PERIOD, get);
    let first = join(&topic).await;
    assert_eq!(received(&first.0), ["0"]);
    topic.leave(&first.1);
    sleep(3 * PERIOD).await;
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    let second = join(&topic).await;
    assert_eq!(received(&second.0), ["1"]);
    producer.abort();
    sleep(3 * PERIOD).await;
    assert_eq!(asked.load(Ordering::Relaxed), 2);
    assert!(received(&second.0).is_empty());
}

#[tokio::test(start_paused = true)]
async fn errors_are_survived_and_values_compared_as_asked() {
    let hub = Hub::new();
    let topic = hub.topic("load");
    let mut values = [Ok(1), Err("later"), Ok(3), Ok(14), Ok(15), Ok(26)].into_iter();
    topic.periodic_by(
        PERIOD,
        move || ready(values.next().unwrap_or(Err("over"))),
        |last, current| last / 10 == current / 10,
    );
    let (client, _server) = join(&topic).await;
    sleep(10 * PERIOD).await;
    assert_eq!(received(&client), ["1", "14", "26"]);
}

/// A value that panics when it is dealt with in one of these ways.
struct Fragile(u64, Arc<AtomicU64>);

const COMPARED: u64 = 1;
const SERIALISED: u64 = 2;
const ENCODED: u64 = 3;

impl Fragile {
    /// Panics the first time that this is the way.
    fn deal(&self, way: u64) {
        assert!(self.1.compare_exchange(way, 0, Ordering::Relaxed, Ordering::Relaxed).is_err(), "fragile");
    }
}

impl PartialEq for Fragile {
    fn eq(&self, other: &Self) -> bool {
        self.deal(COMPARED);
        self.0 == other.0
    }
}

impl serde::Serialize for Fragile {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.deal(SERIALISED);
        serializer.serialize_u64(self.0)
    }
}

#[tokio::test(start_paused = true)]
async fn panics_are_survived() {
    let hub = Hub::new();
    let way = Arc::new(AtomicU64::new(0));
    let encoding = way.clone();
    let topic = hub.topic("load").encode(move |message, _| {
        Fragile(0, encoding.clone()).deal(ENCODED);
        message
    });
    let (values, mut asked) = (way.clone(), 0);
    let producer = topic.periodic(PERIOD, move || {
        asked += 1;
        let value = Fragile(asked, values.clone());
        assert_ne!(asked, 2, "at once");
        async move {
            assert_ne!(asked, 3, "later");
            Ok::<_, Infallible>(value)
        }
    });
    let (client, _server) = join(&topic).await;
    sleep(3 * PERIOD).await;
    assert_eq!(received(&client), ["1", "4"]);
    for (next, value) in [COMPARED, SERIALISED, ENCODED].into_iter().zip(["6", "8", "10"]) {
        way.store(next, Ordering::Relaxed);
        sleep(PERIOD).await;
        assert_eq!((received(&client).len(), way.load(Ordering::Relaxed)), (0, 0), "it panics");
        sleep(PERIOD).await;
        assert_eq!(received(&client), [value]);
    }
    // One that joins after a panic gets the latest value.
    way.store(SERIALISED, Ordering::Relaxed);
    sleep(PERIOD).await;
    let (late, _server) = join(&topic).await;
    assert_eq!(received(&late), ["10"]);
    assert!(!producer.is_finished());
}

#[tokio::test(start_paused = true)]
async fn a_replay_and_the_latest_value_bring_each_value_once() {
    let hub = Hub::new();
    let topic = hub.topic("load").history(History::last(2));
    let start = topic.position();
    topic.periodic(PERIOD, counter(1).1);
    let (client, _server) = join(&topic).await;
    sleep(3 * PERIOD).await;
    assert_eq!(received(&client), ["0", "1", "2", "3"]);
    let before_last = topic.position();
    topic.publish("something else").unwrap();
    for (position, recovered, expected) in [
        (Some(topic.position()), Recovered::All(0), &[][..]),
        (Some(before_last), Recovered::All(1), &["something else"]),
        (Some(start), Recovered::Gap, &["3"]),
        (None, Recovered::All(2), &["3", "something else"]),
    ] {
        let (client, server) = pair();
        assert_eq!(topic.join_after(&server, position, Overflow::Close).unwrap(), recovered);
        settle().await;
        assert_eq!(received(&client), expected);
    }
}
