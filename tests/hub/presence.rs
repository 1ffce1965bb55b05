//! Who is there, and who comes and goes.

use tower_websocket::{Hub, Message, Overflow, PresenceChange, Topic};

use crate::support::{pair, received, settle};

fn room(hub: &Hub) -> Topic {
    hub.topic("room").on_presence(|change| {
        let (what, who) = match change {
            PresenceChange::Joined(who) => ("joins", who),
            PresenceChange::Left(who) => ("leaves", who),
            PresenceChange::Updated(who) => ("is now", who),
            _ => return None,
        };
        (who.value() != &Message::text("nobody")).then(|| Message::text(format!("{who} {what}")))
    })
}

fn names(topic: &Topic) -> Vec<String> {
    topic.presence().iter().map(ToString::to_string).collect()
}

#[tokio::test(start_paused = true)]
async fn members_that_say_who_they_are_are_listed_until_they_leave_for_whatever_reason() {
    let hub = Hub::new();
    let topic = room(&hub);
    let (watcher, watching) = pair();
    let _seat = topic.join(&watching, Overflow::Close).unwrap();
    let pairs = [pair(), pair(), pair()];
    let mut seats = Vec::new();
    for (name, (_, server)) in ["Ann", "Bob", "Cat"].into_iter().zip(&pairs) {
        seats.push(topic.join_as(server, Overflow::Close, name).unwrap());
    }
    assert_eq!(names(&topic), ["Ann", "Bob", "Cat"]);
    assert_eq!(topic.presence()[1].connection_id(), pairs[1].1.id());
    assert_eq!(topic.members(), 4);

    seats[0].set_presence("Ann (away)");
    assert_eq!(names(&topic), ["Ann (away)", "Bob", "Cat"]);
    let cat = seats.remove(2);
    drop(seats.remove(1));
    assert_eq!(names(&topic), ["Ann (away)", "Cat"]);
    pairs[0].0.close().await.unwrap();
    assert_eq!(names(&topic), ["Cat"]);
    topic.leave(&pairs[2].1);
    assert!(names(&topic).is_empty());
    // Who has left says nothing any more.
    cat.set_presence("Cat again");
    assert!(names(&topic).is_empty());
    settle().await;
    let seen = received(&watcher);
    let expected =
        ["Ann joins", "Bob joins", "Cat joins", "Ann (away) is now", "Bob leaves", "Ann (away) leaves", "Cat leaves"];
    assert_eq!(seen, expected);
}

#[tokio::test(start_paused = true)]
async fn a_change_need_not_be_announced_and_a_panic_has_no_effect_on_others() {
    let topic = room(&Hub::new());
    let (watcher, watching) = pair();
    let _seat = topic.join(&watching, Overflow::Close).unwrap();
    let (_client, server) = pair();
    drop(topic.join_as(&server, Overflow::Close, "nobody").unwrap());
    let topic = topic.on_presence(|_| panic!("it is the application's own"));
    drop(topic.join_as(&server, Overflow::Close, "somebody").unwrap());
    let topic = topic.on_presence(|_| std::panic::panic_any(PanicsWhenDropped));
    drop(topic.join_as(&server, Overflow::Close, "somebody").unwrap());
    topic.publish("after it").unwrap();
    settle().await;
    assert_eq!(received(&watcher), ["after it"]);
}

/// A member leaves in the middle of its handler's panic, and its change cannot be published.
#[tokio::test(start_paused = true)]
async fn a_panic_while_a_change_is_published_has_no_effect_on_others() {
    let hub = Hub::new();
    let topic = room(&hub).encode(|message, _| {
        assert!(!message.as_text().unwrap().starts_with("Bob"), "it is the application's own");
        message
    });
    let (watcher, watching) = pair();
    let _seat = topic.join(&watching, Overflow::Close).unwrap();
    let (_client, server) = pair();
    let handler = tokio::spawn({
        let (topic, server) = (topic.clone(), server.clone());
        async move {
            let _seat = topic.join_as(&server, Overflow::Close, "Bob").unwrap();
            panic!("the handler's own");
        }
    });
    assert!(handler.await.unwrap_err().is_panic());
    topic.join_as(&server, Overflow::Close, "Bob").unwrap().stay();
    let (_other_client, other) = pair();
    topic.join_as(&other, Overflow::Close, "Cat").unwrap().stay();
    // It leaves with its connection, whose end is told to all who wait for it.
    let done = tokio::spawn({
        let server = server.clone();
        async move { server.done().await }
    });
    settle().await;
    server.close().await.unwrap();
    assert!(done.await.unwrap().is_ok());
    assert_eq!(names(&topic), ["Cat"]);
    settle().await;
    assert_eq!(received(&watcher), ["Cat joins"]);
}

#[tokio::test(start_paused = true)]
async fn a_member_that_leaves_while_its_joining_is_announced_leaves_afterwards() {
    let hub = Hub::new();
    let (watcher, watching) = pair();
    let (_client, server) = pair();
    let (again, leaving) = (hub.clone(), server.clone());
    let topic = hub.topic("room").on_presence(move |change| match change {
        PresenceChange::Joined(who) => {
            again.topic("room").leave(&leaving);
            Some(Message::text(format!("{who} joins")))
        }
        PresenceChange::Left(who) => Some(Message::text(format!("{who} leaves"))),
        _ => None,
    });
    topic.join(&watching, Overflow::Close).unwrap().stay();
    topic.join_as(&server, Overflow::Close, "Ann").unwrap().stay();
    settle().await;
    assert!(topic.presence().is_empty());
    assert_eq!(received(&watcher), ["Ann joins", "Ann leaves"]);
}

struct PanicsWhenDropped;

impl Drop for PanicsWhenDropped {
    fn drop(&mut self) {
        panic!("the payload's own");
    }
}
