//! A way to the broker that can be cut off or made slow.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::PATIENCE;

/// How bytes go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Open,
    /// Nothing goes on, and nothing is closed: as when a cable is pulled.
    Cut,
    /// What the broker answers does not go on.
    Mute,
    /// Only connections from this one on go on: those before it stay cut.
    OpenFrom(u64),
    /// As `OpenFrom`, until NATS answers a publication: that does not go on, nor anything behind it.
    Unanswered(u64),
    /// Each piece waits for so long.
    Slow(Duration),
}

impl Way {
    fn lets_pass(self, connection: u64, is_answer: bool) -> bool {
        match self {
            Self::Open | Self::Slow(_) => true,
            Self::Cut => false,
            Self::Mute => !is_answer,
            Self::OpenFrom(first) | Self::Unanswered(first) => connection >= first,
        }
    }
}

/// A TCP proxy in front of the broker.
pub(crate) struct Cable {
    pub(crate) port: u16,
    way: Arc<watch::Sender<Way>>,
    accepted: watch::Receiver<u64>,
}

impl Cable {
    pub(crate) async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let way = Arc::new(watch::Sender::new(Way::Open));
        let (counter, accepted) = watch::channel(0);
        let cable = Self { port: listener.local_addr().unwrap().port(), way: way.clone(), accepted };
        tokio::spawn(async move {
            loop {
                let (near, _) = listener.accept().await.unwrap();
                let number = *counter.borrow();
                counter.send_replace(number + 1);
                let way = way.clone();
                tokio::spawn(async move {
                    // What connects while it is cut waits.
                    let _ = way.subscribe().wait_for(|way| way.lets_pass(number, false)).await;
                    let Ok(far) = TcpStream::connect(("127.0.0.1", port)).await else { return };
                    near.set_nodelay(true).unwrap();
                    far.set_nodelay(true).unwrap();
                    let ((near_read, near_write), (far_read, far_write)) = (near.into_split(), far.into_split());
                    tokio::spawn(carry(near_read, far_write, way.subscribe(), number, false));
                    carry(far_read, near_write, way.subscribe(), number, true).await;
                });
            }
        });
        cable
    }

    pub(crate) fn set(&self, way: Way) {
        self.way.send_replace(way);
    }

    /// From now on, new connections go on, and those that there are stay cut.
    pub(crate) fn replace(&self) {
        self.set(Way::OpenFrom(*self.accepted.borrow()));
    }

    /// Waits until something connects, and gives its number.
    pub(crate) async fn connected(&mut self) -> u64 {
        let before = *self.accepted.borrow();
        let connected = self.accepted.wait_for(|accepted| *accepted > before);
        drop(timeout(PATIENCE, connected).await.expect("a connection").unwrap());
        before
    }
}

async fn carry(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut way: watch::Receiver<Way>,
    number: u64,
    is_answer: bool,
) {
    let mut piece = vec![0; 4096];
    while let Ok(len) = from.read(&mut piece).await {
        let now = *way.wait_for(|way| way.lets_pass(number, is_answer)).await.unwrap();
        let is_acknowledgement = is_answer && piece[..len].windows(6).any(|window| window == b"\"seq\":");
        if is_acknowledgement && matches!(now, Way::Unanswered(_)) {
            let _ = way.wait_for(|way| *way == Way::Open).await;
        }
        if let Way::Slow(delay) = now {
            sleep(delay).await;
        }
        if len == 0 || to.write_all(&piece[..len]).await.is_err() {
            return;
        }
    }
}
