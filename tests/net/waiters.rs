//! A waiter that is dropped leaves nothing behind.

use std::time::Duration;

use allocation_counter::measure;
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tower_websocket::{Manager, Message, MessageKind, Role};

use crate::support::{millis, quiet};

const WAITERS: usize = 20_000;

/// What may be left of all of them: 13 bytes for each. A task that is kept by its waker takes some hundreds.
const LEFT: i64 = 256 * 1024;

fn paused_runtime() -> Runtime {
    Builder::new_current_thread().enable_all().start_paused(true).build().unwrap()
}

/// A connection over which the peer neither sends nor takes anything, and the peer's end.
fn silent(runtime: &Runtime) -> (Manager, DuplexStream) {
    let _guard = runtime.enter();
    let (near, far) = duplex(1024);
    (Manager::from_upgraded(far, Role::Server, quiet().get_config()), near)
}

/// The bytes that are left when so many tasks have waited for this for 1 ms.
fn left<F>(runtime: &Runtime, ws: &Manager, wait: impl Fn(Manager) -> F) -> i64
where
    F: Future<Output = ()> + Send + 'static,
{
    let many = |count: usize| {
        runtime.block_on(async {
            let mut tasks = JoinSet::new();
            for number in 0..count {
                let wait = wait(ws.clone());
                tasks.spawn(async move { timeout(millis(1), wait).await.is_err() });
                if number % 100 == 99 {
                    while let Some(given_up) = tasks.join_next().await {
                        assert!(given_up.unwrap(), "it does not wait");
                    }
                }
            }
        });
    };
    // What grows once is not what grows with each.
    many(200);
    measure(|| many(WAITERS)).bytes_current
}

macro_rules! leaves_nothing {
    ($($(#[$attribute:meta])* $name:ident: $full:expr, |$ws:ident| $wait:expr;)*) => {
        $(
            $(#[$attribute])*
            #[test]
            fn $name() {
                let runtime = paused_runtime();
                let (ws, peer) = silent(&runtime);
                if $full {
                    runtime.block_on(ws.send(vec![0; 1024 * 1024])).unwrap();
                }
                let left = left(&runtime, &ws, |$ws: Manager| async move { $wait });
                assert!(left < LEFT, "{left} bytes are left of {WAITERS}");
                drop(peer);
            }
        )*
    };
}

leaves_nothing! {
    a_recv_with_a_timeout_leaves_nothing: false, |ws| drop(ws.recv_timeout(Duration::from_secs(9)).await);
    a_recv_leaves_nothing: false, |ws| drop(ws.recv().await);
    a_json_read_leaves_nothing: false, |ws| drop(ws.read_json::<u8>(Duration::from_secs(9)).await);
    a_stream_leaves_nothing: false, |ws| { let mut ws = ws; drop(ws.next().await) };
    a_reader_leaves_nothing: false, |ws| drop(ws.reader().read_u8().await);
    a_send_leaves_nothing: true, |ws| drop(ws.send("more").await);
    a_sink_leaves_nothing: true, |ws| { let mut ws = ws; drop(SinkExt::send(&mut ws, Message::text("more")).await) };
    a_flush_leaves_nothing: true, |ws| drop(ws.flush().await);
    a_writer_leaves_nothing: true, |ws| drop(ws.writer(MessageKind::Text).write_u8(b'x').await);
    done_leaves_nothing: false, |ws| drop(ws.done().await);
    a_context_leaves_nothing: false, |ws| ws.context().cancelled().await;
    a_ping_leaves_nothing: false, |ws| drop(ws.ping().await);
}

/// Waiters that stay are woken, and not in place of those that were dropped.
#[test]
fn waiters_that_stay_are_woken() {
    let runtime = paused_runtime();
    let (ws, mut peer) = silent(&runtime);
    let waiting = runtime.spawn({
        let ws = ws.clone();
        async move { ws.recv().await.unwrap().map(|message| message.len()) }
    });
    left(&runtime, &ws, |ws| async move { drop(ws.recv().await) });
    left(&runtime, &ws, |ws| async move { drop(ws.done().await) });
    runtime.block_on(async {
        peer.write_all(&crate::support::text("hello").masked()).await.unwrap();
        assert_eq!(timeout(millis(100), waiting).await.unwrap().unwrap(), Some(5));
    });
}
