//! What is published before the broker has answered.

use tower_websocket::Overflow;

use crate::broker::Broker;
use crate::failures::{numbers, publish};
use crate::for_each_broker;
use crate::member::{Member, texts, topic};

for_each_broker! {
    what_is_published_before_the_broker_answers_is_bounded
    what_is_published_before_the_broker_answers_keeps_its_order
    what_is_published_before_the_broker_answers_survives_its_topic
}

async fn what_is_published_before_the_broker_answers_is_bounded(mut broker: Broker) {
    let hub = broker.hub().await;
    broker.kill().await;
    let topic = topic(&hub);
    let mut member = Member::new();
    topic.join(&member.server, Overflow::Close).unwrap().stay();
    let message = "x".repeat(100_000);
    let published = (0..1000).take_while(|_| topic.publish(&*message).is_ok()).count();
    assert!((100..200).contains(&published), "{published}");
    broker.restart().await;
    assert_eq!(texts(&member.take(published).await), vec![&*message; published]);
}

async fn what_is_published_before_the_broker_answers_keeps_its_order(mut broker: Broker) {
    let (here, there) = (topic(&broker.hub().await), topic(&broker.hub().await));
    let mut far = Member::join(&there).await;
    broker.kill().await;
    let near = Member::new();
    let seat = here.join(&near.server, Overflow::Close).unwrap();
    publish(&here, 0..5);
    drop(seat);
    assert_eq!(here.members(), 0);
    publish(&here, 5..10);
    broker.restart().await;
    assert_eq!(texts(&far.take(10).await), numbers(0..10));
}

async fn what_is_published_before_the_broker_answers_survives_its_topic(mut broker: Broker) {
    let (hub, there) = (broker.hub().await, topic(&broker.hub().await));
    let mut far = Member::join(&there).await;
    broker.kill().await;
    {
        let (here, near) = (topic(&hub), Member::new());
        let _seat = here.join(&near.server, Overflow::Close).unwrap();
        publish(&here, 0..5);
    }
    assert_eq!(hub.topics(), 0);
    publish(&topic(&hub), 5..10);
    broker.restart().await;
    assert_eq!(texts(&far.take(10).await), numbers(0..10));
}
