//! Brokers that go away, come back, forget, are cut off or slow.

use std::time::Duration;

use tower_websocket::{Recovered, Topic};

use crate::PATIENCE;
use crate::broker::Broker;
use crate::cut::{Cable, Way};
use crate::for_each_broker;
use crate::member::{Member, texts, topic};

for_each_broker! {
    a_broker_that_comes_back_with_its_data_has_lost_nothing
    a_broker_that_comes_back_without_its_data_leaves_a_gap
    a_broker_that_comes_back_with_old_data_leaves_a_gap
    what_was_published_while_a_server_was_cut_off_comes_later
    a_slow_broker_delays
    a_member_that_joins_while_the_broker_is_away_is_served_when_it_is_back
    what_waits_for_the_broker_is_bounded
    more_may_wait_for_the_broker_than_it_keeps
    hubs_that_are_dropped_while_the_broker_is_away_free_everything
}

/// Publishes these numbers as texts.
pub(crate) fn publish(topic: &Topic, numbers: std::ops::Range<usize>) {
    for number in numbers {
        topic.publish(number.to_string()).unwrap();
    }
}

/// The texts of these numbers.
pub(crate) fn numbers(numbers: std::ops::Range<usize>) -> Vec<String> {
    numbers.map(|number| number.to_string()).collect()
}

async fn a_broker_that_comes_back_with_its_data_has_lost_nothing(mut broker: Broker) {
    let (here, there) = (topic(&broker.hub().await), topic(&broker.hub().await));
    let (mut near, mut far) = (Member::join(&here).await, Member::join(&there).await);
    publish(&here, 0..100);
    let before = near.take(50).await;
    // In the middle of traffic.
    broker.kill().await;
    publish(&here, 100..200);
    broker.restart().await;
    publish(&here, 200..300);
    let after = near.take(250).await;
    let all = [before, after].concat();
    assert_eq!(texts(&all), numbers(0..300));
    assert_eq!(far.take(300).await, all);
    let (mut back, _) = Member::resume(&there, all[120].0);
    assert_eq!(back.take(179).await, all[121..]);
    assert_eq!(here.stats().gaps + there.stats().gaps, 0);
}

async fn a_broker_that_comes_back_without_its_data_leaves_a_gap(mut broker: Broker) {
    let (here, there) = (topic(&broker.hub().await), topic(&broker.hub().await));
    let (mut near, mut far) = (Member::join(&here).await, Member::join(&there).await);
    publish(&here, 0..10);
    let before = near.take(10).await;
    assert_eq!(far.take(10).await, before);
    broker.kill().await;
    broker.lose_data();
    broker.restart().await;
    publish(&here, 10..20);
    let after = near.up_to("19").await;
    assert_eq!(texts(&after)[0], "gap");
    assert_eq!(texts(&after[1..]), numbers(10..20));
    assert_ne!(after[1].0.epoch(), before[0].0.epoch());
    assert!(here.stats().gaps > 0);
    // The other server saw the same, though it may have learned of it in the middle: then that is a gap too.
    let after_far = far.up_to("19").await;
    assert_eq!(texts(&after_far)[0], "gap");
    assert_eq!(after_far[1..], after[after.len() + 1 - after_far.len()..]);
    // A client of the time before is told as well.
    let (mut back, recovered) = Member::resume(&there, before[9].0);
    assert_eq!(recovered, Recovered::Gap);
    assert_eq!(back.recv().await.1, "gap");
    publish(&there, 20..21);
    for member in [&mut back, &mut near, &mut far] {
        assert_eq!(member.recv().await.1, "20");
    }
}

async fn a_broker_that_comes_back_with_old_data_leaves_a_gap(mut broker: Broker) {
    let here = topic(&broker.hub().await);
    let mut near = Member::join(&here).await;
    publish(&here, 0..10);
    near.take(10).await;
    broker.kill().await;
    broker.save_data();
    broker.restart().await;
    publish(&here, 10..20);
    let lost = near.take(10).await;
    broker.kill().await;
    broker.go_back();
    broker.restart().await;
    // A server that knows nothing of what is lost publishes in its place, and more.
    let there = topic(&broker.hub().await);
    let mut far = Member::join(&there).await;
    publish(&there, 100..130);
    let mut theirs = far.up_to("129").await;
    near.up_to("gap").await;
    // From the gap on both have the same.
    publish(&here, 130..131);
    theirs.extend(far.up_to("130").await);
    let ours = near.up_to("130").await;
    theirs.retain(|(_, text)| text != "gap");
    let ours: Vec<_> = ours.into_iter().filter(|(_, text)| text != "gap").collect();
    assert_eq!(ours, theirs[theirs.len() - ours.len()..]);
    // A position of what is lost is never taken for another's.
    for server in [&here, &there] {
        let (_, recovered) = Member::resume(server, lost[5].0);
        assert_eq!(recovered, Recovered::Gap);
    }
}

async fn what_was_published_while_a_server_was_cut_off_comes_later(broker: Broker) {
    let cable = Cable::to(broker.port()).await;
    let (here, there) = (topic(&broker.hub_by(cable.port).await), topic(&broker.hub().await));
    let (mut near, mut far) = (Member::join(&here).await, Member::join(&there).await);
    publish(&there, 0..10);
    near.take(10).await;
    cable.set(Way::Cut);
    publish(&here, 10..20);
    publish(&there, 20..30);
    let mut theirs = far.take(20).await;
    cable.set(Way::Open);
    theirs.extend(far.take(10).await);
    assert_eq!(texts(&theirs), [numbers(0..10), numbers(20..30), numbers(10..20)].concat());
    assert_eq!(near.take(20).await, theirs[10..]);
    assert_eq!(here.stats().gaps + there.stats().gaps, 0);
}

async fn a_slow_broker_delays(broker: Broker) {
    let cable = Cable::to(broker.port()).await;
    let (here, there) = (topic(&broker.hub_by(cable.port).await), topic(&broker.hub().await));
    let (mut near, mut far) = (Member::join(&here).await, Member::join(&there).await);
    cable.set(Way::Slow(Duration::from_millis(100)));
    publish(&here, 0..200);
    let theirs = far.take(200).await;
    assert_eq!(texts(&theirs), numbers(0..200));
    assert_eq!(near.take(200).await, theirs);
}

async fn a_member_that_joins_while_the_broker_is_away_is_served_when_it_is_back(mut broker: Broker) {
    let (here, there) = (topic(&broker.hub().await), topic(&broker.hub().await));
    let mut near = Member::join(&here).await;
    publish(&here, 0..10);
    let all = near.take(10).await;
    broker.kill().await;
    let (mut back, recovered) = Member::resume(&there, all[4].0);
    assert_eq!(recovered, Recovered::Pending);
    let (mut fresh, _) = Member::resume(&there, None);
    let (gone, _) = Member::resume(&there, None);
    drop(gone);
    assert!(there.members() >= 2);
    // This server goes on with what it has.
    let (mut known, recovered) = Member::resume(&here, all[4].0);
    assert_eq!(recovered, Recovered::All(5));
    assert_eq!(known.take(5).await, all[5..]);
    publish(&there, 10..12);
    broker.restart().await;
    let more = near.take(2).await;
    assert_eq!(back.take(7).await, [&all[5..], &more].concat());
    assert_eq!(fresh.take(12).await, [all, more].concat());
}

async fn what_waits_for_the_broker_is_bounded(mut broker: Broker) {
    let topic = topic(&broker.hub().await);
    let mut member = Member::join(&topic).await;
    broker.kill().await;
    let message = "x".repeat(100_000);
    let published = (0..1000).take_while(|_| topic.publish(&*message).is_ok()).count();
    assert!((100..200).contains(&published), "{published}");
    broker.restart().await;
    assert_eq!(texts(&member.take(published).await), vec![&*message; published]);
    topic.publish("more").unwrap();
    assert_eq!(member.recv().await.1, "more");
}

async fn more_may_wait_for_the_broker_than_it_keeps(mut broker: Broker) {
    let topic = topic(&broker.hub().await);
    let mut member = Member::join(&topic).await;
    publish(&topic, 0..10);
    member.take(10).await;
    broker.kill().await;
    publish(&topic, 10..5000);
    broker.restart().await;
    assert_eq!(texts(&member.up_to("4999").await), numbers(10..5000));
    assert_eq!(topic.stats().gaps, 0);
}

async fn hubs_that_are_dropped_while_the_broker_is_away_free_everything(mut broker: Broker) {
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let before = tasks();
    let topics = [topic(&broker.hub().await), topic(&broker.hub().await)];
    let mut members = [Member::join(&topics[0]).await, Member::join(&topics[1]).await];
    publish(&topics[0], 0..10);
    for member in &mut members {
        member.take(10).await;
    }
    broker.kill().await;
    drop((topics, members));
    let all_end = async {
        while tasks() > before {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, all_end).await.expect("no task stays");
}
