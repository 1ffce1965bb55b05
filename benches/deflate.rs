//! Compressed JSON comes back, in memory: inflated and, where the server thinks that it is worth it, compressed again.
//! Against yawc, and against the same message as it is.
//!
//! All compress at level 1. Settings are as one would choose them: without context takeover the default ones, by which
//! 200 B go back as they are; yawc has no threshold. Whole servers over sockets: `benches/compare`.

#[path = "support/records.rs"]
mod records;
mod support;

use std::convert::Infallible;

use bytes::Bytes;
use criterion::{Criterion, Throughput};
use futures_util::{SinkExt, StreamExt};
use http::{Request, Response};
use http_body_util::Empty;
use hyper::body::Incoming;
use tokio::io::DuplexStream;
use tower::service_fn;
use tower_websocket::{Compression, Upgrader};
use yawc::{CompressionLevel, DeflatePool, OpCode, Options, WebSocket};

use records::{NO_TAKEOVER, deflate, json};
use support::{Client, TEXT};

fn main() {
    let mut criterion = support::criterion();
    echo(&mut criterion, "200 B", 200);
    echo(&mut criterion, "1 KiB", 1024);
    echo(&mut criterion, "16 KiB", 16 * 1024);
    echo(&mut criterion, "256 KiB", 256 * 1024);
    criterion.final_summary();
}

fn echo(criterion: &mut Criterion, name: &str, len: usize) {
    let json = json(len);
    let plain = support::masked(TEXT, &json);
    // RSV1 (RFC 7692 §6). It refers to nothing before it, so it may come again and again with context takeover too.
    let compressed = support::masked(TEXT | 0x40, &deflate(&json));
    let mut group = criterion.benchmark_group(format!("echo of {name} of JSON"));
    group.throughput(Throughput::Bytes(len as u64));
    for (peer, serve, offer) in [
        ("tower-websocket, not compressed", support::serve_echo as fn(DuplexStream), PLAIN),
        ("tower-websocket, no context takeover", support::serve_echo, NO_TAKEOVER),
        ("yawc, no context takeover", serve_yawc, NO_TAKEOVER),
        ("tower-websocket, context takeover", serve_takeover, TAKEOVER),
        ("yawc, context takeover", serve_yawc_takeover, TAKEOVER),
    ] {
        let runtime = support::runtime();
        let mut client = runtime.block_on(async {
            let (near, far) = support::memory();
            serve(far);
            Client::open_with(near, offer).await
        });
        let frame = if offer == PLAIN { &plain } else { &compressed };
        support::measure(&mut group, peer, &runtime, async || client.exchange(frame, 1).await);
    }
    group.finish();
}

fn serve_takeover(io: DuplexStream) {
    let compression = Compression::default().server_context_takeover(true).client_context_takeover(true).threshold(64);
    support::serve_echo_with(io, Upgrader::new().compression(compression));
}

fn serve_yawc(io: DuplexStream) {
    let options = yawc_options().server_no_context_takeover().client_no_context_takeover();
    serve_yawc_with(io, options.with_deflate_pool(DeflatePool::new(4)));
}

fn serve_yawc_takeover(io: DuplexStream) {
    serve_yawc_with(io, yawc_options());
}

fn yawc_options() -> Options {
    const MIB: usize = 1024 * 1024;
    Options::default().with_utf8().with_limits(MIB, 2 * MIB).with_compression_level(CompressionLevel::new(1))
}

fn serve_yawc_with(io: DuplexStream, options: Options) {
    let upgrade = move |mut request: Request<Incoming>| {
        let options = options.clone();
        async move {
            let upgraded = WebSocket::upgrade_with_options(&mut request, options);
            let (response, upgrade): (Response<Empty<Bytes>>, _) = upgraded.expect("it is a handshake");
            tokio::spawn(async move {
                let mut socket = upgrade.await.expect("hyper upgrades");
                while let Some(frame) = socket.next().await {
                    if matches!(frame.opcode(), OpCode::Text | OpCode::Binary) && socket.send(frame).await.is_err() {
                        break;
                    }
                }
            });
            Ok::<_, Infallible>(response)
        }
    };
    support::serve(io, service_fn(upgrade));
}

const PLAIN: &str = "";
const TAKEOVER: &str = "Sec-WebSocket-Extensions: permessage-deflate\r\n";
