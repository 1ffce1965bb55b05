//! Peers behind slow links: what is slow but goes on is no reason to end a connection.

#![expect(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Version};
use http_body_util::Empty;
use hyper::client::conn::http2::{self, SendRequest};
use hyper::ext::Protocol;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf, duplex};
use tokio::task::JoinSet;
use tokio::time::{Instant, Sleep, sleep};
use tower_websocket::{CloseCode, Connector, Error, Manager, Role, Upgrader, WebSocketLayer};

use crate::net::serve_stream;
use crate::shared::quiet;

/// Reads no more than so many bytes per second.
struct Slow {
    io: DuplexStream,
    /// What may be read before `next`.
    left: usize,
    next: Pin<Box<Sleep>>,
    per_tick: usize,
}

impl Slow {
    fn new(io: DuplexStream, rate: usize) -> Self {
        Self { io, left: 0, next: Box::pin(sleep(TICK)), per_tick: rate / 10 }
    }
}

impl AsyncRead for Slow {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.left == 0 {
            ready!(this.next.as_mut().poll(cx));
            this.left = this.per_tick;
            this.next.as_mut().reset(Instant::now() + TICK);
        }
        let mut part = vec![0; this.left.min(buf.remaining())];
        let mut part = ReadBuf::new(&mut part);
        ready!(Pin::new(&mut this.io).poll_read(cx, &mut part))?;
        this.left -= part.filled().len();
        buf.put_slice(part.filled());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Slow {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

/// Sends more than the buffers hold, and closes.
async fn bulk(ws: Manager) -> Result<(), Error> {
    for _ in 0..MESSAGES {
        ws.send(vec![0; SIZE]).await?;
    }
    ws.close().await
}

/// A client behind a link of this rate.
async fn connect(rate: usize, settings: &Upgrader, connector: Connector) -> Manager {
    let (near, far) = duplex(16 * 1024);
    let layer = WebSocketLayer::new(bulk).upgrader(settings.clone().without_compression());
    tokio::spawn(serve_stream(far, layer.into_service()));
    connector.config(settings.get_config().clone()).connect_over(Slow::new(near, rate), "ws://h/").await.unwrap()
}

/// How much arrived, and the code of the close frame.
async fn receive(ws: Manager) -> (usize, Option<CloseCode>) {
    let mut received = 0;
    while let Ok(Some(message)) = ws.recv().await {
        received += message.len();
    }
    (received, ws.done().await.ok().map(|frame| frame.code()))
}

/// A peer shows over HTTP/2 what it took when half of its window is free again: 128 KiB with our client.
#[tokio::test(start_paused = true)]
async fn a_slow_peer_gets_everything_and_the_close_frame() {
    for (rate, connector) in [(4_000, Connector::new()), (30_000, Connector::new().http2())] {
        let ws = connect(rate, &quiet(), connector).await;
        assert_eq!(receive(ws).await, (MESSAGES * SIZE, Some(CloseCode::NORMAL)), "{rate} bytes per second");
    }
}

#[tokio::test(start_paused = true)]
async fn a_ping_of_a_slow_peer_is_answered_between_large_messages() {
    for (rate, connector) in [(10_000, Connector::new()), (70_000, Connector::new().http2())] {
        let ws = connect(rate, &quiet(), connector).await;
        let pinging = tokio::spawn({
            let ws = ws.clone();
            async move {
                sleep(Duration::from_secs(5)).await;
                ws.ping().await
            }
        });
        assert_eq!(receive(ws).await, (MESSAGES * SIZE, Some(CloseCode::NORMAL)), "{rate} bytes per second");
        pinging.await.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_accepts_data_is_alive_while_the_ping_waits_to_be_sent() {
    for (rate, connector) in [(5_000, Connector::new()), (50_000, Connector::new().http2())] {
        let ws = connect(rate, &Upgrader::new(), connector).await;
        assert_eq!(receive(ws).await, (MESSAGES * SIZE, Some(CloseCode::NORMAL)), "{rate} bytes per second");
    }
}

#[tokio::test(start_paused = true)]
async fn sockets_that_share_a_slow_link_all_get_everything() {
    let mut requests = connect_with_window(1_000_000, 6 * 1024 * 1024, Upgrader::new()).await;
    let mut sockets = JoinSet::new();
    for _ in 0..20 {
        sockets.spawn(receive(open(&mut requests).await));
    }
    for received in sockets.join_all().await {
        assert_eq!(received, (MESSAGES * SIZE, Some(CloseCode::NORMAL)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_with_a_small_window_is_seen_to_take_a_part_of_a_message() {
    let mut requests = connect_with_window(8_000, 16 * 1024, quiet()).await;
    let ws = open(&mut requests).await;
    assert_eq!(receive(ws).await, (MESSAGES * SIZE, Some(CloseCode::NORMAL)));
}

/// An HTTP/2 connection over a link of this rate, with such a window for each stream.
async fn connect_with_window(rate: usize, window: u32, settings: Upgrader) -> SendRequest<Empty<Bytes>> {
    let (near, far) = duplex(16 * 1024);
    let layer = WebSocketLayer::new(bulk).upgrader(settings);
    tokio::spawn(serve_stream(far, layer.into_service()));
    let (requests, connection) = http2::Builder::new(TokioExecutor::new())
        .initial_stream_window_size(window)
        .initial_connection_window_size(15 * 1024 * 1024)
        .handshake(TokioIo::new(Slow::new(near, rate)))
        .await
        .unwrap();
    tokio::spawn(connection);
    // The server's settings have to arrive first.
    sleep(Duration::from_secs(1)).await;
    requests
}

/// A WebSocket on a stream of its own.
async fn open(requests: &mut SendRequest<Empty<Bytes>>) -> Manager {
    let request = Request::connect("http://h/")
        .version(Version::HTTP_2)
        .extension(Protocol::from_static("websocket"))
        .header("sec-websocket-version", "13")
        .body(Empty::new())
        .unwrap();
    let response = requests.send_request(request).await.unwrap();
    let upgraded = hyper::upgrade::on(response).await.unwrap();
    Manager::from_upgraded(TokioIo::new(upgraded), Role::Client, quiet().get_config())
}

const TICK: Duration = Duration::from_millis(100);
const MESSAGES: usize = 64;
const SIZE: usize = 16 * 1024;
