//! Faults from the first byte on: the opening handshake, a conversation and its end, over both versions of HTTP.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::{Builder, Handle};
use tokio::time::{sleep, timeout};
use tower_websocket::{Budget, Connector, Error, Limits, Manager, Role, Shutdown, Upgrader, WebSocketLayer};

use crate::shared::{echo, http_server, secs, serve_connection};
use crate::support::{Fault, Manner, Observer, faults, faulty};

/// Whose transport has the fault.
#[derive(Clone, Copy, Debug)]
struct Case {
    faulty: Role,
    http2: bool,
    manner: Manner,
}

fn run(case: Case, fault: Fault) -> [usize; 4] {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let (sound, faulty, observer) = faulty(case.manner, fault);
        observer.arm();
        match case.faulty {
            Role::Client => talk(case, fault, sound, faulty, &observer).await,
            Role::Server => talk(case, fault, faulty, sound, &observer).await,
        }
    })
}

async fn talk<S, C>(case: Case, fault: Fault, server: S, client: C, observer: &Observer) -> [usize; 4]
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    C: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let budget = Budget::new(1 << 30);
    let shutdown = Shutdown::new();
    let limits = || Limits::default().budget(budget.clone());
    let (begun, ended) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let count = |counter: &Arc<AtomicUsize>| {
        let counter = counter.clone();
        move || counter.fetch_add(1, Ordering::Relaxed)
    };
    let (begin, end) = (count(&begun), count(&ended));
    let layer = WebSocketLayer::new(move |ws: Manager| {
        begin();
        echo(ws)
    });
    let layer = layer.upgrader(Upgrader::new().limits(limits())).shutdown(&shutdown).max_connections(1);
    let layer = layer.on_end(move |_, _, _| {
        end();
    });
    tokio::spawn(serve_connection(http_server(), server, layer.into_service()));

    let connector = Connector::new().limits(limits());
    let connector = if case.http2 { connector.http2() } else { connector };
    let conversation = async {
        let ws = connector.connect_over(client, "ws://localhost/").await?;
        for text in ["hello", "", "again"] {
            ws.send(text).await?;
            // A peer that is not heard closes.
            let Some(message) = ws.recv().await? else { break };
            assert_eq!(message.as_text(), Some(text));
        }
        ws.close().await
    };
    let outcome: Result<(), Error> = timeout(secs(60), conversation).await.expect("a client waits for ever");
    if let Fault::None = fault {
        outcome.unwrap();
        assert_eq!(ended.load(Ordering::Relaxed), 1);
    }
    // All time limits together.
    sleep(secs(60)).await;
    assert_eq!(shutdown.connections(), 0, "the connection counts no longer");
    assert_eq!(budget.used(), 0);
    let [begun, ended] = [begun, ended].map(|counter| counter.load(Ordering::Relaxed));
    assert!(begun <= ended && ended <= 1, "{begun} began and {ended} ended");
    let calls = observer.record().calls;
    if !matches!(fault, Fault::Stall(..)) {
        // hyper waits for ever where nothing fails.
        assert_eq!(Handle::current().metrics().num_alive_tasks(), 0, "tasks are left");
    }
    calls
}

fn every_step(http2: bool, chunk: usize, pending: bool) {
    for role in [Role::Client, Role::Server] {
        let case = Case { faulty: role, http2, manner: Manner { chunk, pending, vectored: true } };
        let (mut runs, mut failures) = (0, Vec::new());
        let mut attempt = |fault| {
            runs += 1;
            catch_unwind(AssertUnwindSafe(|| run(case, fault))).unwrap_or_else(|payload| {
                let text = payload.downcast::<String>().map_or_else(|_| "panicked".to_owned(), |text| *text);
                failures.push(format!("{fault:?}: {text}"));
                [0; 4]
            })
        };
        let calls = attempt(Fault::None);
        for fault in faults(calls) {
            attempt(fault);
        }
        println!("{runs} runs: {case:?}");
        let shown = &failures[..failures.len().min(40)];
        assert!(failures.is_empty(), "{} of {runs} fail in {case:?}, such as\n{}", failures.len(), shown.join("\n"));
    }
}

#[test]
fn http1_byte_by_byte() {
    every_step(false, 1, false);
}

#[test]
fn http1_at_once_and_pending_each_time() {
    every_step(false, usize::MAX, true);
}

#[test]
fn http2_in_small_parts() {
    every_step(true, 5, false);
}

#[test]
fn http2_at_once_and_pending_each_time() {
    every_step(true, usize::MAX, true);
}
