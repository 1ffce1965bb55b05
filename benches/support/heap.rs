//! How much memory an idle connection takes. A file of its own, as it brings an allocator that counts.

use std::time::Duration;

use tokio::io::DuplexStream;
use tokio::time::sleep;

use crate::support::{self, Client};

/// Bytes on the heap for each idle connection that was opened with `headers` and on which `frames` were echoed.
///
/// The transport is not counted: a socket's buffers are the kernel's. What threads or runtimes keep is in place before.
pub(crate) fn idle_heap(serve: impl Fn(DuplexStream), headers: &str, frames: &[u8], replies: u64) -> i64 {
    let runtime = support::paused_runtime();
    let open = |connections: usize| {
        let mut pairs: Vec<_> = (0..connections).map(|_| support::memory()).collect();
        let mut clients = Vec::with_capacity(connections);
        let info = allocation_counter::measure(|| {
            runtime.block_on(async {
                for (near, far) in pairs.drain(..) {
                    serve(far);
                    let mut client = Client::open_with(near, headers).await;
                    client.exchange(frames, replies).await;
                    clients.push(client.into_io());
                }
                // The clock jumps only when nobody has anything left to do.
                sleep(Duration::from_millis(1)).await;
            });
        });
        (info.bytes_current, clients)
    };
    let (_, warm) = open(8);
    let (bytes, clients) = open(CONNECTIONS);
    drop((warm, clients));
    bytes / CONNECTIONS as i64
}

const CONNECTIONS: usize = 256;
