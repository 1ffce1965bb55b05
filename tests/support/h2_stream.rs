//! A stream of HTTP/2 as a stream of bytes.

use std::future::poll_fn;

use bytes::Bytes;
use h2::{RecvStream, SendStream};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf, split};

/// Copies between a stream of HTTP/2 and one in memory, in both directions, each to its end.
pub(crate) fn join(peer: DuplexStream, send: SendStream<Bytes>, receive: RecvStream) {
    let (sent, received) = split(peer);
    tokio::spawn(pass_out(sent, send));
    tokio::spawn(pass_in(receive, received));
}

/// What the peer sends, to its end.
async fn pass_out(mut sent: ReadHalf<DuplexStream>, mut stream: SendStream<Bytes>) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(len @ 1..) = sent.read(&mut buffer).await {
        let mut rest = &buffer[..len];
        while !rest.is_empty() {
            stream.reserve_capacity(rest.len());
            let Some(Ok(room)) = poll_fn(|cx| stream.poll_capacity(cx)).await else { return };
            let (now, later) = rest.split_at(room.min(rest.len()));
            if stream.send_data(Bytes::copy_from_slice(now), false).is_err() {
                return;
            }
            rest = later;
        }
    }
    // The stream may be over.
    let _ = stream.send_data(Bytes::new(), true);
}

/// What the peer receives, to its end. What it does not read holds the server up. A reset is no end: it cuts the peer off
/// in the middle of a frame.
async fn pass_in(mut stream: RecvStream, mut received: WriteHalf<DuplexStream>) {
    while let Some(data) = stream.data().await {
        let Ok(data) = data else {
            // The peer may be gone.
            let _ = received.write_all(b"\xffreset").await;
            break;
        };
        if received.write_all(&data).await.is_err() || stream.flow_control().release_capacity(data.len()).is_err() {
            return;
        }
    }
    let _ = received.shutdown().await;
}
