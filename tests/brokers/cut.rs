//! A way to the broker that can be cut off or made slow.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// How bytes go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Open,
    /// Nothing goes on, and nothing is closed: as when a cable is pulled.
    Cut,
    /// Each piece waits for so long.
    Slow(Duration),
}

/// A TCP proxy in front of the broker.
pub(crate) struct Cable {
    pub(crate) port: u16,
    way: Arc<watch::Sender<Way>>,
}

impl Cable {
    pub(crate) async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let way = Arc::new(watch::Sender::new(Way::Open));
        let cable = Self { port: listener.local_addr().unwrap().port(), way: way.clone() };
        tokio::spawn(async move {
            loop {
                let (near, _) = listener.accept().await.unwrap();
                let way = way.clone();
                tokio::spawn(async move {
                    // What connects while it is cut waits.
                    let _ = way.subscribe().wait_for(|way| *way != Way::Cut).await;
                    let Ok(far) = TcpStream::connect(("127.0.0.1", port)).await else { return };
                    near.set_nodelay(true).unwrap();
                    far.set_nodelay(true).unwrap();
                    let ((near_read, near_write), (far_read, far_write)) = (near.into_split(), far.into_split());
                    tokio::spawn(carry(near_read, far_write, way.subscribe()));
                    carry(far_read, near_write, way.subscribe()).await;
                });
            }
        });
        cable
    }

    pub(crate) fn set(&self, way: Way) {
        self.way.send_replace(way);
    }
}

async fn carry(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    mut way: watch::Receiver<Way>,
) {
    let mut piece = vec![0; 4096];
    while let Ok(len) = from.read(&mut piece).await {
        let now = *way.wait_for(|way| *way != Way::Cut).await.unwrap();
        if let Way::Slow(delay) = now {
            tokio::time::sleep(delay).await;
        }
        if len == 0 || to.write_all(&piece[..len]).await.is_err() {
            return;
        }
    }
}
