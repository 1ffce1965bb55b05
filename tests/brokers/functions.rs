//! Functions of users that panic.

use tower_websocket::{History, Hub, Message, Recovered, Topic};

use crate::broker::Broker;
use crate::failures::publish;
use crate::for_each_broker;
use crate::member::{Member, texts};

for_each_broker! {
    a_publication_that_cannot_be_encoded_is_a_gap
    a_panic_while_a_gap_is_reported_does_not_prevent_joining
}

/// The topic of [`crate::member::topic`], whose functions panic at `bad` publications and, if asked, at each gap.
fn topic(hub: &Hub, tells_gaps: bool) -> Topic {
    hub.topic("fragile")
        .history(History::last(1000))
        .encode(|message, position| {
            let text = message.as_text().unwrap_or_default();
            assert_ne!(text, "bad", "as the test has it");
            Message::text(format!("{position} {text}"))
        })
        .tell_gap(move |gap| {
            assert!(tells_gaps, "as the test has it");
            format!("{} gap", gap.up_to()).into()
        })
}

async fn a_publication_that_cannot_be_encoded_is_a_gap(broker: Broker) {
    let (here, there) = (topic(&broker.hub().await, true), topic(&broker.hub().await, true));
    let mut near = Member::join(&here).await;
    for text in ["a", "bad", "b"] {
        here.publish(text).unwrap();
    }
    let received = near.up_to("b").await;
    assert_eq!(texts(&received), ["a", "gap", "b"]);
    let (_, recovered) = Member::resume(&here, received[0].0);
    assert_eq!(recovered, Recovered::Gap);
    // A server that reads it is no worse off.
    let mut far = Member::join(&there).await;
    let (_, recovered) = Member::resume(&there, received[0].0);
    assert_eq!(recovered, Recovered::Gap);
    here.publish("c").unwrap();
    assert_eq!(far.recv().await.1, "c");
}

async fn a_panic_while_a_gap_is_reported_does_not_prevent_joining(broker: Broker) {
    let topic = topic(&broker.hub().await, false);
    // Both wait for the broker.
    let (mut back, recovered) = Member::resume(&topic, Some("1-5".parse().unwrap()));
    assert_eq!(recovered, Recovered::Pending);
    let mut near = Member::join(&topic).await;
    publish(&topic, 0..1);
    assert_eq!(back.recv().await.1, "0");
    assert_eq!(near.recv().await.1, "0");
}
