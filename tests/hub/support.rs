//! Members in memory.

use std::time::Duration;

use futures_util::FutureExt;
use tower_websocket::{Keepalive, Manager, Upgrader, testing};

/// A client and the server's handle to it.
pub(crate) fn pair() -> (Manager, Manager) {
    testing::pair(Upgrader::new().keepalive(Keepalive::disabled()))
}

/// As [`pair`], without compression.
pub(crate) fn plain_pair() -> (Manager, Manager) {
    testing::pair(Upgrader::new().keepalive(Keepalive::disabled()).without_compression())
}

/// Lets all other tasks do what they can do now.
pub(crate) async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

/// All texts that have arrived.
pub(crate) fn received(client: &Manager) -> Vec<String> {
    let next = || client.recv().now_or_never()?.unwrap();
    std::iter::from_fn(next).map(|message| message.as_text().unwrap().to_owned()).collect()
}
