//! What the benches share: a client that costs next to nothing, and servers for any transport.

#![allow(dead_code, unused_imports, reason = "no bench needs all of it")]
#![expect(clippy::unwrap_used, reason = "what fails here ends the bench")]

mod client;
#[path = "../../tests/support/mod.rs"]
pub(crate) mod shared;

use std::time::{Duration, Instant};

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput};
use futures_util::{FutureExt, SinkExt, StreamExt};
use http::{Request, Response};
use hyper::body::{Body, Incoming};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, accept_async, accept_async_with_config, tungstenite};
use tower::Service;
use tower_websocket::{BoxError, Upgrader, WebSocketLayer};

pub(crate) use client::{BINARY, CLOSE, Client, PING, TEXT, ends_message, handshake, ordered, take_frame};
use shared::request;
pub(crate) use shared::{echo, masked};

/// All benches together take less than ten minutes with these.
pub(crate) fn criterion() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .sample_size(50)
        .nresamples(20_000)
        .configure_from_args()
}

/// One thread for both ends, so that the time is the work of both and no waiting. The client's share is small.
pub(crate) fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// A runtime whose clock jumps to the next timer whenever there is nothing to do.
pub(crate) fn paused_runtime() -> Runtime {
    Builder::new_current_thread().enable_all().start_paused(true).build().unwrap()
}

/// Our echo over TCP and tungstenite's twins of it: a turn sends all `frames` and waits for as many replies.
pub(crate) fn compare_echoes(
    criterion: &mut Criterion,
    name: &str,
    throughput: Throughput,
    frames: &[u8],
    replies: u64,
) {
    let mut group = criterion.benchmark_group(name);
    group.throughput(throughput);
    for (peer, serve) in [
        ("tower-websocket", serve_echo as fn(TcpStream)),
        ("tokio-tungstenite as it comes", serve_tungstenite),
        ("tokio-tungstenite with small reads and one flush", serve_tuned_tungstenite),
    ] {
        let runtime = runtime();
        let mut client = runtime.block_on(async {
            let (near, far) = tcp().await;
            serve(far);
            Client::open(near).await
        });
        measure(&mut group, peer, &runtime, async || client.exchange(frames, replies).await);
    }
    group.finish();
}

/// Measures one call of `routine` after the other, in one go on one runtime.
pub(crate) fn measure(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    runtime: &Runtime,
    mut routine: impl AsyncFnMut(),
) {
    measure_batches(group, name, runtime, async |iterations| {
        for _ in 0..iterations {
            routine().await;
        }
    });
}

/// Measures a routine that does as many iterations as it is told.
pub(crate) fn measure_batches(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    runtime: &Runtime,
    mut routine: impl AsyncFnMut(u64),
) {
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|iterations| {
            runtime.block_on(async {
                let start = Instant::now();
                routine(iterations).await;
                start.elapsed()
            })
        });
    });
}

/// Both ends of a TCP connection, for what is decided by the number of system calls.
pub(crate) async fn tcp() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (far, _) = listener.accept().await.unwrap();
    near.set_nodelay(true).unwrap();
    far.set_nodelay(true).unwrap();
    (near, far)
}

/// Both ends of a transport in memory.
pub(crate) fn memory() -> (DuplexStream, DuplexStream) {
    tokio::io::duplex(64 * 1024)
}

/// hyper's HTTP/1.1 and HTTP/2 server, as axum runs it, for one connection.
pub(crate) fn serve<Io, S, B>(io: Io, service: S)
where
    Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service<Request<Incoming>, Response = Response<B>, Error: Into<BoxError>, Future: Send> + Clone + Send + 'static,
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    tokio::spawn(shared::serve_connection(shared::http_server(), io, service));
}

/// An echo server: hyper and the layer.
pub(crate) fn serve_echo(io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
    serve_echo_with(io, Upgrader::new());
}

/// An echo server with these settings.
pub(crate) fn serve_echo_with(io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, upgrader: Upgrader) {
    serve(io, WebSocketLayer::new(echo).upgrader(upgrader).into_service());
}

/// The same on tokio-tungstenite alone, as it comes.
pub(crate) fn serve_tungstenite(io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
    tokio::spawn(async move { echo_tungstenite(accept_async(io).await.unwrap()).await });
}

async fn echo_tungstenite<Io: AsyncRead + AsyncWrite + Unpin>(mut socket: WebSocketStream<Io>) {
    while let Some(Ok(message)) = socket.next().await {
        if is_data(&message) && socket.send(message).await.is_err() {
            break;
        }
    }
}

/// The same with a small read buffer, which tungstenite fills with zeros before each read, and one flush for all messages
/// that came at once.
pub(crate) fn serve_tuned_tungstenite(io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
    tokio::spawn(async move {
        let config = WebSocketConfig::default().read_buffer_size(8 * 1024);
        let mut socket = accept_async_with_config(io, Some(config)).await.unwrap();
        while let Some(message) = socket.next().await {
            let mut message = Some(message);
            while let Some(Ok(echoed)) = message {
                if is_data(&echoed) {
                    socket.feed(echoed).await.unwrap();
                }
                message = socket.next().now_or_never().flatten();
            }
            if socket.flush().await.is_err() {
                break;
            }
        }
    });
}

fn is_data(message: &tungstenite::Message) -> bool {
    message.is_text() || message.is_binary()
}
