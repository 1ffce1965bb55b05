//! The payloads of incoming messages as one stream of bytes.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncBufRead, AsyncRead, ReadBuf};

use crate::manager::Manager;

impl Manager {
    /// Reads the payloads of incoming messages, text and binary, as one stream of bytes.
    ///
    /// A read may return a part of a message; the next read returns the rest. Empty messages are skipped. The stream ends
    /// when the connection is closed with any close code; [`done`](Self::done) returns it.
    ///
    /// ```
    /// # use tower_websocket::{Upgrader, testing};
    /// use tokio::io::AsyncReadExt;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (client, ws) = testing::pair(Upgrader::new());
    /// # tokio::spawn(async move {
    /// client.send("mess").await?;
    /// client.send("ages").await?;
    /// client.close().await?;
    /// # Ok::<_, tower_websocket::Error>(())
    /// # });
    /// let mut all = String::new();
    /// ws.reader().read_to_string(&mut all).await?;
    /// assert_eq!(all, "messages");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// [`tokio::io::copy`] works in both directions; [`tokio::io::copy_buf`] into a [`writer`](Self::writer) keeps the
    /// boundaries of messages of up to 64 KiB:
    ///
    /// ```
    /// # use std::io;
    /// # use tower_websocket::{Manager, MessageKind};
    /// async fn echo(ws: Manager) -> io::Result<()> {
    ///     tokio::io::copy_buf(&mut ws.reader(), &mut ws.writer(MessageKind::Binary)).await?;
    ///     Ok(())
    /// }
    /// ```
    #[doc(alias = "NewReader")]
    #[doc(alias = "NextReader")]
    #[must_use]
    pub fn reader(&self) -> Reader {
        Reader { ws: self.clone(), rest: Bytes::new() }
    }
}

/// Reads the payloads of incoming messages; made by [`Manager::reader`].
///
/// Each message goes to one reader or to one caller of [`recv`](Manager::recv). If a reader is dropped in the middle of a
/// message, the rest of that message is lost.
///
/// # Errors
///
/// The reason why the connection failed, the same on every read, as an [`io::Error`] with the crate's
/// [`Error`](crate::Error) inside:
///
/// | [`ErrorKind`](crate::ErrorKind) | [`io::ErrorKind`] |
/// | --- | --- |
/// | `Disconnected` | `ConnectionReset` |
/// | `KeepaliveTimeout`, `ReadTimeout`, `WriteTimeout` | `TimedOut` |
/// | `MessageTooBig`, `Protocol` | `InvalidData` |
/// | `LifetimeExceeded`, `RateLimitExceeded` | `ConnectionAborted` |
/// | `BudgetExceeded` | `OutOfMemory` |
///
/// # Cancel safety
///
/// `read` is cancel-safe. `read_exact` is not, as for every [`AsyncRead`].
///
/// # Memory
///
/// At most one message, in the buffer it was received in.
#[doc(alias = "JoinMessages")]
pub struct Reader {
    ws: Manager,
    rest: Bytes,
}

impl AsyncRead for Reader {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if buf.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        let unread = ready!(self.as_mut().poll_fill_buf(cx))?;
        let len = unread.len().min(buf.remaining());
        buf.put_slice(&unread[..len]);
        self.consume(len);
        Poll::Ready(Ok(()))
    }
}

impl AsyncBufRead for Reader {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let Self { ws, rest } = self.get_mut();
        // An empty message is not the end.
        while rest.is_empty() {
            match ready!(ws.poll_recv(cx))? {
                Some(message) => *rest = message.into_bytes(),
                None => break,
            }
        }
        Poll::Ready(Ok(rest))
    }

    fn consume(mut self: Pin<&mut Self>, len: usize) {
        self.rest.advance(len);
        if self.rest.is_empty() {
            // An empty slice would keep the message's memory until the next message arrives.
            self.rest = Bytes::new();
        }
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("ws", &self.ws).field("unread", &self.rest.len()).finish()
    }
}
