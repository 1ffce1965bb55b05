//! Panics of what is the user's: nobody else loses anything.

use std::convert::Infallible;
use std::future::{poll_fn, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Wake, Waker};

use bytes::Bytes;
use futures_util::FutureExt;
use http::{Request, Response};
use tower::service_fn;
use tower_websocket::testing::TestClient;
use tower_websocket::{EmptyBody, History, Hub, Keepalive, Manager, Message, Overflow, Topic, Upgrader};

use crate::support::{pair, received, settle};

/// Bytes that panic when they are dropped.
struct Fragile;

impl AsRef<[u8]> for Fragile {
    fn as_ref(&self) -> &[u8] {
        b"fragile"
    }
}

impl Drop for Fragile {
    fn drop(&mut self) {
        panic!("as the test has it");
    }
}

#[tokio::test(start_paused = true)]
async fn messages_that_panic_when_they_are_dropped_are_delivered_with_all_others() {
    let topic = Hub::new().topic("news").history(History::last(1));
    let members = [pair(), pair(), pair()];
    for (_, server) in &members {
        topic.join(server, Overflow::Close).unwrap().stay();
    }
    for text in ["one", "two", "three"] {
        topic.publish(Bytes::from_owner(Fragile)).unwrap();
        topic.publish(text).unwrap();
    }
    settle().await;
    for (client, _) in &members {
        let received: Vec<_> = std::iter::from_fn(|| client.recv().now_or_never()?.unwrap()).collect();
        let fragile = || Message::binary(&b"fragile"[..]);
        let expected = ["one", "two", "three"].into_iter().flat_map(|text| [fragile(), Message::text(text)]);
        assert!(received.iter().eq(&expected.collect::<Vec<_>>()), "{received:?}");
    }
}

/// Wakes a task, or panics once.
struct Fuse {
    task: Waker,
    is_lit: Arc<AtomicBool>,
}

impl Wake for Fuse {
    fn wake(self: Arc<Self>) {
        self.task.wake_by_ref();
        assert!(!self.is_lit.swap(false, Ordering::Relaxed), "as the test has it");
    }
}

/// A client of a server whose task is woken by an executor of its own.
async fn connect(topic: &Topic, is_lit: &Arc<AtomicBool>) -> Manager {
    let (topic, is_lit) = (topic.clone(), is_lit.clone());
    let service = service_fn(move |mut request: Request<EmptyBody>| {
        let (topic, is_lit) = (topic.clone(), is_lit.clone());
        let upgrader = Upgrader::new().keepalive(Keepalive::disabled());
        let (response, upgrade): (Response<EmptyBody>, _) = upgrader.upgrade(&mut request).expect("a handshake");
        let mut connection = Box::pin(upgrade.run(async move |ws: Manager| {
            let _seat = topic.join(&ws, Overflow::Close)?;
            ws.ignore_incoming().await.map(drop)
        }));
        tokio::spawn(poll_fn(move |cx| {
            let fuse = Waker::from(Arc::new(Fuse { task: cx.waker().clone(), is_lit: is_lit.clone() }));
            connection.as_mut().poll(&mut Context::from_waker(&fuse))
        }));
        ready(Ok::<_, Infallible>(response))
    });
    TestClient::new(service).connect("/").await.expect("the handshake is accepted")
}

#[tokio::test(start_paused = true)]
async fn a_member_whose_executor_panics_keeps_nothing_from_the_others() {
    let topic = Hub::new().topic("news");
    let is_lit = Arc::new(AtomicBool::new(false));
    // More than are delivered to at once.
    let mut clients = Vec::new();
    for _ in 0..100 {
        clients.push(connect(&topic, &is_lit).await);
    }
    settle().await;
    assert_eq!(topic.members(), 100);
    for (number, panics) in [false, true, true, false].into_iter().enumerate() {
        is_lit.store(panics, Ordering::Relaxed);
        topic.publish(number.to_string()).unwrap();
        settle().await;
        assert!(!is_lit.load(Ordering::Relaxed), "it has panicked");
    }
    for client in &clients {
        assert_eq!(received(client), ["0", "1", "2", "3"]);
    }
}
