//! Handlers that misbehave: what they do stays on their own connection, and ends with it or at a shutdown's deadline.

use std::future::pending;
use std::pin::Pin;
use std::sync::{Arc, mpsc};
use std::task::{Context, Wake, Waker};
use std::thread;

use tokio::io::AsyncWriteExt;
use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tower_websocket::{CloseCode, ErrorKind, Keepalive, Limits, Manager, Shutdown, Upgrader, WebSocketLayer, testing};

use crate::shared::{binary, close, echo, handed_over, quiet, secs, text};
use crate::support::{LONG, alone, close_code, grown, open, resident, serve, tasks, until};

/// Runs this in a thread of its own, which may hang.
fn in_time(test: impl FnOnce() + Send + 'static) {
    let (done, waiting) = mpsc::channel();
    let thread = thread::spawn(move || {
        test();
        done.send(()).unwrap();
    });
    match waiting.recv_timeout(LONG) {
        Ok(()) | Err(mpsc::RecvTimeoutError::Disconnected) => thread.join().unwrap(),
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("it hangs"),
    }
}

/// Runs a server whose handler is this, closes its connection, and has another task of the same thread go on.
fn others_go_on<F>(handler: impl Fn(Manager) -> F + Send + Sync + 'static)
where
    F: Future<Output = ()> + Send + 'static,
{
    in_time(move || {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let client = testing::TestClient::new(WebSocketLayer::new(handler).upgrader(quiet()).into_service());
            let ws = client.connect("/").await.unwrap();
            ws.close().await.unwrap();
            for _ in 0..1000 {
                tokio::task::yield_now().await;
            }
        });
        runtime.shutdown_background();
    });
}

#[test]
fn a_handler_that_ignores_the_end_while_it_receives_lets_others_go_on() {
    others_go_on(|ws| async move {
        loop {
            let _ = ws.recv().await;
        }
    });
}

#[test]
fn a_handler_that_ignores_the_end_while_it_sends_lets_others_go_on() {
    others_go_on(|ws| async move {
        loop {
            let _ = ws.send("anybody there?").await;
        }
    });
}

/// A waker that has a handle, as one that keeps a task has the handles of its future, and uses it when it is dropped.
struct Keeping(Manager);

impl Wake for Keeping {
    fn wake(self: Arc<Self>) {}
}

impl Drop for Keeping {
    fn drop(&mut self) {
        assert!(!self.0.is_closed());
    }
}

#[test]
fn a_waker_may_use_its_connection_when_it_is_dropped() {
    in_time(|| {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (_client, ws) = testing::pair(quiet().limits(Limits::default().max_write_buffer_size(1)));
            ws.send(vec![0; 100_000]).await.unwrap();
            let waiting: [Pin<Box<dyn Future<Output = ()>>>; 4] = [
                Box::pin(async { drop(ws.recv().await) }),
                Box::pin(async { drop(ws.done().await) }),
                Box::pin(async { drop(ws.ping().await) }),
                Box::pin(async { drop(ws.send("x").await) }),
            ];
            for mut future in waiting {
                for _ in 0..2 {
                    // The second takes the place of the first, and goes with the future.
                    let waker = Waker::from(Arc::new(Keeping(ws.clone())));
                    assert!(future.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
                }
            }
        });
    });
}

#[test]
fn a_handler_that_hangs_ends_at_a_shutdowns_deadline() {
    alone(async {
        let shutdown = Shutdown::new();
        let layer = WebSocketLayer::new(|_: Manager| pending::<()>());
        let address = serve(layer.upgrader(quiet()).shutdown(&shutdown)).await;
        let before = tasks();
        let mut peer = open(address, "").await;
        // Its peer is answered meanwhile.
        peer.write_all(&close(4000, "").masked()).await.unwrap();
        assert_eq!(close_code(&mut peer).await, Some(4000));
        assert_eq!(shutdown.connections(), 1, "the handler is still there");
        assert_eq!(shutdown.close_all(CloseCode::GOING_AWAY, "", secs(1)).await, 1);
        until("nothing is left", || tasks() == before && shutdown.connections() == 0).await;
    });
}

#[test]
fn a_handler_that_never_reads_holds_no_more_than_its_limit() {
    alone(async {
        let layer = WebSocketLayer::new(|ws: Manager| async move { ws.done().await.map(drop) });
        let address = serve(layer.upgrader(Upgrader::new().keepalive(Keepalive::disabled()))).await;
        let before = resident();
        let mut peers = Vec::new();
        for _ in 0..20 {
            let peer = open(address, "").await;
            let message = binary(vec![0; 10_000]).masked().repeat(100);
            // Until the sockets hold no more.
            while peer.try_write(&message).is_ok() {}
            peers.push(peer);
        }
        assert!(grown(before) < 48, "{} MiB more", grown(before));
        drop(peers);
    });
}

#[test]
fn fifty_clones_that_send_at_once_send_all() {
    const CLONES: usize = 50;
    const MESSAGES: usize = 200;

    alone(async {
        let layer = WebSocketLayer::new(|ws: Manager| async move {
            let mut clones = JoinSet::new();
            for clone in 0..CLONES {
                let ws = ws.clone();
                clones.spawn(async move {
                    for number in 0..MESSAGES {
                        ws.send(format!("{clone} {number}")).await.unwrap();
                    }
                });
            }
            clones.join_all().await;
        });
        let limits = Limits::default().max_write_buffer_size(1000);
        let (client, _) = (testing::TestClient::new(layer.upgrader(quiet().limits(limits)).into_service()), ());
        let ws = client.connect("/").await.unwrap();
        let mut next = [0; CLONES];
        while let Some(message) = ws.recv().await.unwrap() {
            let (clone, number) = message.as_text().unwrap().split_once(' ').unwrap();
            let (clone, number): (usize, usize) = (clone.parse().unwrap(), number.parse().unwrap());
            assert_eq!(number, next[clone], "of clone {clone}");
            next[clone] += 1;
        }
        assert_eq!(next, [MESSAGES; CLONES]);
    });
}

#[test]
fn a_clone_that_is_kept_for_ever_keeps_no_connection() {
    alone(async {
        let shutdown = Shutdown::new();
        let (layer, mut managers) = handed_over();
        let address = serve(layer.upgrader(quiet()).shutdown(&shutdown)).await;
        let before = tasks();
        let mut kept = Vec::new();
        for _ in 0..100 {
            let mut peer = open(address, "").await;
            let ws = managers.recv().await.unwrap();
            peer.write_all(&[text("unread").masked(), close(1000, "").masked()].concat()).await.unwrap();
            assert_eq!(close_code(&mut peer).await, Some(1000));
            kept.push(ws);
        }
        until("only handles are left", || tasks() == before && shutdown.connections() == 0).await;
        for ws in kept {
            assert_eq!(ws.recv().await.unwrap().unwrap().as_text(), Some("unread"));
            assert!(ws.recv().await.unwrap().is_none());
            assert_eq!(ws.send("late").await.unwrap_err().kind(), ErrorKind::Closed);
        }
    });
}

#[test]
fn a_handler_that_blocks_in_place_blocks_no_other() {
    alone(async {
        let (release, blocked) = mpsc::channel::<()>();
        let blocked = std::sync::Mutex::new(Some(blocked));
        let (entered, inside) = oneshot::channel();
        let entered = std::sync::Mutex::new(Some(entered));
        let layer = WebSocketLayer::new(move |ws: Manager| {
            let first = blocked.lock().unwrap().take().zip(entered.lock().unwrap().take());
            async move {
                let Some((blocked, entered)) = first else { return echo(ws).await };
                entered.send(()).unwrap();
                // Without `block_in_place` tokio may leave its I/O to the thread that is blocked.
                tokio::task::block_in_place(|| blocked.recv().unwrap());
                ws.close().await
            }
        });
        let address = serve(layer.upgrader(quiet())).await;
        let mut slow = open(address, "").await;
        inside.await.unwrap();
        // The others are served by another thread.
        for _ in 0..20 {
            let mut peer = open(address, "").await;
            let exchange = async {
                peer.write_all(&[text("hello").masked(), close(1000, "").masked()].concat()).await.unwrap();
                assert_eq!(close_code(&mut peer).await, Some(1000));
            };
            timeout(LONG, exchange).await.expect("another thread serves it");
        }
        release.send(()).unwrap();
        slow.write_all(&close(1000, "").masked()).await.unwrap();
        assert_eq!(close_code(&mut slow).await, Some(1000));
    });
}
