//! The task that delivers to many members.

use tokio::runtime::Handle;
use tokio::task::yield_now;
use tower_websocket::{Hub, Manager, Overflow, Topic};

use crate::support::{plain_pair, received, settle};

/// A topic with a hundred members, and all ends of their connections.
async fn busy() -> (Topic, Vec<(Manager, Manager)>) {
    let topic = Hub::new().topic("news");
    let pairs: Vec<_> = (0..100).map(|_| plain_pair()).collect();
    for (_, server) in &pairs {
        topic.join(server, Overflow::Close).unwrap().stay();
    }
    settle().await;
    (topic, pairs)
}

#[tokio::test(start_paused = true)]
async fn other_tasks_run_before_all_members_are_delivered_to() {
    let (topic, pairs) = busy().await;
    topic.publish("news").unwrap();
    let mut delivered = Vec::new();
    while topic.stats().delivered < 100 {
        yield_now().await;
        delivered.push(topic.stats().delivered);
    }
    // They are delivered to in chunks of 32.
    delivered.dedup();
    assert!(delivered.len() > 1, "{delivered:?}");
    assert!(delivered.iter().all(|members| members % 32 == 0 || *members == 100), "{delivered:?}");
    settle().await;
    for (client, _) in &pairs {
        assert_eq!(received(client), ["news"]);
    }
}

#[tokio::test(start_paused = true)]
async fn one_task_delivers_however_much_is_published_meanwhile() {
    let (topic, _pairs) = busy().await;
    let tasks = || Handle::current().metrics().num_alive_tasks();
    let before = tasks();
    for number in 0..50 {
        topic.publish(number.to_string()).unwrap();
    }
    assert_eq!(tasks(), before + 1);
    settle().await;
    assert_eq!((topic.stats().delivered, tasks()), (50 * 100, before));
}
