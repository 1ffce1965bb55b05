//! Several servers, and a broker that works.

use tokio::time::timeout;
use tower_websocket::{Hub, Overflow, Recovered};

use crate::PATIENCE;
use crate::broker::Broker;
use crate::cut::{Cable, Way};
use crate::failures::{numbers, publish};
use crate::for_each_broker;
use crate::member::{Member, texts, topic};

for_each_broker! {
    all_members_get_the_same_in_the_same_order
    what_is_published_from_outside_of_members_reaches_all
    a_client_comes_back_to_another_server
    a_client_that_is_ahead_of_its_server_misses_nothing_and_gets_nothing_twice
    a_position_that_no_server_knows_is_a_gap
    a_position_of_a_quiet_topic_is_none_of_another_topic
    a_member_that_joins_and_publishes_gets_what_it_published
    who_is_left_out_is_one_connection_of_one_server
    kinds_and_keys_survive
    topics_are_apart_and_come_and_go
}

async fn all_members_get_the_same_in_the_same_order(broker: Broker) {
    let topics = [topic(&broker.hub().await), topic(&broker.hub().await), topic(&broker.hub().await)];
    let mut members = Vec::new();
    for topic in &topics {
        members.push(Member::join(topic).await);
    }
    // Each server publishes at the same time.
    let mut publishers = tokio::task::JoinSet::new();
    for (server, topic) in topics.iter().cloned().enumerate() {
        publishers.spawn(async move {
            for number in 0..300 {
                topic.publish(format!("{server} {number}")).unwrap();
                tokio::task::yield_now().await;
            }
        });
    }
    publishers.join_all().await;
    let first = members[0].take(900).await;
    assert!(first.windows(2).all(|two| two[0].0.epoch() == two[1].0.epoch() && two[0].0.offset() < two[1].0.offset()));
    for server in 0..3 {
        let own: Vec<_> =
            texts(&first).into_iter().filter_map(|text| text.strip_prefix(&format!("{server} "))).collect();
        assert_eq!(own, (0..300).map(|number| number.to_string()).collect::<Vec<_>>(), "as its publisher made them");
    }
    for member in &mut members[1..] {
        assert_eq!(member.take(900).await, first);
    }
    assert!(topics.iter().all(|topic| topic.position() == first[899].0 && topic.stats().gaps == 0));
}

async fn what_is_published_from_outside_of_members_reaches_all(broker: Broker) {
    // This server has no member, and follows nothing. The hub is dropped at once: what was published is published.
    let silent = topic(&broker.hub().await);
    let mut member = Member::join(&topic(&broker.hub().await)).await;
    for number in 0..3 {
        silent.publish(number.to_string()).unwrap();
    }
    drop(silent);
    assert_eq!(texts(&member.take(3).await), ["0", "1", "2"]);
}

async fn a_client_comes_back_to_another_server(broker: Broker) {
    let (here, there) = (topic(&broker.hub().await), topic(&broker.hub().await));
    let mut member = Member::join(&here).await;
    for number in 0..10 {
        here.publish(number.to_string()).unwrap();
    }
    let seen = member.take(4).await;
    let rest = member.take(6).await;

    // The other server has to ask the broker.
    let (mut back, recovered) = Member::resume(&there, seen[3].0);
    assert_eq!(recovered, Recovered::Pending);
    assert_eq!(back.take(6).await, rest);
    // Now it knows.
    there.ready().await;
    let (mut back, recovered) = Member::resume(&there, seen[3].0);
    assert_eq!(recovered, Recovered::All(6));
    assert_eq!(back.take(6).await, rest);
    let (mut fresh, recovered) = Member::resume(&there, None);
    assert_eq!(recovered, Recovered::All(10));
    assert_eq!(fresh.take(10).await, [seen, rest].concat());
    // All of them get what comes.
    here.publish("more").unwrap();
    for member in [&mut back, &mut fresh, &mut member] {
        assert_eq!(member.recv().await.1, "more");
    }
    // A position that was never given is a gap, and told as one.
    let (mut lost, recovered) = Member::resume(&there, Some("1-5".parse().unwrap()));
    assert_eq!(recovered, Recovered::Gap);
    assert_eq!(lost.recv().await, (there.position(), "gap".to_owned()));
}

async fn a_client_that_is_ahead_of_its_server_misses_nothing_and_gets_nothing_twice(broker: Broker) {
    let cable = Cable::to(broker.port()).await;
    let (here, there) = (topic(&broker.hub().await), topic(&broker.hub_by(cable.port).await));
    let (mut near, mut far) = (Member::join(&here).await, Member::join(&there).await);
    publish(&here, 0..5);
    far.take(5).await;
    cable.set(Way::Cut);
    publish(&here, 5..10);
    let seen = near.take(10).await;
    assert_eq!(there.position(), seen[4].0);
    let (mut back, recovered) = Member::resume(&there, seen[9].0);
    assert_eq!(recovered, Recovered::Pending);
    // One that is not ahead gets what there is.
    let (_, recovered) = Member::resume(&there, seen[2].0);
    assert_eq!(recovered, Recovered::All(2));
    publish(&here, 10..13);
    cable.set(Way::Open);
    assert_eq!(back.take(3).await, near.take(3).await);
    assert_eq!(texts(&far.take(8).await), numbers(5..13));
    publish(&there, 13..14);
    assert_eq!(back.recv().await.1, "13");
    assert_eq!(here.stats().gaps + there.stats().gaps, 0);
}

async fn a_position_that_no_server_knows_is_a_gap(broker: Broker) {
    let here = topic(&broker.hub().await);
    let mut near = Member::join(&here).await;
    publish(&here, 0..5);
    let last = near.take(5).await[4].0;
    for invented in [format!("{:x}-1000000", last.epoch()), "ffffffffffffffff-1".to_owned()] {
        let (mut lost, recovered) = Member::resume(&here, Some(invented.parse().unwrap()));
        assert_eq!(recovered, Recovered::Pending);
        let told = lost.recv().await;
        assert_eq!((told.0.epoch(), &*told.1), (last.epoch(), "gap"));
        publish(&here, 5..6);
        assert_eq!(lost.recv().await.1, "5");
    }
}

/// NATS numbers the publications of all topics in a row.
async fn a_position_of_a_quiet_topic_is_none_of_another_topic(broker: Broker) {
    let (here, there) = (broker.hub().await, broker.hub().await);
    let quiet = |hub: &Hub| hub.topic("quiet").tell_gap(|_| "gap".into());
    let behind = quiet(&here);
    behind.ready().await;
    let mut other = Member::join(&topic(&here)).await;
    publish(&topic(&here), 0..1);
    other.recv().await;
    let ahead = quiet(&there);
    ahead.ready().await;
    let (client, server) = tower_websocket::testing::pair(tower_websocket::Upgrader::new());
    behind.join_after(&server, ahead.position(), Overflow::Close).unwrap();
    timeout(PATIENCE, async {
        while behind.position() != ahead.position() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("the broker says that there is nothing in between");
    ahead.publish("no gap").unwrap();
    assert_eq!(timeout(PATIENCE, client.recv()).await.unwrap().unwrap(), Some("no gap".into()));
}

async fn a_member_that_joins_and_publishes_gets_what_it_published(broker: Broker) {
    for _ in 0..20 {
        let topic = topic(&broker.hub().await);
        let mut member = Member::new();
        let _seat = topic.join(&member.server, Overflow::Close).unwrap();
        topic.publish("mine").unwrap();
        topic.publish("too").unwrap();
        assert_eq!(texts(&member.take(2).await), ["mine", "too"]);
    }
}

async fn who_is_left_out_is_one_connection_of_one_server(broker: Broker) {
    let (here, there) = (topic(&broker.hub().await), topic(&broker.hub().await));
    let mut author = Member::join(&here).await;
    let mut neighbour = Member::join(&here).await;
    let mut others = Vec::new();
    // Connections have numbers, and other servers give the same ones.
    for _ in 0..5 {
        others.push(Member::join(&there).await);
    }
    here.publish_except(&author.server, "for the others").unwrap();
    here.publish("for all").unwrap();
    assert_eq!(author.recv().await.1, "for all");
    assert_eq!(texts(&neighbour.take(2).await), ["for the others", "for all"]);
    for other in &mut others {
        assert_eq!(texts(&other.take(2).await), ["for the others", "for all"]);
    }
}

async fn kinds_and_keys_survive(broker: Broker) {
    let (here, there) = (broker.hub().await.topic("plain"), broker.hub().await.topic("plain"));
    let (client, server) = tower_websocket::testing::pair(tower_websocket::Upgrader::new());
    there.join(&server, Overflow::KeepLatest).unwrap().stay();
    there.ready().await;
    here.publish(vec![0, 255, 10, 13]).unwrap();
    here.publish("").unwrap();
    here.publish_keyed("ключ", "text").unwrap();
    here.publish("x".repeat(300_000)).unwrap();
    let mut received = Vec::new();
    for _ in 0..4 {
        received.push(client.recv().await.unwrap().unwrap());
    }
    assert_eq!(
        received,
        [vec![0_u8, 255, 10, 13].into(), "".into(), "text".into(), tower_websocket::Message::text("x".repeat(300_000)),]
    );
}

async fn topics_are_apart_and_come_and_go(broker: Broker) {
    let (here, there) = (broker.hub().await, broker.hub().await);
    for round in 0..3 {
        let mut members = Vec::new();
        for number in 0..40 {
            let topic = there.topic(format!("topic {number}"));
            let (client, server) = tower_websocket::testing::pair(tower_websocket::Upgrader::new());
            topic.join(&server, Overflow::Close).unwrap().stay();
            topic.ready().await;
            members.push((client, server));
        }
        for number in 0..40 {
            here.topic(format!("topic {number}")).publish(format!("{round} {number}")).unwrap();
        }
        for (number, (client, _)) in members.iter().enumerate() {
            assert_eq!(client.recv().await.unwrap().unwrap(), format!("{round} {number}").into());
        }
        drop(members);
        tokio::time::timeout(crate::PATIENCE, async {
            while there.topics() > 0 {
                tokio::task::yield_now().await;
            }
        })
        .await
        .expect("topics without members are forgotten");
    }
}
