//! Sending without waiting.

use std::fmt;

use super::handle::Manager;
use crate::error::{Error, ErrorKind};
use crate::message::Message;

impl Manager {
    /// Sends a message if the outgoing buffer has capacity for it now.
    ///
    /// ```
    /// use tower_websocket::{Error, Manager};
    ///
    /// /// Sends the newest price, or skips it if the peer is slow.
    /// fn offer(ws: &Manager, price: &str) -> Result<bool, Error> {
    ///     match ws.try_send(price) {
    ///         Ok(()) => Ok(true),
    ///         Err(error) if error.is_full() => Ok(false),
    ///         Err(error) => Err(error.into()),
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// The message, with the reason: the buffer is full
    /// ([`Limits::max_write_buffer_size`](crate::Limits::max_write_buffer_size)), or the connection has ended.
    /// [`TrySendError::into_message`] returns the message.
    #[doc(alias = "now_or_never")]
    pub fn try_send(&self, message: impl Into<Message>) -> Result<(), TrySendError> {
        self.connection().try_queue(message.into(), true).map_err(|(message, error)| TrySendError { message, error })
    }
}

/// A message that [`Manager::try_send`] has not sent.
#[doc(alias = "WriteBufferFull")]
#[derive(Clone, Debug)]
pub struct TrySendError {
    message: Message,
    /// `None` if the buffer is full.
    error: Option<Error>,
}

impl TrySendError {
    /// Whether the outgoing buffer is full. If not, the connection has ended.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.error.is_none()
    }

    /// The message.
    #[must_use]
    pub fn into_message(self) -> Message {
        self.message
    }
}

/// The error that [`Manager::send`] would return if the connection has ended; [`ErrorKind::WriteTimeout`] if the buffer is
/// full.
impl From<TrySendError> for Error {
    fn from(error: TrySendError) -> Self {
        error.error.unwrap_or_else(|| Self::with_source(ErrorKind::WriteTimeout, FULL))
    }
}

impl fmt::Display for TrySendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.error {
            Some(error) => error.fmt(f),
            None => f.write_str(FULL),
        }
    }
}

impl std::error::Error for TrySendError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.error.as_ref().and_then(std::error::Error::source)
    }
}

const FULL: &str = "the outgoing buffer is full";
