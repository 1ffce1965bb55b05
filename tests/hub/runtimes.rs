//! Publishers and members on several threads and runtimes.

use std::thread;

use tokio::runtime::{Builder, Runtime};
use tower_websocket::{Hub, Manager, Message, Overflow};

use crate::support::pair;

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

async fn expect(client: &Manager, text: &str) {
    assert_eq!(client.recv().await.unwrap(), Some(Message::text(text)));
}

#[test]
fn a_thread_outside_of_any_runtime_publishes() {
    let (hub, runtime) = (Hub::new(), runtime());
    let (client, server) = runtime.block_on(async { pair() });
    let _seat = hub.topic("news").join(&server, Overflow::Close).unwrap();
    for text in ["one", "two"] {
        hub.topic("news").publish(text).unwrap();
        runtime.block_on(expect(&client, text));
    }
}

#[test]
fn a_hub_outlives_the_runtimes_that_it_was_used_in() {
    let (hub, other) = (Hub::new(), runtime());
    let topic = hub.topic("news");
    let (stays, server) = other.block_on(async { pair() });
    let _seat = topic.join(&server, Overflow::Close).unwrap();
    for _ in 0..3 {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let (client, server) = runtime.block_on(async { pair() });
        let _seat = topic.join(&server, Overflow::Close).unwrap();
        runtime.block_on(async {
            topic.publish("one").unwrap();
            expect(&client, "one").await;
            // The task that is to deliver this never runs.
            topic.publish("two").unwrap();
        });
        drop(runtime);
        assert_eq!(topic.members(), 1);
        for text in ["one", "two"] {
            other.block_on(expect(&stays, text));
        }
    }
}

#[test]
fn publications_of_many_threads_have_one_order_for_all_members() {
    const PUBLISHERS: usize = 4;
    const EACH: usize = 250;
    let (hub, runtime) = (Hub::new(), runtime());
    let topic = hub.topic("order").capacity(PUBLISHERS * EACH);
    let members: Vec<_> = (0..150)
        .map(|_| {
            let (client, server) = runtime.block_on(async { pair() });
            topic.join(&server, Overflow::Close).unwrap().stay();
            (client, server)
        })
        .collect();
    let publishers: Vec<_> = (0..PUBLISHERS)
        .map(|publisher| {
            let (topic, handle) = (topic.clone(), runtime.handle().clone());
            thread::spawn(move || {
                let _inside = (publisher % 2 == 0).then(|| handle.enter());
                (0..EACH).for_each(|number| topic.publish(format!("{publisher} {number}")).unwrap());
            })
        })
        .collect();
    let mut order = Vec::new();
    for (index, (client, _)) in members.iter().enumerate() {
        for number in 0..PUBLISHERS * EACH {
            let message = runtime.block_on(client.recv()).unwrap().unwrap();
            match index {
                0 => order.push(message),
                _ => assert_eq!(message, order[number]),
            }
        }
    }
    publishers.into_iter().for_each(|publisher| publisher.join().unwrap());
    for publisher in 0..PUBLISHERS {
        let prefix = format!("{publisher} ");
        let own = order.iter().filter_map(|message| message.as_text().unwrap().strip_prefix(&prefix));
        assert!(own.map(|number| number.parse::<usize>().unwrap()).eq(0..EACH));
    }
}
