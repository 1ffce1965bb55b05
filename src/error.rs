//! The error type of the crate.

use std::fmt;
use std::io;
use std::sync::Arc;

use crate::error_chain::Causes;

/// Any error: handlers may return it.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What went wrong with a connection, an operation on it, or a setting.
///
/// Match on [`kind`](Self::kind); the cause, where there is one, is the [`source`](std::error::Error::source).
/// Cloning is cheap: every handle of an ended connection reports the same error.
///
/// `{error}` says what happened, and `{error:#}` what caused it too, in one line:
///
/// ```
/// use tower_websocket::OriginPolicy;
///
/// let error = OriginPolicy::list(["app.example.com"]).unwrap_err();
/// assert_eq!(format!("{error}"), "invalid setting");
/// assert!(format!("{error:#}").starts_with("invalid setting: \"app.example.com\" is not an origin"));
/// ```
///
/// ```
/// use tower_websocket::{Error, ErrorKind, Manager};
///
/// async fn count(ws: Manager) -> Result<u64, Error> {
///     let mut messages = 0;
///     loop {
///         match ws.recv().await {
///             Ok(Some(_)) => messages += 1,
///             Ok(None) => return Ok(messages), // closed by a close frame
///             Err(error) if error.kind() == ErrorKind::KeepaliveTimeout => return Ok(messages),
///             Err(error) => return Err(error),
///         }
///     }
/// }
/// ```
#[derive(Clone)]
pub struct Error {
    kind: ErrorKind,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

/// The kind of an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The deadline of a [`Shutdown`](crate::Shutdown) passed and the connection was dropped.
    Aborted,
    /// A memory budget shared by many operations was used up. If there was no memory for an incoming message, the connection
    /// ends (answered with 1013). If a method returns this, such as
    /// [`copy_text_lines`](crate::Manager::copy_text_lines) or [`Topic::publish`](crate::Topic::publish) with a broker, the
    /// connection stays usable.
    BudgetExceeded,
    /// The connection is closed; [`Error::close_frame`] has the frame that ended it.
    #[doc(alias = "ConnectionClosed")]
    #[doc(alias = "AlreadyClosed")]
    #[doc(alias = "ErrCloseSent")]
    Closed,
    /// The connection could not be opened: the transport or TLS failed, or the time was up.
    #[doc(alias = "Tls")]
    #[doc(alias = "TlsError")]
    Connect,
    /// A message was not what was asked for, such as JSON of another type. The connection stays usable.
    Decode,
    /// The transport ended without a closing handshake (what browsers report as 1006).
    #[doc(alias = "Io")]
    Disconnected,
    /// A value could not be serialised. The connection stays usable.
    Encode,
    /// The peer refused the opening handshake, or answered it wrongly.
    #[doc(alias = "SubProtocolError")]
    Handshake,
    /// A setting is not valid; nothing was changed.
    #[doc(alias = "UrlError")]
    InvalidSetting,
    /// Nothing arrived from the peer for the keepalive timeout (a close frame with 1011 is tried).
    KeepaliveTimeout,
    /// The connection reached the lifetime that its limits allow (answered with 1001).
    LifetimeExceeded,
    /// The peer's message is larger than the limit (answered with 1009).
    #[doc(alias = "Capacity")]
    #[doc(alias = "CapacityError")]
    #[doc(alias = "MessageTooLong")]
    #[doc(alias = "ErrReadLimit")]
    MessageTooBig,
    /// The peer broke the protocol (answered with 1002, or 1007 for text that is not UTF-8).
    #[doc(alias = "ProtocolError")]
    #[doc(alias = "Utf8")]
    Protocol,
    /// The peer sent more per second than its [`RateLimit`](crate::RateLimit) allows (answered with 1008).
    RateLimitExceeded,
    /// No message arrived within the caller's timeout: the connection stays usable. Or a message stayed incomplete for too
    /// long: the connection ends (answered with 1008).
    #[doc(alias = "ErrReadTimeout")]
    ReadTimeout,
    /// A `get` function or a source of bytes failed; [`source`](std::error::Error::source) is its error. The connection
    /// stays usable.
    Source,
    /// The peer did not accept the data in time. A part of it may have been sent, so the connection ends.
    #[doc(alias = "ErrWriteTimeout")]
    WriteTimeout,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind) -> Self {
        Self { kind, source: None }
    }

    pub(crate) fn with_source(kind: ErrorKind, source: impl Into<BoxError>) -> Self {
        Self { kind, source: Some(source.into().into()) }
    }

    /// What went wrong.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_tuple("Error");
        debug.field(&self.kind);
        if let Some(source) = &self.source {
            debug.field(source);
        }
        debug.finish()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.alternate() {
            return Causes(self).fmt(f);
        }
        f.write_str(match self.kind {
            ErrorKind::Aborted => "connection was dropped at the deadline of a shutdown",
            ErrorKind::BudgetExceeded => "memory budget used up",
            ErrorKind::Closed => "connection is closed",
            ErrorKind::Connect => "could not connect",
            ErrorKind::Decode => "could not decode message",
            ErrorKind::Disconnected => "connection ended without a closing handshake",
            ErrorKind::Encode => "could not encode value",
            ErrorKind::Handshake => "opening handshake failed",
            ErrorKind::InvalidSetting => "invalid setting",
            ErrorKind::KeepaliveTimeout => "peer was silent for longer than the keepalive timeout",
            ErrorKind::LifetimeExceeded => "connection reached its maximum lifetime",
            ErrorKind::MessageTooBig => "message is larger than the limit",
            ErrorKind::Protocol => "peer broke the protocol",
            ErrorKind::RateLimitExceeded => "peer sent more than its rate limit allows",
            ErrorKind::ReadTimeout => "no message arrived in time",
            ErrorKind::Source => "source of data failed",
            ErrorKind::WriteTimeout => "peer did not take the data in time",
        })
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// For code that reads and writes bytes. [`io::Error::downcast`] gives the error back.
///
/// ```
/// # use tower_websocket::{CloseCode, CloseFrame, Error, ErrorKind};
/// use std::io;
///
/// let closed = Error::from(CloseFrame::new(CloseCode::GOING_AWAY, "restarting"));
/// let error = io::Error::from(closed);
/// assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
/// assert_eq!(error.downcast::<Error>().unwrap().kind(), ErrorKind::Closed);
/// ```
impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        let kind = match error.kind {
            ErrorKind::BudgetExceeded => io::ErrorKind::OutOfMemory,
            ErrorKind::Closed => io::ErrorKind::BrokenPipe,
            ErrorKind::Connect | ErrorKind::Handshake | ErrorKind::Source => io::ErrorKind::Other,
            ErrorKind::Decode | ErrorKind::Encode | ErrorKind::MessageTooBig | ErrorKind::Protocol => {
                io::ErrorKind::InvalidData
            }
            ErrorKind::Disconnected => io::ErrorKind::ConnectionReset,
            ErrorKind::InvalidSetting => io::ErrorKind::InvalidInput,
            ErrorKind::Aborted | ErrorKind::LifetimeExceeded | ErrorKind::RateLimitExceeded => {
                io::ErrorKind::ConnectionAborted
            }
            ErrorKind::KeepaliveTimeout | ErrorKind::ReadTimeout | ErrorKind::WriteTimeout => io::ErrorKind::TimedOut,
        };
        Self::new(kind, error)
    }
}
