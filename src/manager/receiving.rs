//! Receiving messages.

use std::future::{Future, poll_fn};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::timeout;

use super::handle::Manager;
use crate::close::CloseFrame;
use crate::connection::{Inner, Waiter, Waiting};
use crate::error::{Error, ErrorKind};
use crate::message::Message;

/// Receiving.
impl Manager {
    /// Receives the next message, or `None` once the connection is closed.
    ///
    /// Messages are returned in order, each exactly once, to one caller. Pings and close frames are answered by the
    /// connection itself and are not returned.
    ///
    /// # Errors
    ///
    /// The reason why the connection failed, the same on every call.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing: the message is returned by the next call.
    #[doc(alias = "read_message")]
    #[doc(alias = "ReadMessage")]
    #[doc(alias = "ReadCh")]
    #[doc(alias = "next")]
    pub fn recv(&self) -> impl Future<Output = Result<Option<Message>, Error>> {
        // Not an `async fn`: messages would be moved through its state (`benches/echo.rs`).
        let mut waiter = Waiter::new(&self.shared.connection, Waiting::Reader);
        poll_fn(move |cx| waiter.poll(cx, Inner::poll_recv))
    }

    /// Receives the next message, or fails after `time`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::ReadTimeout`] when none arrives in time: nothing is lost and the connection stays usable.
    /// [`ErrorKind::Closed`] once the connection is closed.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    #[doc(alias = "SetReadDeadline")]
    pub async fn recv_timeout(&self, time: Duration) -> Result<Message, Error> {
        match timeout(time, self.recv()).await {
            Ok(Ok(Some(message))) => Ok(message),
            Ok(Ok(None)) => Err(self.closed_error()),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(Error::new(ErrorKind::ReadTimeout)),
        }
    }

    /// Receives the payload of the next message, text or binary, or fails after `time`.
    ///
    /// # Errors
    ///
    /// As for [`recv_timeout`](Self::recv_timeout).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    #[doc(alias = "ReadBinary")]
    pub async fn read_binary(&self, time: Duration) -> Result<Bytes, Error> {
        self.recv_timeout(time).await.map(Message::into_bytes)
    }

    /// Discards unread messages and those that arrive from now on, and returns when the connection ends: for handlers that
    /// only send.
    ///
    /// As reading continues, the peer's close frame and the end of the transport are noticed at once.
    ///
    /// ```
    /// use tower_websocket::{Error, Manager};
    ///
    /// async fn push(ws: &Manager) -> Result<(), Error> {
    ///     ws.send("news").await
    /// }
    ///
    /// async fn handler(ws: Manager) -> Result<(), Error> {
    ///     tokio::select! {
    ///         pushed = push(&ws) => pushed,
    ///         end = ws.ignore_incoming() => end.map(drop),
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// The reason why the connection failed, if it did not end with a close frame.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped, messages that arrive afterwards can be received again.
    pub async fn ignore_incoming(&self) -> Result<CloseFrame, Error> {
        struct Ignoring<'a>(&'a Inner);

        impl Drop for Ignoring<'_> {
            fn drop(&mut self) {
                self.0.set_ignoring(false);
            }
        }

        self.shared.connection.set_ignoring(true);
        let _ignoring = Ignoring(&self.shared.connection);
        self.done().await
    }

    fn closed_error(&self) -> Error {
        match self.end() {
            Some(Err(error)) => error,
            Some(Ok(frame)) => Error::ended_by(frame),
            None => Error::new(ErrorKind::Closed),
        }
    }
}
