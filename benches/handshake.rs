//! A connection's whole life without messages, in memory: open, upgrade, close.

mod support;

use std::convert::Infallible;

use bytes::Bytes;
use criterion::Throughput;
use fastwebsockets::{FragmentCollector, OpCode};
use http::{Request, Response};
use http_body_util::Empty;
use hyper::body::Incoming;
use tokio::io::{DuplexStream, duplex};
use tower::service_fn;

use support::{CLOSE, Client};

fn main() {
    let mut criterion = support::criterion();
    let close = support::masked(CLOSE, &1000_u16.to_be_bytes());
    let mut group = criterion.benchmark_group("open, upgrade and close");
    group.throughput(Throughput::Elements(1));
    for (peer, serve) in [
        ("hyper and tower-websocket", support::serve_echo as fn(DuplexStream)),
        ("hyper and fastwebsockets", serve_fastwebsockets),
        ("tokio-tungstenite alone", support::serve_tungstenite),
    ] {
        let runtime = support::runtime();
        support::measure(&mut group, peer, &runtime, async || {
            // Large enough for a handshake.
            let (near, far) = duplex(4 * 1024);
            serve(far);
            Client::open(near).await.close(&close).await;
        });
    }
    group.finish();
    criterion.final_summary();
}

fn serve_fastwebsockets(io: DuplexStream) {
    support::serve(io, service_fn(upgrade_fastwebsockets));
}

async fn upgrade_fastwebsockets(mut request: Request<Incoming>) -> Result<Response<Empty<Bytes>>, Infallible> {
    let (response, upgrade) = fastwebsockets::upgrade::upgrade(&mut request).expect("it is a handshake");
    tokio::spawn(async move {
        let mut socket = FragmentCollector::new(upgrade.await.expect("hyper upgrades"));
        while let Ok(frame) = socket.read_frame().await {
            match frame.opcode {
                OpCode::Close => break,
                OpCode::Text | OpCode::Binary => socket.write_frame(frame).await.expect("the client reads"),
                _ => {}
            }
        }
    });
    Ok(response)
}
