//! Behind a failed write a connection still receives, for no longer than its limits allow.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncWrite, AsyncWriteExt, DuplexStream, duplex, join};
use tokio::time::{Instant, sleep, timeout};
use tower_websocket::{Budget, CloseCode, CloseFrame, ErrorKind, Limits, Manager, Role, WebSocketConfig};

use crate::support::{Frame, secs, text};

const MIB: usize = 1024 * 1024;

/// A connection whose transport accepts nothing, and what the peer sends over.
fn open(limits: Limits) -> (Manager, DuplexStream) {
    let (peer, read) = duplex(1024);
    let (write, _) = duplex(1024);
    let config = WebSocketConfig::new().limits(limits);
    (Manager::from_upgraded(join(read, write), Role::Server, &config), peer)
}

/// The peer sends this every two seconds, and the handler receives. How the connection ends, and when.
async fn end(ws: &Manager, mut peer: DuplexStream, parts: impl Iterator<Item = Vec<u8>>) -> (ErrorKind, Duration) {
    let start = Instant::now();
    ws.send("this is not written").await.unwrap();
    let sending = async {
        for part in parts {
            // It may be over.
            let _ = peer.write_all(&part).await;
            sleep(secs(2)).await;
        }
    };
    let receiving = async { while let Ok(Some(_)) = ws.recv().await {} };
    let ended = async {
        let end = ws.done().await;
        (end.unwrap_err().kind(), start.elapsed())
    };
    let all = async {
        tokio::select! {
            ended = async { tokio::join!(ended, receiving).0 } => ended,
            () = async { sending.await; std::future::pending().await } => unreachable!(),
        }
    };
    timeout(secs(10_000), all).await.expect("it ends")
}

fn whole() -> impl Iterator<Item = Vec<u8>> {
    std::iter::repeat_n(text("still here").masked(), 1000)
}

#[tokio::test(start_paused = true)]
async fn the_lifetime_ends_it() {
    let (ws, peer) = open(Limits::default().max_lifetime(secs(60)));
    assert_eq!(end(&ws, peer, whole()).await, (ErrorKind::LifetimeExceeded, secs(60)));
}

#[tokio::test(start_paused = true)]
async fn the_deadline_ends_it() {
    let (ws, peer) = open(Limits::default());
    ws.set_deadline(Instant::now() + secs(60), CloseFrame::new(CloseCode::POLICY_VIOLATION, "token expired"));
    assert_eq!(end(&ws, peer, whole()).await, (ErrorKind::Disconnected, secs(60)));
}

#[tokio::test(start_paused = true)]
async fn half_a_message_ends_it() {
    let (ws, peer) = open(Limits::default().message_timeout(secs(30)));
    let header = text([b'x'; 1000]).masked()[..8].to_vec();
    let parts = std::iter::once(header).chain(std::iter::repeat_n(vec![b'x'], 500));
    assert_eq!(end(&ws, peer, parts).await, (ErrorKind::ReadTimeout, secs(30)));
}

/// The peer's silence is that of the closing handshake.
#[tokio::test(start_paused = true)]
async fn silence_ends_it() {
    let (ws, peer) = open(Limits::default());
    let sent: [Frame; 3] = std::array::from_fn(|_| text("still here"));
    let (kind, time) = end(&ws, peer, sent.into_iter().map(|frame| frame.masked())).await;
    assert_eq!(kind, ErrorKind::Disconnected);
    assert!((secs(8)..=secs(10)).contains(&time), "{time:?}");
}

/// A transport that accepts nothing, and panics when it is dropped.
struct Blocked;

impl AsyncWrite for Blocked {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Pending
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        panic!("the transport's own");
    }
}

#[tokio::test(start_paused = true)]
async fn a_transport_that_panics_when_it_is_dropped_takes_all_with_it() {
    let budget = Budget::new(MIB);
    let (peer, read) = duplex(1024);
    let config = WebSocketConfig::new().limits(Limits::default().budget(budget.clone()));
    let ws = Manager::from_upgraded(join(read, Blocked), Role::Server, &config);
    ws.send(vec![0; 50_000]).await.unwrap();
    sleep(secs(1)).await;
    assert!(budget.used() >= 50_000, "{} bytes are charged", budget.used());
    drop(peer);
    assert_eq!(ws.done().await.unwrap_err().kind(), ErrorKind::Disconnected);
    assert_eq!(budget.used(), 0);
}
