//! A task that never has to wait yields nevertheless: timeouts, `select!` and other tasks depend on it.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::thread;

use tokio::io::duplex;
use tokio::task::coop::consume_budget;
use tower_websocket::{Manager, Role, WebSocketLayer};

use crate::support::{ping, pong, quiet, serve};

/// How many messages there are at most.
const MESSAGES: u64 = 10_000;

/// A server and its client, whose tasks run on other threads.
fn pair() -> (Manager, Manager) {
    let (near, far) = duplex(64 * 1024);
    let open = |io, role| Manager::from_upgraded(io, role, quiet().get_config());
    (open(far, Role::Server), open(near, Role::Client))
}

/// Whether a future that never has to wait is pending before it is ready, in a task.
async fn yields(mut future: Pin<&mut impl Future<Output = ()>>) -> bool {
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_pending())).await
}

fn wait_until(condition: impl Fn() -> bool) {
    while !condition() {
        thread::yield_now();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_whose_messages_never_run_out_yields() {
    let (server, client) = pair();
    tokio::spawn(async move {
        for number in 0..MESSAGES {
            client.send(number.to_string()).await.unwrap();
        }
        client.close().await
    });
    let mut receiving = pin!(async {
        for number in 0..MESSAGES {
            wait_until(|| server.stats().messages_received > number);
            assert_eq!(server.recv().await.unwrap().unwrap().as_text(), Some(number.to_string().as_str()));
        }
    });
    assert!(yields(receiving.as_mut()).await);
    // Nothing is lost by that.
    receiving.await;
    assert_eq!(server.recv().await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_that_always_may_send_yields() {
    let (server, client) = pair();
    let mut sending = pin!(async {
        for number in 0..MESSAGES {
            server.send(number.to_string()).await.unwrap();
            wait_until(|| server.stats().wire_sent >= server.stats().payload_sent + 2 * (number + 1));
        }
    });
    let receiving = tokio::spawn(async move {
        for number in 0..MESSAGES {
            assert_eq!(client.recv().await.unwrap().unwrap().as_text(), Some(number.to_string().as_str()));
        }
    });
    assert!(yields(sending.as_mut()).await);
    sending.await;
    receiving.await.unwrap();
}

/// A handler that never waits, but yields as tokio asks for it, such as one that reads a source that always has more.
#[tokio::test(start_paused = true)]
async fn a_handler_that_uses_up_tokios_budget_does_not_keep_its_connection_from_writing() {
    let is_done = Arc::new(AtomicBool::new(false));
    let handler = {
        let is_done = is_done.clone();
        move |_: Manager| {
            let is_done = is_done.clone();
            async move {
                for _ in 0..1_000_000 {
                    consume_budget().await;
                }
                is_done.store(true, Ordering::Relaxed);
            }
        }
    };
    let mut peer = serve(WebSocketLayer::new(handler).into_service());
    peer.handshake("").await;
    for _ in 0..3 {
        peer.send(ping("?")).await;
        peer.expect(pong("?")).await;
        assert!(!is_done.load(Ordering::Relaxed));
    }
}
