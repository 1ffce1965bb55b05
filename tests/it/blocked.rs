//! Connections whose transport accepts no data, or fails, while more is queued.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tower_websocket::{Budget, ErrorKind, Limits, Manager, Role, WebSocketConfig, WebSocketLayer};

use crate::shared::{binary, close, quiet, secs, text};

fn config() -> WebSocketConfig {
    quiet().get_config().clone()
}

/// A transport whose writes are pending until they fail.
struct Broken {
    io: DuplexStream,
    fails: Arc<AtomicBool>,
}

impl AsyncRead for Broken {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl AsyncWrite for Broken {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        if self.fails.load(Ordering::Relaxed) {
            Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
        } else {
            Poll::Pending
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.fails.load(Ordering::Relaxed) {
            Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
        } else {
            Poll::Ready(Ok(()))
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}

/// A server over a transport that fails once it is told to.
fn broken(config: &WebSocketConfig) -> (Manager, DuplexStream, Arc<AtomicBool>) {
    let (near, far) = duplex(1024 * 1024);
    let fails = Arc::new(AtomicBool::new(false));
    let ws = Manager::from_upgraded(Broken { io: far, fails: fails.clone() }, Role::Server, config);
    (ws, near, fails)
}

#[tokio::test(start_paused = true)]
async fn what_is_queued_after_a_blocked_write_is_sent_before_the_answer_to_a_close() {
    let (mut peer, far) = duplex(1024);
    let ws = Manager::from_upgraded(far, Role::Server, &config());
    ws.send(vec![1; 3000]).await.unwrap();
    tokio::task::yield_now().await;
    ws.send(vec![2; 500]).await.unwrap();
    peer.write_all(&close(1000, "").masked()).await.unwrap();
    tokio::time::sleep(secs(1)).await;
    let mut received = Vec::new();
    timeout(secs(60), peer.read_to_end(&mut received)).await.unwrap().unwrap();
    let expected = [binary(vec![1; 3000]), binary(vec![2; 500]), close(1000, "")];
    assert!(received == expected.map(|frame| frame.unmasked()).concat(), "{} bytes", received.len());
    assert_eq!(ws.done().await.unwrap().code().get(), 1000);
}

/// Nothing else wakes the task but the transport.
#[tokio::test(start_paused = true)]
async fn what_was_not_accepted_at_all_is_written_once_there_is_room() {
    let (mut peer, far) = duplex(100);
    let ws = Manager::from_upgraded(far, Role::Server, &config());
    // A whole frame fills the transport.
    let frames = [binary(vec![1; 98]), text("later")].map(|frame| frame.unmasked());
    assert_eq!(frames[0].len(), 100);
    ws.send(vec![1; 98]).await.unwrap();
    ws.flush().await.unwrap();
    ws.send("later").await.unwrap();
    assert!(timeout(secs(1), ws.flush()).await.is_err(), "there is no room");
    for frame in frames {
        let mut received = vec![0; frame.len()];
        timeout(secs(1), peer.read_exact(&mut received)).await.expect("it is written").unwrap();
        assert_eq!(received, frame);
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_write_with_more_to_write_does_not_end_reading() {
    let config = config().limits(Limits::default().incoming(1));
    let (ws, mut peer, fails) = broken(&config);
    ws.send("is being written").await.unwrap();
    tokio::time::sleep(secs(1)).await;
    ws.send("is queued").await.unwrap();
    for number in 0..20 {
        peer.write_all(&text(number.to_string()).masked()).await.unwrap();
    }
    peer.write_all(&close(1000, "").masked()).await.unwrap();
    fails.store(true, Ordering::Relaxed);
    for number in 0..20 {
        tokio::time::sleep(secs(3)).await;
        let message = ws.recv().await.unwrap().unwrap_or_else(|| panic!("only {number} of 20"));
        assert_eq!(message.as_text(), Some(&*number.to_string()));
    }
    assert_eq!(ws.recv().await.unwrap(), None);
    assert_eq!(ws.done().await.unwrap().code().get(), 1000);
}

#[tokio::test(start_paused = true)]
async fn a_failed_write_ends_a_connection_whose_messages_are_not_received() {
    let config = config().limits(Limits::default().incoming(1));
    let (ws, mut peer, fails) = broken(&config);
    ws.send("is being written").await.unwrap();
    peer.write_all(&[text("a"), text("b")].map(|frame| frame.masked()).concat()).await.unwrap();
    fails.store(true, Ordering::Relaxed);
    let start = Instant::now();
    // The transport accepts no data for the write time, or is seen to have failed before that.
    assert!(matches!(ws.done().await.unwrap_err().kind(), ErrorKind::Disconnected | ErrorKind::WriteTimeout));
    assert!(start.elapsed() <= secs(40), "{:?}", start.elapsed());
    assert_eq!(ws.recv().await.unwrap().unwrap().as_text(), Some("a"));
}

#[tokio::test(start_paused = true)]
async fn nothing_stays_charged_for_what_was_never_written() {
    let budget = Budget::new(64 * 1024 * 1024);
    let config = config().limits(Limits::default().budget(budget.clone()));
    let (_peer_that_does_not_read, far) = duplex(1024);
    let ws = Manager::from_upgraded(far, Role::Server, &config);
    ws.send(vec![0; 1_000_000]).await.unwrap();
    tokio::time::sleep(secs(1)).await;
    assert!(budget.used() > 900_000);
    assert_eq!(ws.done().await.unwrap_err().kind(), ErrorKind::WriteTimeout);
    tokio::time::sleep(secs(1)).await;
    assert_eq!(budget.used(), 0);
}

/// The producer runs in another thread, so that it wakes the handler at every point of the connection's task.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_that_is_woken_by_another_thread_is_polled() {
    const MESSAGES: usize = 100_000;
    let (sender, receiver) = mpsc::channel(1);
    let receiver = std::sync::Mutex::new(Some(receiver));
    let layer = WebSocketLayer::new(move |ws: Manager| {
        let mut receiver: mpsc::Receiver<()> = receiver.lock().unwrap().take().unwrap();
        async move {
            while receiver.recv().await.is_some() {
                ws.send("x").await?;
            }
            ws.close().await
        }
    });
    let client = tower_websocket::testing::TestClient::new(layer.upgrader(quiet()).into_service());
    let ws = client.connect("/").await.unwrap();
    let producer = tokio::spawn(async move {
        for _ in 0..MESSAGES {
            sender.send(()).await.unwrap();
        }
    });
    let mut received = 0;
    while timeout(Duration::from_secs(30), ws.recv()).await.expect("the handler is polled").unwrap().is_some() {
        received += 1;
    }
    assert_eq!(received, MESSAGES);
    producer.await.unwrap();
}
