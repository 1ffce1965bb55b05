//! What the benches share: a client that costs next to nothing, and servers for any transport.

#![allow(dead_code, reason = "no bench needs all of it")]
#![expect(clippy::unwrap_used, reason = "what fails here ends the bench")]

#[path = "../../tests/support/mod.rs"]
pub(crate) mod shared;

use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput};
use futures_util::{FutureExt, SinkExt, StreamExt};
use http::{Request, Response};
use hyper::body::{Body, Incoming};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, accept_async, accept_async_with_config, tungstenite};
use tower::Service;
use tower_websocket::{BoxError, Upgrader, WebSocketLayer};

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

/// A WebSocket client that costs next to nothing: what it sends was encoded before, and of what it receives it only looks
/// where each message ends.
pub(crate) struct Client<Io> {
    io: Io,
    received: BytesMut,
}

impl<Io: AsyncRead + AsyncWrite + Unpin> Client<Io> {
    pub(crate) fn new(io: Io) -> Self {
        Self { io, received: BytesMut::new() }
    }

    pub(crate) async fn open(io: Io) -> Self {
        Self::open_with(io, "").await
    }

    /// Opens with more headers, each with its line's end.
    pub(crate) async fn open_with(io: Io, headers: &str) -> Self {
        let mut client = Self::new(io);
        client.io.write_all(handshake(headers).as_bytes()).await.unwrap();
        let head = client.receive_head().await;
        assert!(head.starts_with(b"HTTP/1.1 101 "), "{head:?}");
        client
    }

    /// Sends these frames and waits for as many messages.
    pub(crate) async fn exchange(&mut self, frames: &[u8], replies: u64) {
        self.io.write_all(frames).await.unwrap();
        self.receive(replies).await;
    }

    /// Asks for this many messages, and waits for them.
    pub(crate) async fn order(&mut self, messages: u64) {
        self.order_replies(messages, messages).await;
    }

    /// Asks for something to be done this many times, and waits for the messages that come of it.
    pub(crate) async fn order_replies(&mut self, times: u64, replies: u64) {
        self.exchange(&masked(BINARY, &times.to_be_bytes()), replies).await;
    }

    /// Waits for as many messages. Answers pings.
    pub(crate) async fn receive(&mut self, mut replies: u64) {
        while replies > 0 {
            let Some(frame) = take_frame(&mut self.received) else {
                assert_ne!(self.fill().await, 0, "the server has left");
                continue;
            };
            match frame[0] {
                PING => self.io.write_all(&masked(PONG, &frame[2..])).await.unwrap(),
                first => replies -= u64::from(ends_message(first)),
            }
        }
    }

    /// Sends a plain request and waits for the response.
    pub(crate) async fn ask(&mut self, request: &[u8], body: usize) {
        self.io.write_all(request).await.unwrap();
        self.receive_head().await;
        while self.received.len() < body {
            assert_ne!(self.fill().await, 0, "the server has left");
        }
        self.received.advance(body);
    }

    /// Sends this close frame and waits for the end of the transport.
    pub(crate) async fn close(mut self, close: &[u8]) {
        self.io.write_all(close).await.unwrap();
        while self.fill().await > 0 {}
    }

    /// Reads up to the end of a response's head.
    async fn receive_head(&mut self) -> BytesMut {
        loop {
            if let Some(end) = self.received.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                return self.received.split_to(end + 4);
            }
            assert_ne!(self.fill().await, 0, "the server has left");
        }
    }

    /// Leaves only the transport.
    pub(crate) fn into_io(self) -> Io {
        self.io
    }

    async fn fill(&mut self) -> usize {
        self.received.reserve(64 * 1024);
        self.io.read_buf(&mut self.received).await.unwrap()
    }
}

/// What a message of [`Client::order`] asks for.
pub(crate) fn ordered(message: &[u8]) -> u64 {
    u64::from_be_bytes(message.try_into().unwrap())
}

/// A client's opening handshake.
pub(crate) fn handshake(headers: &str) -> String {
    shared::request("localhost", "/ws", headers)
}

/// The next frame of a server, if all of it is there.
pub(crate) fn take_frame(received: &mut BytesMut) -> Option<BytesMut> {
    let mut rest = received.get(1..)?;
    let len = match rest.try_get_u8().ok()? {
        126 => rest.try_get_u16().ok()?.into(),
        127 => rest.try_get_u64().ok()?,
        len => len.into(),
    };
    let header = received.len() - rest.len();
    let end = header + len as usize;
    (received.len() >= end).then(|| received.split_to(end))
}

/// Whether a frame with this first byte is the last one of a data message.
pub(crate) fn ends_message(first: u8) -> bool {
    first & 0x88 == 0x80
}

pub(crate) const TEXT: u8 = 0x81;
pub(crate) const BINARY: u8 = 0x82;
pub(crate) const CLOSE: u8 = 0x88;
pub(crate) const PING: u8 = 0x89;
const PONG: u8 = 0x8a;
