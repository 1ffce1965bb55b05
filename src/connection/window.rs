//! The transport as tungstenite sees it: frame headers and control frames, in memory.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::frame::Header;

/// What tungstenite is shown, and what it writes.
#[derive(Debug, Default)]
pub(super) struct Window {
    shown: Vec<u8>,
    replies: Vec<u8>,
}

impl Window {
    /// Whether tungstenite has seen all that was shown.
    pub(super) fn is_empty(&self) -> bool {
        self.shown.is_empty()
    }

    /// Shows a header whose payload is dealt with elsewhere.
    pub(super) fn show(&mut self, header: Header) {
        header.write(&mut self.shown);
    }

    /// Shows a whole control frame.
    pub(super) fn show_control(&mut self, frame: &[u8]) {
        self.shown.extend_from_slice(frame);
    }

    /// Gives memory back that is not needed for long.
    pub(super) fn park(&mut self) {
        if self.shown.is_empty() {
            self.shown = Vec::new();
        }
    }

    /// The pings and pongs that were written and not taken.
    pub(super) fn replies(&mut self) -> &mut Vec<u8> {
        &mut self.replies
    }
}

impl AsyncRead for Window {
    /// Registers no waker: the connection's task asks again after each read.
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.shown.is_empty() {
            return Poll::Pending;
        }
        let len = self.shown.len().min(buf.remaining());
        buf.put_slice(&self.shown[..len]);
        self.shown.drain(..len);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Window {
    /// Takes a control frame; tungstenite writes each by itself.
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, frame: &[u8]) -> Poll<io::Result<usize>> {
        // RFC 6455 §5.5.3 lets us answer the latest ping alone: do so where a peer sends them without reading.
        if self.replies.len() + frame.len() > MAX_REPLIES {
            self.replies.clear();
        }
        self.replies.extend_from_slice(frame);
        Poll::Ready(Ok(frame.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Pings and pongs that may wait to be written, in bytes.
const MAX_REPLIES: usize = 4 * 1024;

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    #[tokio::test]
    async fn only_the_latest_pongs_wait() {
        let mut window = Window::default();
        for number in 0..=255 {
            let pong: Vec<u8> = [0x8a, 100].into_iter().chain([number; 100]).collect();
            window.write_all(&pong).await.unwrap();
            assert!((1..=MAX_REPLIES).contains(&window.replies.len()));
        }
        assert!(window.replies.ends_with(&[255; 100]));
    }
}
