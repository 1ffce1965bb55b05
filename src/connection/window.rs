//! The transport as tungstenite sees it: frame headers and control frames, in memory.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::frame::Header;
use super::replies::{ReceivedCode, Replies};

/// What tungstenite is shown, and what it writes.
#[derive(Debug, Default)]
pub(super) struct Window {
    shown: Vec<u8>,
    /// Nothing more will be shown.
    ended: bool,
    close_code: ReceivedCode,
    pub(super) replies: Replies,
}

impl Window {
    /// Whether tungstenite has seen all that was shown.
    pub(super) fn is_empty(&self) -> bool {
        self.shown.is_empty()
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    pub(super) fn end(&mut self) {
        self.ended = true;
    }

    /// Shows a header whose payload is dealt with elsewhere.
    pub(super) fn show(&mut self, header: Header) {
        header.write(&mut self.shown);
    }

    /// Shows a whole control frame.
    pub(super) fn show_control(&mut self, frame: &[u8]) {
        self.shown.extend_from_slice(frame);
    }

    /// Shows a whole close frame.
    pub(super) fn show_close(&mut self, frame: &[u8]) {
        self.shown.extend_from_slice(frame);
        let close_code = ReceivedCode::pass(&mut self.shown);
        // The first one counts.
        if self.close_code == ReceivedCode::Other {
            self.close_code = close_code;
        }
    }

    /// What tungstenite does not tell of the close frame that it was shown.
    pub(super) fn close_code(&self) -> ReceivedCode {
        self.close_code
    }
}

impl AsyncRead for Window {
    /// Registers no waker: the connection's task asks again after each read.
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.shown.is_empty() {
            return if self.ended { Poll::Ready(Ok(())) } else { Poll::Pending };
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
        let close_code = self.close_code;
        self.replies.push(frame, close_code);
        Poll::Ready(Ok(frame.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
