//! JSON messages, with and without timeouts.

use std::future::Future;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Error;
use crate::manager::Manager;
use crate::message::Message;

#[cfg_attr(docsrs, doc(cfg(feature = "json")))]
impl Manager {
    /// Receives the next message, text or binary, and parses it as JSON; `None` once the connection is closed.
    ///
    /// For types that borrow from the message, use [`recv`](Self::recv) and [`Message::parse`].
    ///
    /// ```
    /// # use tower_websocket::{Error, Manager};
    /// async fn double(ws: Manager) -> Result<(), Error> {
    ///     while let Some(number) = ws.recv_json::<i64>().await? {
    ///         ws.send_json(&(number * 2)).await?;
    ///     }
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::Decode`](crate::ErrorKind::Decode) when the message is not JSON, or not of this type. The message
    ///   is gone; the connection stays usable.
    /// - The reason why the connection failed.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    pub async fn recv_json<T: DeserializeOwned>(&self) -> Result<Option<T>, Error> {
        self.recv().await?.map(|message| message.parse()).transpose()
    }

    /// Sends a value as JSON in a text message, as [`send`](Self::send) does: it waits only while the outgoing buffer is
    /// full.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::Encode`](crate::ErrorKind::Encode) when the value cannot be serialised. Nothing was sent; the
    ///   connection stays usable.
    /// - As for [`send`](Self::send).
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped before it is ready, the message was not sent.
    #[doc(alias = "WriteJSON")]
    pub fn send_json<T: Serialize + ?Sized>(&self, value: &T) -> impl Future<Output = Result<(), Error>> + use<'_, T> {
        let message = Message::json(value);
        async move { self.send(message?).await }
    }

    /// Receives the next message, text or binary, within `time`, and parses it as JSON.
    ///
    /// ```no_run
    /// # use tower_websocket::{Error, ErrorKind, Manager};
    /// use std::time::Duration;
    ///
    /// #[derive(serde::Deserialize)]
    /// struct Call {
    ///     method: String,
    /// }
    ///
    /// async fn rpc(ws: Manager) -> Result<(), Error> {
    ///     loop {
    ///         match ws.read_json::<Call>(Duration::from_secs(10)).await {
    ///             Ok(call) => ws.write_json(&call.method, Duration::from_secs(2)).await?,
    ///             // `?` would close the connection of an idle client with 1011.
    ///             Err(error) if error.kind() == ErrorKind::ReadTimeout => {}
    ///             Err(error) => return Err(error),
    ///         }
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::ReadTimeout`](crate::ErrorKind::ReadTimeout) when no message arrives in time. Nothing is lost and
    ///   the connection stays usable.
    /// - [`ErrorKind::Decode`](crate::ErrorKind::Decode) when the message is not JSON, or not of this type. The message
    ///   is gone; the connection stays usable.
    /// - [`ErrorKind::Closed`](crate::ErrorKind::Closed) once the connection is closed, or the reason why it failed.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    #[doc(alias = "ReadJSON")]
    pub async fn read_json<T: DeserializeOwned>(&self, time: Duration) -> Result<T, Error> {
        self.recv_timeout(time).await?.parse()
    }

    /// Sends a value as JSON in a text message, and waits until the operating system has accepted it.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::Encode`](crate::ErrorKind::Encode) when the value cannot be serialised. Nothing was sent; the
    ///   connection stays usable.
    /// - [`ErrorKind::WriteTimeout`](crate::ErrorKind::WriteTimeout) when that takes longer than `time`. The connection
    ///   ends.
    /// - [`ErrorKind::Closed`](crate::ErrorKind::Closed) once the connection is closed, or the reason why it failed.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped, the message may have been sent or not.
    #[doc(alias = "WriteJSON")]
    pub async fn write_json<T: Serialize + ?Sized>(&self, value: &T, time: Duration) -> Result<(), Error> {
        self.write_data(Message::json(value)?, time).await
    }
}
