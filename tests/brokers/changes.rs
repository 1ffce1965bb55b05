//! What others do to a broker, and topics that it cannot take as they are.

use std::time::Duration;

use tokio::time::timeout;
use tower_websocket::Overflow;

use crate::broker::{Broker, Kind};
use crate::cut::{Cable, Way};
use crate::failures::{numbers, publish};
use crate::member::{Member, texts, topic};
use crate::{PATIENCE, for_broker, for_each_broker};

for_each_broker! {
    data_that_is_deleted_meanwhile_is_a_gap
    topics_of_a_session_that_fails_are_followed_by_the_next
    a_name_may_be_long
    one_bad_topic_leaves_the_others_alone
}

for_broker! { redis_alone Redis
    a_server_that_only_listens_notices_a_dead_connection
}

async fn data_that_is_deleted_meanwhile_is_a_gap(broker: Broker) {
    let (here, there) = (topic(&broker.hub().await), topic(&broker.hub().await));
    let (mut near, mut far) = (Member::join(&here).await, Member::join(&there).await);
    publish(&there, 0..10);
    let before = near.take(10).await;
    assert_eq!(far.take(10).await, before);
    broker.command(if broker.kind == Kind::Redis { "FLUSHALL" } else { "$JS.API.STREAM.DELETE.tower-websocket" }).await;
    publish(&there, 10..50);
    let ours = near.up_to("49").await;
    let theirs = far.up_to("49").await;
    for received in [&ours, &theirs] {
        assert_eq!(texts(received)[0], "gap");
        assert_ne!(received[1].0.epoch(), before[0].0.epoch());
        let texts: Vec<_> = texts(received).into_iter().filter(|text| *text != "gap").collect();
        assert_eq!(texts, numbers(10..50)[40 - texts.len()..]);
    }
    // Both know the same by the same positions.
    let common = ours.len().min(theirs.len()) - 1;
    assert_eq!(ours[ours.len() - common..], theirs[theirs.len() - common..]);
}

async fn topics_of_a_session_that_fails_are_followed_by_the_next(mut broker: Broker) {
    let cable = Cable::to(broker.port()).await;
    let hub = broker.hub_by(cable.port).await;
    broker.kill().await;
    let mut members = Vec::new();
    for number in 0..20 {
        let (member, topic) = (Member::new(), hub.topic(format!("topic {number}")));
        topic.join(&member.server, Overflow::Close).unwrap().stay();
        members.push((member, topic));
    }
    // It fails in the middle of it.
    cable.set(Way::Slow(Duration::from_millis(5)));
    broker.restart().await;
    let first = futures_util::future::select_all(members.iter().map(|(_, topic)| Box::pin(topic.ready())));
    timeout(PATIENCE, first).await.expect("one is ready");
    broker.kill().await;
    cable.set(Way::Open);
    broker.restart().await;
    for (_, topic) in &members {
        timeout(PATIENCE, topic.ready()).await.expect("all are ready");
    }
}

async fn a_server_that_only_listens_notices_a_dead_connection(broker: Broker) {
    let cable = Cable::to(broker.port()).await;
    let (hub, there) = (broker.hub_by(cable.port).await, topic(&broker.hub().await));
    hub.topic("another").ready().await;
    let here = topic(&hub);
    cable.replace();
    // It asks by a connection that is dead.
    let mut near = Member::join(&here).await;
    publish(&there, 0..3);
    assert_eq!(texts(&near.take(3).await), numbers(0..3));
}

async fn a_name_may_be_long(broker: Broker) {
    let (here, there) = (broker.hub().await, broker.hub().await);
    for length in [200, 5000] {
        let names = ["a", "b"].map(|last| format!("{}{last}", "a long name * ".repeat(length / 14)));
        let [one, other] = names.each_ref().map(|name| there.topic(name));
        let (client, server) = tower_websocket::testing::pair(tower_websocket::Upgrader::new());
        one.join(&server, Overflow::Close).unwrap().stay();
        other.join(&server, Overflow::Close).unwrap().stay();
        for topic in [one, other] {
            timeout(PATIENCE, topic.ready()).await.expect("it is ready");
        }
        for name in &names {
            here.topic(name).publish(&name[name.len() - 1..]).unwrap();
            let message = timeout(PATIENCE, client.recv()).await.expect("a message");
            assert_eq!(message.unwrap().unwrap(), name[name.len() - 1..].into());
        }
    }
}

async fn one_bad_topic_leaves_the_others_alone(broker: Broker) {
    let hub = match broker.kind {
        Kind::Redis => {
            broker.command("SET tower-websocket:bad value").await;
            broker.hub().await
        }
        Kind::Nats => {
            let stream = r#"{"name":"tower-websocket","subjects":["tower-websocket.log.*"],"max_msg_size":1000,
                "max_msgs_per_subject":1000,"republish":{"src":"tower-websocket.log.*","dest":"tower-websocket.live.{{wildcard(1)}}"}}"#;
            let answer = broker.command(&format!("$JS.API.STREAM.CREATE.tower-websocket {stream}")).await;
            assert!(!answer.contains("error"), "{answer}");
            broker.hub().await
        }
    };
    let bad = hub.topic("bad");
    let member = Member::new();
    bad.join(&member.server, Overflow::Close).unwrap().stay();
    bad.publish("x".repeat(2000)).unwrap();
    let good = topic(&hub);
    let mut member = Member::join(&good).await;
    publish(&good, 0..3);
    assert_eq!(texts(&member.take(3).await), numbers(0..3));
}
