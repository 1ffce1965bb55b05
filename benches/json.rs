//! A status document goes out again and again, in memory: `write_json` against what one would write by hand.

#[path = "support/status.rs"]
mod status;
mod support;

use std::time::Duration;

use criterion::Throughput;
use futures_util::{SinkExt, StreamExt};
use tokio::io::DuplexStream;
use tokio_tungstenite::{accept_async, tungstenite};
use tower_websocket::{Error, Manager, Message, WebSocketLayer};

use status::Status;
use support::Client;

fn main() {
    let mut criterion = support::criterion();
    let len = serde_json::to_vec(&Status::of(1)).expect("it serialises").len();
    let mut group = criterion.benchmark_group("a status document as JSON");
    group.throughput(Throughput::Bytes(len as u64));
    for (name, serve) in [
        ("write_json", serve_write_json as fn(DuplexStream)),
        ("serde_json::to_vec and write_data", serve_write_data),
        ("serde_json::to_vec and tokio-tungstenite", serve_tungstenite),
    ] {
        let runtime = support::runtime();
        let mut client = runtime.block_on(async {
            let (near, far) = support::memory();
            serve(far);
            Client::open(near).await
        });
        support::measure_batches(&mut group, name, &runtime, async |documents| client.order(documents).await);
    }
    group.finish();
    criterion.final_summary();
}

fn serve_write_json(io: DuplexStream) {
    let handler = async |ws: Manager| -> Result<(), Error> {
        let status = Status::of(1);
        while let Some(order) = ws.recv().await? {
            for _ in 0..support::ordered(order.as_bytes()) {
                ws.write_json(&status, TIME).await?;
            }
        }
        Ok(())
    };
    support::serve(io, WebSocketLayer::new(handler).into_service());
}

fn serve_write_data(io: DuplexStream) {
    let handler = async |ws: Manager| -> Result<(), Error> {
        let status = Status::of(1);
        while let Some(order) = ws.recv().await? {
            for _ in 0..support::ordered(order.as_bytes()) {
                let json = serde_json::to_vec(&status).expect("it serialises");
                ws.write_data(Message::binary(json), TIME).await?;
            }
        }
        Ok(())
    };
    support::serve(io, WebSocketLayer::new(handler).into_service());
}

fn serve_tungstenite(io: DuplexStream) {
    tokio::spawn(async move {
        let mut socket = accept_async(io).await?;
        let status = Status::of(1);
        while let Some(order) = socket.next().await {
            for _ in 0..support::ordered(&order?.into_data()) {
                let json = serde_json::to_vec(&status).expect("it serialises");
                socket.send(tungstenite::Message::binary(json)).await?;
            }
        }
        Ok::<_, tungstenite::Error>(())
    });
}

const TIME: Duration = Duration::from_secs(2);
