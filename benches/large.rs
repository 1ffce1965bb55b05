//! Large messages come back, over TCP on this machine: what counts is how often the bytes are copied and how many system
//! calls carry them.

mod support;

use criterion::{Criterion, Throughput};
use tokio::net::TcpStream;

use support::{BINARY, Client};

fn main() {
    let mut criterion = support::criterion();
    echo(&mut criterion, "echo of 64 KiB of bytes", 64 * 1024);
    echo(&mut criterion, "echo of 1 MiB of bytes", 1024 * 1024);
    criterion.final_summary();
}

fn echo(criterion: &mut Criterion, name: &str, len: usize) {
    let frame = support::masked(BINARY, &(0..len).map(|index| index as u8).collect::<Vec<_>>());
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Bytes(len as u64));
    for (peer, serve) in [
        ("tower-websocket", support::serve_echo as fn(TcpStream)),
        ("tokio-tungstenite as it comes", support::serve_tungstenite),
        ("tokio-tungstenite with small reads and one flush", support::serve_tuned_tungstenite),
    ] {
        let runtime = support::runtime();
        let mut client = runtime.block_on(async {
            let (near, far) = support::tcp().await;
            serve(far);
            Client::open(near).await
        });
        support::measure(&mut group, peer, &runtime, async || client.exchange(&frame, 1).await);
    }
    group.finish();
}
