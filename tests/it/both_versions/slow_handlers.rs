//! Handlers that receive late: that is not the peer's fault.

use tokio::time::{Instant, sleep};
use tower_websocket::Limits;

use super::support::{binary, close, open, quiet, secs};

/// A message stands in the middle when reading stops, and all of it was sent.
#[tokio::test(start_paused = true)]
async fn a_message_that_cannot_be_read_to_its_end_does_not_time_out() {
    for size in [1000, 10_000, 60_000, 200_000] {
        let limits = Limits::default().message_time(secs(5));
        let (ws, mut peer) = open(quiet().limits(limits)).await;
        let count = 2_000_000 / size;
        let sending = tokio::spawn(async move {
            for _ in 0..count {
                peer.send(binary(vec![7; size])).await;
            }
            peer.send(close(1000, "")).await;
            peer
        });
        let start = Instant::now();
        for _ in 0..count {
            if start.elapsed() < secs(40) {
                sleep(secs(12)).await;
            }
            assert_eq!(ws.recv().await.unwrap().map(|message| message.len()), Some(size), "{size}");
        }
        assert_eq!(ws.recv().await.unwrap(), None);
        sending.await.unwrap();
    }
}
