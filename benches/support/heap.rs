//! How much memory an idle connection takes. A file of its own, as it brings an allocator that counts.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::time::sleep;

use crate::support::{self, Client};

/// Bytes on the heap for each idle connection that was opened with `headers` and on which `frames` were echoed.
///
/// The transport is not counted: a socket's buffers are the kernel's. What threads or runtimes keep is in place before.
pub(crate) fn idle_heap(serve: impl Fn(DuplexStream), headers: &str, frames: &[u8], replies: u64) -> i64 {
    let runtime = support::paused_runtime();
    let open = |connections: usize| {
        let mut pairs: Vec<_> = (0..connections).map(|_| runtime.block_on(used_memory())).collect();
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

/// A transport whose buffers have grown already: they are its own, and no part of the connection.
async fn used_memory() -> (DuplexStream, DuplexStream) {
    let (mut near, mut far) = support::memory();
    let mut bytes = vec![0; 8 * 1024];
    near.write_all(&bytes).await.expect("there is room");
    far.read_exact(&mut bytes).await.expect("it was written");
    far.write_all(&bytes).await.expect("there is room");
    near.read_exact(&mut bytes).await.expect("it was written");
    (near, far)
}

const CONNECTIONS: usize = 256;
