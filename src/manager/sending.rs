//! Sending messages.

use std::future::{Future, poll_fn};
use std::time::Duration;

use tokio::time::timeout;

use super::handle::Manager;
use crate::connection::{Waiter, Waiting};
use crate::error::{Error, ErrorKind};
use crate::message::Message;

/// Sending.
impl Manager {
    /// Sends a message: puts it into the outgoing buffer, and waits only while that is full.
    ///
    /// The connection's task writes the whole buffer before it next sleeps: messages that are sent together leave in one
    /// system call, and none waits for a timer.
    ///
    /// # Errors
    ///
    /// The reason why the connection has ended; [`ErrorKind::Closed`] after a close frame in either direction.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped before it is ready, the message was not sent.
    #[doc(alias = "write_message")]
    #[doc(alias = "feed")]
    #[doc(alias = "WriteMessage")]
    pub fn send(&self, message: impl Into<Message>) -> impl Future<Output = Result<(), Error>> {
        self.send_as(message.into(), true)
    }

    /// Sends a message without compressing it: for data that is secret, or compressed already.
    ///
    /// Otherwise the same as [`send`](Self::send).
    ///
    /// # Errors
    ///
    /// As for [`send`](Self::send).
    ///
    /// # Cancel safety
    ///
    /// As for [`send`](Self::send).
    #[doc(alias = "EnableWriteCompression")]
    pub fn send_uncompressed(&self, message: impl Into<Message>) -> impl Future<Output = Result<(), Error>> {
        self.send_as(message.into(), false)
    }

    /// Sends a message and waits until it is written: until the operating system has accepted all of it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::WriteTimeout`] when that takes longer than `time`; a part may be on the wire by then, so the
    /// connection ends.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped, the message may have been sent or not.
    #[doc(alias = "WriteData")]
    pub async fn write_data(&self, message: impl Into<Message>, time: Duration) -> Result<(), Error> {
        let written = async {
            let offset = self.queue(message.into(), true).await?;
            self.written(offset).await
        };
        timeout(time, written).await.unwrap_or_else(|_| {
            let error = Error::new(ErrorKind::WriteTimeout);
            self.shared.connection.fail(error.clone());
            Err(error)
        })
    }

    /// Waits until the operating system has accepted everything that was sent so far, by any clone.
    ///
    /// The peer may not have received it yet.
    ///
    /// # Errors
    ///
    /// The reason why the connection ended before that.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future has no effect.
    #[doc(alias = "write_pending")]
    pub async fn flush(&self) -> Result<(), Error> {
        self.written(self.shared.connection.bytes_queued()).await
    }

    fn send_as(&self, message: Message, compress: bool) -> impl Future<Output = Result<(), Error>> {
        let mut waiter = Waiter::new(&self.shared.connection, Waiting::Writer);
        let mut message = Some(message);
        poll_fn(move |cx| {
            let poll = waiter.poll(cx, |connection, key, cx| connection.poll_send(&mut message, compress, key, cx));
            poll.map_ok(drop)
        })
    }

    /// Sends a message, and returns the offset of its end, for [`written`](Self::written).
    async fn queue(&self, message: Message, compress: bool) -> Result<u64, Error> {
        let mut waiter = Waiter::new(&self.shared.connection, Waiting::Writer);
        let mut message = Some(message);
        poll_fn(|cx| waiter.poll(cx, |connection, key, cx| connection.poll_send(&mut message, compress, key, cx))).await
    }

    /// Waits until everything up to this offset is written.
    async fn written(&self, offset: u64) -> Result<(), Error> {
        let mut waiter = Waiter::new(&self.shared.connection, Waiting::Writer);
        poll_fn(|cx| waiter.poll(cx, |connection, key, cx| connection.poll_written(offset, key, cx))).await
    }
}
