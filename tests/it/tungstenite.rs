//! What the README says of tungstenite's `WebSocketStream`: why it is not the engine.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Message, protocol::Role};

/// Receives one frame byte by byte, and remembers with which memory it was called.
struct Probe {
    unread: Bytes,
    filled_with_zeros: Vec<usize>,
    written_from: Vec<usize>,
}

impl AsyncRead for Probe {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let is_zeroed = buf.initialized().len() == buf.capacity() && buf.initialized().iter().all(|byte| *byte == 0);
        self.filled_with_zeros.push(if is_zeroed { buf.capacity() } else { 0 });
        let count = self.unread.len().min(1);
        let next = self.unread.split_to(count);
        buf.put_slice(&next);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Probe {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.written_from.extend(buf.as_ptr_range().start.addr()..buf.as_ptr_range().end.addr());
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn it_copies_what_it_sends_and_fills_what_it_reads_into_with_zeros() {
    let probe = Probe {
        unread: Bytes::from_static(b"\x82\x83\0\0\0\0abc"),
        filled_with_zeros: Vec::new(),
        written_from: Vec::new(),
    };
    let mut ws = WebSocketStream::from_raw_socket(probe, Role::Server, None).await;
    assert_eq!(ws.next().await.unwrap().unwrap(), Message::binary(&b"abc"[..]));
    let zeros = &ws.get_ref().filled_with_zeros;
    assert_eq!(zeros.len(), 9, "a byte at a time");
    assert!(zeros.iter().all(|zeros| *zeros > 100_000), "filled anew for each read: {zeros:?}");

    let payload = Bytes::from(vec![1; 300_000]);
    ws.send(Message::Binary(payload.clone())).await.unwrap();
    let written_from = &ws.get_ref().written_from;
    assert!(written_from.len() > payload.len());
    assert!(!written_from.contains(&payload.as_ptr().addr()), "the payload is written from where it is");
}
