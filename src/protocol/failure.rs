//! Why a connection fails, and the close frame for the peer (RFC 6455 §7.1.7).

use tokio_tungstenite::tungstenite::error::ProtocolError;

use crate::close::{CloseCode, CloseFrame};
use crate::error::{BoxError, Error, ErrorKind};

/// A reason to fail the connection.
#[derive(Debug)]
pub(crate) enum Failure {
    BudgetExceeded,
    Disconnected(Option<BoxError>),
    InvalidDeflate,
    InvalidText,
    KeepaliveTimeout,
    LifetimeExceeded,
    MessageTimeout,
    MessageTooBig,
    Protocol(ProtocolError),
    RateLimitExceeded,
    WriteTimeout,
}

impl Failure {
    /// The error that the connection's methods return.
    pub(crate) fn into_error(self) -> Error {
        match self {
            Self::BudgetExceeded => Error::new(ErrorKind::BudgetExceeded),
            Self::Disconnected(None) => Error::new(ErrorKind::Disconnected),
            Self::Disconnected(Some(source)) => Error::with_source(ErrorKind::Disconnected, source),
            Self::InvalidDeflate => Error::with_source(ErrorKind::Protocol, "compressed data is not valid"),
            Self::InvalidText => Error::with_source(ErrorKind::Protocol, "text is not UTF-8"),
            Self::KeepaliveTimeout => Error::new(ErrorKind::KeepaliveTimeout),
            Self::LifetimeExceeded => Error::new(ErrorKind::LifetimeExceeded),
            Self::MessageTimeout => Error::with_source(ErrorKind::ReadTimeout, "a message stayed unfinished"),
            Self::MessageTooBig => Error::new(ErrorKind::MessageTooBig),
            Self::Protocol(source) => Error::with_source(ErrorKind::Protocol, source),
            Self::RateLimitExceeded => Error::new(ErrorKind::RateLimitExceeded),
            Self::WriteTimeout => Error::new(ErrorKind::WriteTimeout),
        }
    }

    /// The close frame for the peer, or `None` if nothing can be sent to the peer any more.
    pub(crate) fn close_frame(&self) -> Option<CloseFrame> {
        let (code, reason) = match self {
            Self::BudgetExceeded => (CloseCode::TRY_AGAIN_LATER, "out of memory for messages"),
            Self::InvalidDeflate => (CloseCode::INVALID_PAYLOAD, "compressed data is not valid"),
            Self::InvalidText => (CloseCode::INVALID_PAYLOAD, "text is not UTF-8"),
            Self::LifetimeExceeded => (CloseCode::GOING_AWAY, "maximum lifetime reached"),
            Self::MessageTimeout => (CloseCode::POLICY_VIOLATION, "message took too long"),
            Self::MessageTooBig => (CloseCode::MESSAGE_TOO_BIG, "message is too big"),
            Self::Protocol(_) => (CloseCode::PROTOCOL_ERROR, "protocol error"),
            Self::RateLimitExceeded => (CloseCode::POLICY_VIOLATION, "too many messages or bytes per second"),
            Self::KeepaliveTimeout => (CloseCode::INTERNAL_ERROR, "keepalive timeout"),
            Self::Disconnected(_) | Self::WriteTimeout => return None,
        };
        Some(CloseFrame::new(code, reason))
    }
}
