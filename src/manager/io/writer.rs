//! A stream of bytes as outgoing messages.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::io::AsyncWrite;

use super::utf8::Utf8Tail;
use crate::manager::Manager;
use crate::message::{Message, MessageKind};

impl Manager {
    /// Sends bytes as messages of one kind: each write is one message, of at most 64 KiB.
    ///
    /// Of a longer write only a part is accepted, as [`AsyncWrite`] allows; `write_all` then sends several messages. An
    /// empty write sends nothing.
    ///
    /// Text may be split anywhere: if a write ends within a character, the incomplete character (at most 3 bytes) is sent
    /// with the next write.
    ///
    /// ```
    /// # use tower_websocket::{Message, MessageKind, Upgrader, testing};
    /// use tokio::io::AsyncWriteExt;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (client, ws) = testing::pair(Upgrader::new());
    /// let mut writer = ws.writer(MessageKind::Text);
    /// let (left, right) = "grün".as_bytes().split_at(3);
    /// writer.write_all(left).await?;
    /// writer.write_all(right).await?;
    /// assert_eq!(client.recv().await?, Some(Message::text("gr")));
    /// assert_eq!(client.recv().await?, Some(Message::text("ün")));
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "NewWriter")]
    #[doc(alias = "NextWriter")]
    #[must_use]
    pub fn writer(&self, kind: MessageKind) -> Writer {
        Writer { ws: self.clone(), kind, tail: Utf8Tail::default(), write_offset: 0 }
    }
}

/// Sends what is written as messages; made by [`Manager::writer`].
///
/// - A write returns when its message is in the outgoing buffer, and waits while that is full
///   ([`Limits::max_write_buffer_size`](crate::Limits::max_write_buffer_size)). As with [`Manager::send`], no flush is
///   needed.
/// - A flush waits until the operating system has accepted everything that this writer has sent. An incomplete character is
///   not sent.
/// - A shutdown is a flush. It does **not** close the WebSocket, as other handles may still use it: use [`Manager::close`].
///
/// # Errors
///
/// - [`io::ErrorKind::InvalidData`] for bytes that are not UTF-8 in a writer of text (nothing of the write is sent), and
///   for a shutdown within a character. The connection stays usable.
/// - [`io::ErrorKind::BrokenPipe`] once the connection is closed, or the reason why it failed; the crate's
///   [`Error`](crate::Error) is inside.
///
/// # Cancel safety
///
/// If the future of a `write` is dropped before it is ready, nothing was sent. How much a dropped `write_all` has sent is
/// unknown, as for every [`AsyncWrite`].
#[derive(Debug)]
pub struct Writer {
    ws: Manager,
    kind: MessageKind,
    tail: Utf8Tail,
    /// The offset of the end of this writer's last message, for `poll_written`.
    write_offset: u64,
}

impl AsyncWrite for Writer {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.ws.poll_capacity(cx))?;
        let chunk = &buf[..buf.len().min(MAX_WRITE)];
        let message = match this.kind {
            MessageKind::Binary => Message::Binary(Bytes::copy_from_slice(chunk)),
            MessageKind::Text => this.tail.join(chunk)?.into(),
        };
        if !message.is_empty() {
            this.write_offset = this.ws.start_send(message)?;
        }
        Poll::Ready(Ok(chunk.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { ws, write_offset, .. } = self.get_mut();
        ws.poll_written(*write_offset, cx).map_err(Into::into)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.as_mut().poll_flush(cx))?;
        Poll::Ready(self.tail.finish().map_err(Into::into))
    }
}

/// The maximum number of bytes that one write accepts.
const MAX_WRITE: usize = 64 * 1024;
