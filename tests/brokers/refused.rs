//! A broker that takes a publication, and not the one before it. NATS alone does: Redis takes a batch in one step.

use serde_json::json;
use tower_websocket::Topic;

use crate::broker::Broker;
use crate::cut::{Cable, Way};
use crate::failures::{numbers, publish};
use crate::for_broker;
use crate::member::{Member, Received, texts, topic};

for_broker! { nats Nats
    what_was_overtaken_is_a_gap
    what_was_overtaken_without_an_answer_is_a_gap
    what_was_published_without_an_answer_long_ago_is_published_once
    what_the_stream_has_twice_is_delivered_once
    a_stream_that_is_deleted_again_and_again_repeats_and_reorders_nothing_but_after_gaps
}

/// Makes the stream, or changes it: it has room for so many bytes, and refuses what would need more.
async fn limit(broker: &Broker, step: &str, max_bytes: u64) {
    let stream = json!({
        "name": "tower-websocket",
        "subjects": ["tower-websocket.log.*"],
        "max_bytes": max_bytes,
        "discard": "new",
        // A tenth of a second.
        "duplicate_window": if step == "SHORT" { 100_000_000_u64 } else { 120_000_000_000 },
        "republish": { "src": "tower-websocket.log.*", "dest": "tower-websocket.live.{{wildcard(1)}}" },
    });
    let step = if step == "UPDATE" { "UPDATE" } else { "CREATE" };
    let answer = broker.command(&format!("$JS.API.STREAM.{step}.tower-websocket {stream}")).await;
    assert!(!answer.contains("error"), "{answer}");
}

async fn stored_messages(broker: &Broker) -> u64 {
    let info = broker.command("$JS.API.STREAM.INFO.tower-websocket").await;
    serde_json::from_str::<serde_json::Value>(&info).unwrap()["state"]["messages"].as_u64().unwrap()
}

const SMALL: u64 = 100_000;
const LARGE: u64 = 100_000_000;

/// Larger than the stream.
fn large() -> String {
    "large".repeat(SMALL as usize / 5)
}

/// These, and one gap behind the first of them.
#[track_caller]
fn assert_gap(received: &[Received], expected: &[String]) {
    let gaps: Vec<_> = (0..received.len()).filter(|index| received[*index].1 == "gap").collect();
    assert!(gaps.len() == 1 && gaps[0] > 0, "{gaps:?} of {}", received.len());
    let others: Vec<_> = texts(received).into_iter().filter(|text| *text != "gap").collect();
    assert_eq!(others, expected);
}

async fn what_was_overtaken_is_a_gap(broker: Broker) {
    limit(&broker, "CREATE", SMALL).await;
    let (here, there) = (topic(&broker.hub().await), topic(&broker.hub().await));
    let (mut near, mut far) = (Member::join(&here).await, Member::join(&there).await);
    publish(&here, 0..1);
    here.publish(large()).unwrap();
    publish(&here, 1..50);
    let mut theirs = far.up_to("49").await;
    // Now there would be room.
    limit(&broker, "UPDATE", LARGE).await;
    publish(&here, 50..60);
    theirs.extend(far.up_to("59").await);
    assert_gap(&theirs, &numbers(0..60));
    assert_eq!(near.up_to("59").await, theirs);
    assert_eq!((here.stats().gaps, there.stats().gaps), (1, 1));
}

/// The servers get no answers, for which they wait some seconds. All of that at the same time.
async fn what_was_overtaken_without_an_answer_is_a_gap(broker: Broker) {
    let another = Broker::start(broker.kind).await.unwrap();
    tokio::join!(where_there_are_members(broker), where_there_are_none(another));
}

/// The server sees in the log what came of what it has sent.
async fn where_there_are_members(broker: Broker) {
    let (cable, here, there) = large_and_small(&broker).await;
    let (mut near, mut far) = (Member::join(&here).await, Member::join(&there).await);
    let mut theirs = overtake(&broker, cable, &here, &mut far).await;
    publish(&here, 50..60);
    theirs.extend(far.up_to("59").await);
    assert_gap(&theirs, &numbers(0..60));
    assert_eq!(near.up_to("59").await, theirs);
}

/// The server does not follow the topic, so that it sees only as it publishes again what came of it.
async fn where_there_are_none(broker: Broker) {
    let (cable, here, there) = large_and_small(&broker).await;
    let mut far = Member::join(&there).await;
    let mut theirs = overtake(&broker, cable, &here, &mut far).await;
    theirs.extend(far.up_to(&large()).await);
    publish(&here, 50..60);
    theirs.extend(far.up_to("59").await);
    // It came too late, and then the gap.
    assert_gap(&theirs, &[numbers(0..50), vec![large()], numbers(50..60)].concat());
}

async fn large_and_small(broker: &Broker) -> (Cable, Topic, Topic) {
    limit(broker, "CREATE", SMALL).await;
    let cable = Cable::to(broker.port()).await;
    let (here, there) = (topic(&broker.hub_by(cable.port).await), topic(&broker.hub().await));
    (cable, here, there)
}

/// Publishes what the broker refuses, and with it what it takes. What the other server gets.
async fn overtake(broker: &Broker, mut cable: Cable, here: &Topic, far: &mut Member) -> Vec<Received> {
    cable.set(Way::Cut);
    here.publish(large()).unwrap();
    publish(here, 0..50);
    let theirs = unanswered(&mut cable, far, "49").await;
    limit(broker, "UPDATE", LARGE).await;
    again(&mut cable).await;
    theirs
}

/// What waits is published up to this, all at once, and the broker's answers are lost.
async fn unanswered(cable: &mut Cable, far: &mut Member, last: &str) -> Vec<Received> {
    let next = cable.connected().await;
    cable.set(Way::Unanswered(next));
    far.up_to(last).await
}

/// The server has waited for answers, and connects again.
async fn again(cable: &mut Cable) {
    let next = cable.connected().await;
    cable.set(Way::OpenFrom(next));
}

/// Longer than the broker knows what it has seen.
async fn what_was_published_without_an_answer_long_ago_is_published_once(broker: Broker) {
    limit(&broker, "SHORT", LARGE).await;
    let mut cable = Cable::to(broker.port()).await;
    let (here, there) = (topic(&broker.hub_by(cable.port).await), topic(&broker.hub().await));
    let (mut near, mut far) = (Member::join(&here).await, Member::join(&there).await);
    cable.set(Way::Cut);
    publish(&here, 0..50);
    let mut theirs = unanswered(&mut cable, &mut far, "49").await;
    again(&mut cable).await;
    publish(&here, 50..60);
    theirs.extend(far.up_to("59").await);
    assert_eq!(texts(&theirs), numbers(0..60));
    assert_eq!(near.take(60).await, theirs);
}

/// The server does not follow the topic, and the broker has forgotten what it has seen.
async fn what_the_stream_has_twice_is_delivered_once(broker: Broker) {
    limit(&broker, "SHORT", LARGE).await;
    let mut cable = Cable::to(broker.port()).await;
    let (here, there) = (topic(&broker.hub_by(cable.port).await), topic(&broker.hub().await));
    let mut far = Member::join(&there).await;
    cable.set(Way::Cut);
    publish(&here, 0..50);
    let mut theirs = unanswered(&mut cable, &mut far, "49").await;
    again(&mut cable).await;
    publish(&here, 50..60);
    theirs.extend(far.up_to("59").await);
    assert_eq!(texts(&theirs), numbers(0..60));
    // Once or more often: as often as no answer came.
    let stored = stored_messages(&broker).await;
    assert!(stored >= 110, "{stored}");
    // Nor does one that reads the stream now, or that has it already, give it twice to a member that comes back.
    for topic in [&here, &there] {
        let (mut back, _) = Member::resume(topic, theirs[20].0);
        assert_eq!(back.take(39).await, theirs[21..]);
    }
    assert_eq!((here.stats().gaps, there.stats().gaps), (0, 0));
}

async fn a_stream_that_is_deleted_again_and_again_repeats_and_reorders_nothing_but_after_gaps(broker: Broker) {
    let hubs = [broker.hub().await, broker.hub().await];
    let [here, there] = hubs.each_ref().map(topic);
    let (mut near, mut far) = (Member::join(&here).await, Member::join(&there).await);
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 0..10 {
        publish(&here, round * 1000..round * 1000 + 999);
        broker.command("$JS.API.STREAM.DELETE.tower-websocket").await;
        publish(&here, round * 1000 + 999..(round + 1) * 1000);
        // One of both makes it again, while the other publishes or not. A member that did not read meanwhile would be timed out.
        let last = ((round + 1) * 1000 - 1).to_string();
        theirs.extend(far.up_to(&last).await);
        ours.extend(near.up_to(&last).await);
    }
    for received in [ours, theirs] {
        for part in texts(&received).split(|text| *text == "gap") {
            let numbers: Vec<usize> = part.iter().map(|text| text.parse().unwrap()).collect();
            assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
        }
        assert!(texts(&received).contains(&"gap"));
    }
}
