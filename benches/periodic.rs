//! Periodic updates under a clock that jumps from tick to tick, in memory: what a tick costs, against a loop over
//! tokio-tungstenite.

#[path = "support/status.rs"]
mod status;
mod support;

use std::time::Duration;

use criterion::{Criterion, Throughput};
use futures_util::{SinkExt, StreamExt};
use tokio::io::DuplexStream;
use tokio::time::interval;
use tokio_tungstenite::{accept_async, tungstenite};
use tower_websocket::{Error, Manager, WebSocketLayer};

use status::Status;
use support::Client;

fn main() {
    let mut criterion = support::criterion();
    periodic::<false>(&mut criterion, "a tick, value unchanged");
    periodic::<true>(&mut criterion, "a tick, value changed");
    criterion.final_summary();
}

fn periodic<const CHANGES: bool>(criterion: &mut Criterion, name: &str) {
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Elements(1));
    for (peer, serve) in [
        ("periodic_write", serve_ours::<CHANGES> as fn(DuplexStream)),
        ("a loop over tokio-tungstenite", serve_tungstenite::<CHANGES>),
    ] {
        let runtime = support::paused_runtime();
        let mut client = runtime.block_on(async {
            let (near, far) = support::memory();
            serve(far);
            Client::open(near).await
        });
        support::measure_batches(&mut group, peer, &runtime, async |ticks| {
            let updates = if CHANGES { ticks } else { 1 };
            client.order_replies(ticks, updates + 1).await;
        });
    }
    group.finish();
}

/// What the user's closure returns at each tick, and then an end.
fn values<const CHANGES: bool>(ticks: u64) -> impl FnMut() -> Option<Status> {
    let mut versions = 0..ticks;
    move || versions.next().map(|version| Status::of(if CHANGES { version } else { 0 }))
}

fn serve_ours<const CHANGES: bool>(io: DuplexStream) {
    let handler = async |ws: Manager| -> Result<(), Error> {
        while let Some(order) = ws.recv().await? {
            let mut value = values::<CHANGES>(support::ordered(order.as_bytes()));
            let get = move || {
                let value = value().ok_or("that was the last");
                async { value }
            };
            // It ends with the error of the last tick.
            let _ = ws.periodic_write(TICK, get).await;
            ws.send("done").await?;
        }
        Ok(())
    };
    support::serve(io, WebSocketLayer::new(handler).into_service());
}

fn serve_tungstenite<const CHANGES: bool>(io: DuplexStream) {
    tokio::spawn(async move {
        let mut socket = accept_async(io).await?;
        while let Some(order) = socket.next().await {
            let mut value = values::<CHANGES>(support::ordered(&order?.into_data()));
            let mut ticks = interval(TICK);
            let mut last = None;
            loop {
                ticks.tick().await;
                let Some(current) = value() else { break };
                if last.as_ref() != Some(&current) {
                    let json = serde_json::to_string(&current).expect("it serialises");
                    socket.send(tungstenite::Message::text(json)).await?;
                    last = Some(current);
                }
            }
            socket.send(tungstenite::Message::text("done")).await?;
        }
        Ok::<_, tungstenite::Error>(())
    });
}

/// The finest that tokio's clock knows.
const TICK: Duration = Duration::from_millis(1);
