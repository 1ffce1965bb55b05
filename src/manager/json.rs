//! JSON messages, with timeouts.

use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, ErrorKind};
use crate::manager::Manager;
use crate::message::Message;

impl Manager {
    /// Receives the next message, text or binary, and reads it as JSON.
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
    ///             // A `?` here would close the connection of a client that is idle, with 1011.
    ///             Err(error) if error.kind() == ErrorKind::ReadTimeout => {}
    ///             Err(error) => return Err(error),
    ///         }
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::ReadTimeout`] when no message arrives in time. Nothing is lost and the connection stays usable.
    /// - [`ErrorKind::Decode`] when the message is not JSON, or not of this type. The message is gone; the connection
    ///   stays usable.
    /// - [`ErrorKind::Closed`] once the connection is closed, or the reason why it failed.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    pub async fn read_json<T: DeserializeOwned>(&self, time: Duration) -> Result<T, Error> {
        let message = self.recv_timeout(time).await?;
        serde_json::from_slice(message.as_bytes()).map_err(|error| Error::with_source(ErrorKind::Decode, error))
    }

    /// Receives the payload of the next message, text or binary.
    ///
    /// # Errors
    ///
    /// As for [`read_json`](Self::read_json), without [`ErrorKind::Decode`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    pub async fn read_binary(&self, time: Duration) -> Result<Bytes, Error> {
        self.recv_timeout(time).await.map(Message::into_bytes)
    }

    /// Sends a value as JSON in a text message, and waits until the operating system has taken it.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::Encode`] when the value cannot be serialised. Nothing was sent; the connection stays usable.
    /// - [`ErrorKind::WriteTimeout`] when that takes longer than `time`. The connection ends.
    /// - [`ErrorKind::Closed`] once the connection is closed, or the reason why it failed.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped, the message may have been sent or not.
    pub async fn write_json<T: Serialize + ?Sized>(&self, value: &T, time: Duration) -> Result<(), Error> {
        self.write_data(encode(value)?, time).await
    }
}

/// A value as a text message.
pub(crate) fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Message, Error> {
    let json = serde_json::to_string(value).map_err(|error| Error::with_source(ErrorKind::Encode, error))?;
    Ok(Message::from(json))
}
