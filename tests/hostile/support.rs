//! A server, clients that are no more than sockets, and what the process uses.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::{Builder, Handle};
use tokio::time::{sleep, timeout};
use tower::ServiceBuilder;
use tower_websocket::{CancellationToken, HandlerOutput, Manager, WebSocketLayer};

use crate::shared::{REQUEST_TIME, http_server_with_windows, millis, request, secs, serve_connection};

/// Runs a test while no other of this program runs: what the process uses is then the test's own.
pub(crate) fn alone<T>(test: impl Future<Output = T>) -> T {
    let _guard = no_other();
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async { timeout(secs(120), test).await.expect("the test ends in time") })
}

/// Waits until no other test of this program runs, and keeps them waiting.
pub(crate) fn no_other() -> MutexGuard<'static, ()> {
    static LOCK: Mutex<()> = Mutex::new(());
    LOCK.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Serves handlers that end at once, and how many have begun.
pub(crate) async fn serve_counted() -> (SocketAddr, Arc<AtomicUsize>) {
    let begun = Arc::new(AtomicUsize::new(0));
    let count = begun.clone();
    let layer = WebSocketLayer::new(move |_: Manager| {
        count.fetch_add(1, Ordering::Relaxed);
        std::future::ready(())
    });
    (serve(layer).await, begun)
}

/// Serves this layer's WebSockets over both versions of HTTP, as the guide `server` sets it up.
pub(crate) async fn serve<H, F>(layer: WebSocketLayer<H>) -> SocketAddr
where
    H: Fn(Manager) -> F + Send + Sync + 'static,
    F: Future<Output: HandlerOutput> + Send + 'static,
{
    let service = layer.into_service();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (asked, service) = (CancellationToken::new(), service.clone());
            let first = asked.clone();
            let service = ServiceBuilder::new()
                .map_request(move |request| {
                    first.cancel();
                    request
                })
                .service(service);
            tokio::spawn(async move {
                tokio::select! {
                    () = serve_connection(http_server_with_windows(), stream, service) => {}
                    Err(_) = timeout(REQUEST_TIME, asked.cancelled()) => {} // no request came in time
                }
            });
        }
    });
    address
}

/// A connection from an address of its own among many: one alone would run out of ports.
pub(crate) async fn connect(address: SocketAddr) -> TcpStream {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed) / 10_000;
    let socket = TcpSocket::new_v4().unwrap();
    // What is not read shows soon.
    socket.set_recv_buffer_size(64 * 1024).unwrap();
    socket.bind(SocketAddr::from((Ipv4Addr::new(127, 0, 1, 1 + number as u8), 0))).unwrap();
    socket.connect(address).await.unwrap()
}

/// An open WebSocket.
pub(crate) async fn open(address: SocketAddr, more: &str) -> TcpStream {
    let mut stream = connect(address).await;
    stream.write_all(request("localhost", "/", more).as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    assert!(head.starts_with(b"HTTP/1.1 101"), "{}", head.escape_ascii());
    stream
}

/// The code of the close frame that comes before the end, if one does.
pub(crate) async fn close_code(stream: &mut TcpStream) -> Option<u16> {
    let mut received = Vec::new();
    let _ = stream.read_to_end(&mut received).await;
    while let Some(frame) = crate::shared::Frame::take(&mut received) {
        if frame.first == 0x88 {
            return Some(u16::from_be_bytes(frame.payload[..2].try_into().unwrap()));
        }
    }
    None
}

/// Waits until this is so.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let waiting = async {
        while !holds() {
            sleep(millis(5)).await;
        }
    };
    timeout(secs(60), waiting).await.unwrap_or_else(|_| panic!("{what} does not come true"));
}

/// Tasks of the runtime.
pub(crate) fn tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

/// Open descriptors of the process. Those of tests that run beside this one come and go: compare with `<=`.
pub(crate) fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Bytes of memory that the process has.
pub(crate) fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

/// By how much the process has grown since, in MiB.
pub(crate) fn grown(before: usize) -> usize {
    resident().saturating_sub(before) >> 20
}

pub(crate) const LONG: Duration = secs(30);
