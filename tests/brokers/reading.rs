//! Servers that read the log of a topic while much is published.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::broker::Broker;
use crate::for_each_broker;
use crate::member::{Member, topic};

for_each_broker! {
    what_is_read_while_much_is_published_has_no_hole
}

async fn what_is_read_while_much_is_published_has_no_hole(broker: Broker) {
    let there = topic(&broker.hub().await);
    let is_over = Arc::new(AtomicBool::new(false));
    let publisher = tokio::spawn({
        let is_over = is_over.clone();
        async move {
            // More than the broker keeps, in no time.
            while !is_over.load(Ordering::Relaxed) {
                if there.publish("text").is_err() {
                    tokio::task::yield_now().await;
                }
            }
        }
    });
    for _ in 0..4 {
        let here = topic(&broker.hub().await);
        let (mut member, _) = Member::resume(&here, None);
        let received = member.take(1200).await;
        // There is one topic: a position behind each other, unless a gap is told.
        for two in received.windows(2) {
            let ((before, _), (position, text)) = (&two[0], &two[1]);
            let is_next = position.epoch() == before.epoch() && position.offset() == before.offset() + 1;
            assert!(is_next || text == "gap" && position.offset() > before.offset(), "{two:?}");
        }
    }
    is_over.store(true, Ordering::Relaxed);
    publisher.await.unwrap();
}
