//! What a broker takes late, or has taken without an answer, is not published twice.

use crate::broker::Broker;
use crate::cut::{Cable, Way};
use crate::failures::{numbers, publish};
use crate::for_broker;
use crate::member::{Member, texts, topic};

for_broker! { redis Redis
    what_is_sent_to_the_broker_again_is_published_once
    what_the_broker_refuses_for_a_while_comes_later_in_order
}

/// A server waits some seconds for an answer: both at the same time.
async fn what_is_sent_to_the_broker_again_is_published_once(broker: Broker) {
    let another = Broker::start(broker.kind).await.unwrap();
    tokio::join!(what_comes_to_the_broker_late(broker), what_was_published_without_an_answer(another));
}

async fn what_comes_to_the_broker_late(broker: Broker) {
    let mut cable = Cable::to(broker.port()).await;
    let (here, there) = (topic(&broker.hub_by(cable.port).await), topic(&broker.hub().await));
    let (mut near, mut far) = (Member::join(&here).await, Member::join(&there).await);
    cable.set(Way::Cut);
    publish(&here, 0..300);
    // The server connects anew, and publishes that way. Then comes what it has sent first.
    let first = cable.connected().await;
    cable.set(Way::OpenFrom(first));
    let mut theirs = far.take(300).await;
    cable.set(Way::Open);
    // What goes the whole way comes behind all that is in a connection now.
    let _ = broker.command("PING").await;
    publish(&here, 300..310);
    theirs.extend(far.up_to("309").await);
    assert_eq!(texts(&theirs), numbers(0..310));
    assert_eq!(near.take(310).await, theirs);
}

/// And many others since.
async fn what_was_published_without_an_answer(broker: Broker) {
    let mut cable = Cable::to(broker.port()).await;
    let (here, there) = (topic(&broker.hub_by(cable.port).await), topic(&broker.hub().await));
    let mut far = Member::join(&there).await;
    here.ready().await;
    cable.set(Way::Mute);
    // One: what comes behind it waits for its answer.
    publish(&here, 0..1);
    let first = cable.connected().await;
    assert_eq!(texts(&far.take(1).await), ["0"]);
    publish(&there, 1000..3000);
    assert_eq!(texts(&far.take(2000).await), numbers(1000..3000));
    cable.set(Way::OpenFrom(first));
    publish(&here, 1..20);
    assert_eq!(texts(&far.take(19).await), numbers(1..20));
}

async fn what_the_broker_refuses_for_a_while_comes_later_in_order(broker: Broker) {
    let topic = topic(&broker.hub().await);
    let mut member = Member::join(&topic).await;
    // Less at a time than the broker keeps; in several pieces, between which it does something else.
    let filler = "x".repeat(1000);
    for round in 0..5 {
        let numbers: Vec<_> = (round * 500..(round + 1) * 500).map(|number| format!("{number} {filler}")).collect();
        for text in &numbers {
            topic.publish(&**text).unwrap();
        }
        for limit in [1, 0] {
            assert_eq!(broker.command(&format!("CONFIG SET maxmemory {limit}")).await, "+OK");
        }
        assert_eq!(texts(&member.take(500).await), numbers);
    }
}
