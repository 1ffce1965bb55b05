//! Handlers whose panic panics once more when it is dropped: that stays on their own connection.

use std::future::poll_fn;
use std::panic::panic_any;
use std::pin::Pin;
use std::task::Poll;
use std::thread::panicking;

use tokio::time::timeout;
use tower_websocket::{BoxError, CloseCode, Manager, Shutdown, WebSocketLayer};

use crate::support::{Cases, Over, Peer, Server, Socket, expect, quiet, secs, serve, text};

/// Panics when it is dropped, but not within a panic, which would end the process.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(panicking(), "dropped");
    }
}

impl std::fmt::Debug for Bomb {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Bomb")
    }
}

impl std::fmt::Display for Bomb {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("bomb")
    }
}

impl std::error::Error for Bomb {}

/// How handlers go wrong, the path of whose request says so: `GET /` is no choice of a scripted peer's here, so it is the
/// first message.
const WAYS: [&str; 7] = ["payload", "nested", "later", "future", "future that panics", "error", "payload of a task"];

type Handler = Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send>>;

/// Does as the first message says. Others are sent back.
fn handle(ws: Manager) -> Handler {
    Box::pin(async move {
        let way = ws.recv().await?.unwrap();
        match way.as_text().unwrap() {
            "payload" => panic_any(Bomb),
            "nested" => panic_any((Bomb, vec![Bomb])),
            "later" => {
                tokio::task::yield_now().await;
                ws.send("before").await?;
                panic_any(Bomb)
            }
            "future" => {
                let _bomb = Bomb;
                Ok(())
            }
            "future that panics" => {
                let _bomb = Bomb;
                panic!("with a bomb beside it")
            }
            "error" => Err(Bomb.into()),
            "payload of a task" => {
                let error = tokio::spawn(async { panic_any(Bomb) }).await.unwrap_err();
                std::panic::resume_unwind(error.into_panic())
            }
            _ => {
                ws.send(way).await?;
                Ok(())
            }
        }
    })
}

/// The next connection works.
async fn lives(server: &Server) {
    let mut peer = server.open(Socket::default()).await;
    peer.send(text("fine")).await;
    expect("the echo", peer.recv().await, Some(text("fine")));
    expect("the close code", peer.recv_close().await, Some(1000));
}

async fn close_code(peer: &mut Peer) -> Option<u16> {
    timeout(secs(5), async {
        loop {
            let frame = peer.recv().await?;
            if frame.first == 0x88 {
                return Some(u16::from_be_bytes([frame.payload[0], frame.payload[1]]));
            }
        }
    })
    .await
    .expect("a close frame, or the end")
}

#[tokio::test]
async fn a_panic_that_panics_when_it_is_dropped_closes_with_1011() {
    let mut cases = Cases::default();
    for over in Over::ALL {
        for way in WAYS {
            cases.add(format!("{over}, {way}"), async move {
                let shutdown = Shutdown::new();
                let server = serve(over, WebSocketLayer::new(handle).upgrader(quiet()).shutdown(&shutdown)).await;
                let mut peer = server.open(Socket::default()).await;
                peer.send(text(way)).await;
                expect("the close code", close_code(&mut peer).await, Some(1011));
                lives(&server).await;
                drop(peer);
                let left = shutdown.close_all(CloseCode::GOING_AWAY, "", secs(10)).await;
                expect("left at the deadline", left, 0);
            });
        }
    }
    cases.finish().await;
}

#[tokio::test]
async fn a_panic_before_there_is_a_future_closes_with_1011_too() {
    let mut cases = Cases::default();
    for over in Over::ALL {
        cases.add(over, async move {
            let layer = WebSocketLayer::new(|_: Manager| -> Handler { panic_any(Bomb) });
            let server = serve(over, layer.upgrader(quiet())).await;
            for _ in 0..3 {
                let mut peer = server.open(Socket::default()).await;
                expect("the close code", close_code(&mut peer).await, Some(1011));
            }
        });
    }
    cases.finish().await;
}

#[tokio::test]
async fn a_handler_that_panics_when_it_is_dropped_at_a_deadline_is_counted_out() {
    let mut cases = Cases::default();
    for over in Over::ALL {
        cases.add(over, async move {
            let shutdown = Shutdown::new();
            let layer = WebSocketLayer::new(|ws: Manager| async move {
                let _bomb = Bomb;
                ws.send("begun").await.unwrap();
                poll_fn(|_| Poll::<()>::Pending).await;
            });
            let server = serve(over, layer.upgrader(quiet()).shutdown(&shutdown)).await;
            let mut peer = server.open(Socket::default()).await;
            expect("the first message", peer.recv().await, Some(text("begun")));
            let left = shutdown.close_all(CloseCode::GOING_AWAY, "", secs(1)).await;
            expect("left at the deadline", left, 1);
            expect("connections", shutdown.connections(), 0);
        });
    }
    cases.finish().await;
}
