//! What was written counts as written, even where the connection ends in the same poll of its task.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tower_websocket::{Manager, Message, Role, WebSocketConfig};

use crate::support::millis;

/// Polls its future at the very moment at which that is woken, as another thread may.
struct Immediate<T> {
    future: Mutex<Pin<Box<dyn Future<Output = T> + Send>>>,
    output: Mutex<Option<T>>,
}

impl<T: Send + 'static> Immediate<T> {
    fn start(future: impl Future<Output = T> + Send + 'static) -> Arc<Self> {
        let immediate = Arc::new(Self { future: Mutex::new(Box::pin(future)), output: Mutex::new(None) });
        immediate.wake_by_ref();
        immediate
    }

    fn output(&self) -> Option<T> {
        self.output.lock().unwrap().take()
    }
}

impl<T: Send + 'static> Wake for Immediate<T> {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let waker = Waker::from(self.clone());
        let polled = self.future.lock().unwrap().as_mut().poll(&mut Context::from_waker(&waker));
        if let Poll::Ready(output) = polled {
            *self.output.lock().unwrap() = Some(output);
        }
    }
}

/// The last bytes, their flush and the shutdown of our side come in one poll of the task. A flush that waits for the bytes is told
/// that they are written, and not that the connection has ended before.
#[tokio::test(start_paused = true)]
async fn what_leaves_with_the_end_counts_as_written() {
    let (mut peer, transport) = duplex(16);
    let ws = Manager::from_upgraded(transport, Role::Server, &WebSocketConfig::new());
    ws.send(Message::binary(vec![7; 64])).await.unwrap();
    let flushed = Immediate::start({
        let ws = ws.clone();
        async move { ws.flush().await }
    });
    let ended = Immediate::start({
        let ws = ws.clone();
        async move {
            let end = ws.done().await;
            (end.is_err(), ws.stats().wire_sent)
        }
    });
    tokio::time::sleep(millis(1)).await;
    assert!(flushed.output().is_none(), "the peer has not read yet");
    // Clients mask: the connection fails, without a close frame of the peer.
    peer.write_all(&[0x81, 0]).await.unwrap();
    let mut received = Vec::new();
    peer.read_to_end(&mut received).await.unwrap();
    flushed.output().expect("the connection is over").expect("all was written before that");
    assert_eq!(ended.output(), Some((true, received.len() as u64)));
}
