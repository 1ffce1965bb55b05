//! A proxy that passes bytes on, at a rate.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tower_websocket::Role;

use super::KIB;

/// What a proxy does with the bytes of one direction. In the other direction, it passes everything on at once.
#[derive(Clone, Copy)]
pub(crate) struct Proxy {
    pub(crate) sender: Role,
    /// Bytes per second.
    pub(crate) rate: usize,
    /// How many bytes it takes from the sender before they are passed on, besides what is in the kernel's buffers.
    pub(crate) buffer: usize,
    /// After so many bytes it passes nothing on, in either direction.
    pub(crate) dies_after: usize,
}

impl Proxy {
    /// Slows down what this side sends.
    pub(crate) const fn new(sender: Role, rate: usize, buffer: usize) -> Self {
        Self { sender, rate, buffer, dies_after: usize::MAX }
    }
}

/// Runs a proxy before this server.
pub(crate) async fn proxy(settings: Proxy, server: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (near, _) = listener.accept().await.unwrap();
            let far = TcpStream::connect(server).await.unwrap();
            near.set_nodelay(true).unwrap();
            far.set_nodelay(true).unwrap();
            tokio::spawn(pass(near, far, settings));
        }
    });
    address
}

async fn pass(near: TcpStream, far: TcpStream, settings: Proxy) {
    let (slow, fast) = match settings.sender {
        Role::Client => (near, far),
        Role::Server => (far, near),
    };
    let (from_sender, mut to_sender) = slow.into_split();
    let (mut from_receiver, to_receiver) = fast.into_split();
    tokio::spawn(async move {
        let _ = tokio::io::copy(&mut from_receiver, &mut to_sender).await;
        let _ = to_sender.shutdown().await;
    });
    let (sender, parts) = mpsc::channel((settings.buffer / PART).max(1));
    tokio::spawn(take(from_sender, sender));
    pass_on(parts, to_receiver, settings).await;
}

/// Reads what the sender sends into the proxy's own buffer.
async fn take(mut from: impl AsyncRead + Unpin, parts: mpsc::Sender<Vec<u8>>) {
    loop {
        let mut part = Vec::with_capacity(PART);
        match from.read_buf(&mut part).await {
            Ok(1..) if parts.send(part).await.is_ok() => {}
            _ => return,
        }
    }
}

/// Writes it at the proxy's rate.
async fn pass_on(mut parts: mpsc::Receiver<Vec<u8>>, mut to: impl AsyncWrite + Unpin, settings: Proxy) {
    let start = Instant::now();
    let mut passed = 0;
    while let Some(part) = parts.recv().await {
        for piece in part.chunks((settings.rate / 20).clamp(64, PART)) {
            sleep_until(start + Duration::from_secs_f64(passed as f64 / settings.rate as f64)).await;
            if passed >= settings.dies_after {
                // The sockets stay open: who sends to them sees no end.
                std::future::pending::<()>().await;
            }
            if to.write_all(piece).await.is_err() {
                return;
            }
            passed += piece.len();
        }
    }
    let _ = to.shutdown().await;
}

const PART: usize = 4 * KIB;
