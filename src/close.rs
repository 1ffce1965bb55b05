//! Close codes and the frame that carries them (RFC 6455 §7.4).

use std::fmt;

use crate::error::{Error, ErrorKind};
use crate::text::Text;

/// Why a WebSocket was closed, as a number (RFC 6455 §7.4 and its IANA registry).
///
/// ```
/// use tower_websocket::CloseCode;
///
/// assert_eq!(CloseCode::GOING_AWAY.get(), 1001);
/// assert!(CloseCode::new(4000).is_some_and(|code| code.is_sendable()));
/// assert!(CloseCode::new(999).is_none());
///
/// // A code of the application, from 4000 to 4999. A number that is not valid does not compile.
/// const SIGNED_OUT: CloseCode = CloseCode::new(4001).unwrap();
/// assert_eq!(SIGNED_OUT.get(), 4001);
/// ```
#[doc(alias = "close_code")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CloseCode(u16);

impl CloseCode {
    /// 1000: the purpose of the connection is fulfilled.
    #[doc(alias = "CloseNormalClosure")]
    pub const NORMAL: Self = Self(1000);
    /// 1001: the server goes down, or the browser leaves the page.
    #[doc(alias = "AWAY")]
    #[doc(alias = "CloseGoingAway")]
    pub const GOING_AWAY: Self = Self(1001);
    /// 1002: the peer broke the protocol.
    #[doc(alias = "PROTOCOL")]
    #[doc(alias = "CloseProtocolError")]
    pub const PROTOCOL_ERROR: Self = Self(1002);
    /// 1003: a kind of data that this endpoint does not accept.
    #[doc(alias = "UNSUPPORTED")]
    #[doc(alias = "CloseUnsupportedData")]
    pub const UNSUPPORTED_DATA: Self = Self(1003);
    /// 1005: the peer's close frame carried no code. Never sent.
    #[doc(alias = "STATUS")]
    #[doc(alias = "CloseNoStatusReceived")]
    pub const NO_STATUS: Self = Self(1005);
    /// 1006: the connection ended without a close frame. Never sent.
    #[doc(alias = "CloseAbnormalClosure")]
    pub const ABNORMAL: Self = Self(1006);
    /// 1007: data that does not fit its message's type, such as text that is not UTF-8.
    #[doc(alias = "INVALID")]
    #[doc(alias = "CloseInvalidFramePayloadData")]
    pub const INVALID_PAYLOAD: Self = Self(1007);
    /// 1008: a message that this endpoint's policy forbids.
    #[doc(alias = "POLICY")]
    #[doc(alias = "ClosePolicyViolation")]
    pub const POLICY_VIOLATION: Self = Self(1008);
    /// 1009: a message that is too large.
    #[doc(alias = "SIZE")]
    #[doc(alias = "CloseMessageTooBig")]
    pub const MESSAGE_TOO_BIG: Self = Self(1009);
    /// 1010: the client wanted an extension that the server did not accept.
    #[doc(alias = "EXTENSION")]
    #[doc(alias = "CloseMandatoryExtension")]
    pub const EXTENSION_REQUIRED: Self = Self(1010);
    /// 1011: an unexpected condition at this endpoint.
    #[doc(alias = "ERROR")]
    #[doc(alias = "CloseInternalServerErr")]
    pub const INTERNAL_ERROR: Self = Self(1011);
    /// 1012: the service restarts; reconnect after a random delay.
    #[doc(alias = "RESTART")]
    #[doc(alias = "CloseServiceRestart")]
    pub const SERVICE_RESTART: Self = Self(1012);
    /// 1013: the service is overloaded; try again later.
    #[doc(alias = "AGAIN")]
    #[doc(alias = "CloseTryAgainLater")]
    pub const TRY_AGAIN_LATER: Self = Self(1013);
    /// 1014: a gateway got an invalid response from its upstream server.
    pub const BAD_GATEWAY: Self = Self(1014);
    /// 1015: the TLS handshake failed. Never sent.
    #[doc(alias = "CloseTLSHandshake")]
    pub const TLS_HANDSHAKE: Self = Self(1015);

    /// Any code from 1000 to 4999, or `None` outside of that range.
    #[must_use]
    pub const fn new(code: u16) -> Option<Self> {
        match code {
            1000..=4999 => Some(Self(code)),
            _ => None,
        }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }

    /// Whether a close frame may carry this code: 1000–1014 without 1004–1006, and 3000–4999.
    #[must_use]
    pub const fn is_sendable(self) -> bool {
        matches!(self.0, 1000..=1003 | 1007..=1014 | 3000..=4999)
    }
}

/// As [`CloseCode::new`]. Outside of 1000 to 4999, the error's kind is [`ErrorKind::InvalidSetting`].
///
/// ```
/// use tower_websocket::CloseCode;
///
/// assert_eq!(CloseCode::try_from(1001)?, CloseCode::GOING_AWAY);
/// assert!(CloseCode::try_from(999).is_err());
/// assert_eq!(u16::from(CloseCode::GOING_AWAY), 1001);
/// # Ok::<(), tower_websocket::Error>(())
/// ```
impl TryFrom<u16> for CloseCode {
    type Error = Error;

    fn try_from(code: u16) -> Result<Self, Error> {
        let reason = || format!("a close code is 1000 to 4999, not {code}");
        Self::new(code).ok_or_else(|| Error::with_source(ErrorKind::InvalidSetting, reason()))
    }
}

impl From<CloseCode> for u16 {
    fn from(code: CloseCode) -> Self {
        code.get()
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A close code with its reason: what a close frame says.
///
/// It is an error too, so that a handler can end with a code of its choice; [`HandlerOutput`](crate::HandlerOutput) says
/// when it is sent.
///
/// ```
/// use tower_websocket::{CloseCode, CloseFrame, Error, Manager};
///
/// async fn handler(ws: Manager) -> Result<(), Error> {
///     if ws.subprotocol().is_none() {
///         return Err(CloseFrame::new(CloseCode::POLICY_VIOLATION, "name a subprotocol").into());
///     }
///     Ok(())
/// }
/// ```
#[derive(Clone)]
pub struct CloseFrame {
    code: CloseCode,
    reason: String,
    /// It was received from a peer, and was not converted into an [`Error`] by a handler.
    is_received: bool,
}

impl CloseFrame {
    /// A code and a reason.
    ///
    /// A code that may not be sent becomes 1011. A control frame can carry 123 bytes of reason (RFC 6455 §5.5), so a longer
    /// one is cut at the last whole character.
    ///
    /// ```
    /// use tower_websocket::{CloseCode, CloseFrame};
    ///
    /// let room = String::from("lobby");
    /// let frame = CloseFrame::new(CloseCode::GOING_AWAY, &format!("{room} is closed"));
    /// assert_eq!(frame.reason(), "lobby is closed");
    /// assert_eq!(CloseFrame::new(CloseCode::GOING_AWAY, &room).reason(), room);
    /// ```
    #[doc(alias = "FormatCloseMessage")]
    #[must_use]
    pub fn new(code: CloseCode, reason: impl Into<Text>) -> Self {
        let code = if code.is_sendable() { code } else { CloseCode::INTERNAL_ERROR };
        let reason = reason.into();
        let end = (0..=reason.len().min(MAX_REASON)).rfind(|&end| reason.is_char_boundary(end)).unwrap_or(0);
        Self { code, reason: reason[..end].to_owned(), is_received: false }
    }

    /// A frame without a code, which the peer sees as 1005.
    ///
    /// A browser's `close()` sends such a frame. A proxy forwards a frame without a code as one without a code.
    #[must_use]
    pub const fn without_code() -> Self {
        Self { code: CloseCode::NO_STATUS, reason: String::new(), is_received: false }
    }

    /// A frame as it was received: the code may be one that is never sent.
    pub(crate) fn received(code: CloseCode, reason: String) -> Self {
        Self { code, reason, is_received: true }
    }

    /// The same frame as one that a handler has chosen to send.
    pub(crate) fn chosen(self) -> Self {
        Self { is_received: false, ..self }
    }

    /// Whether it came from a peer.
    pub(crate) fn is_received(&self) -> bool {
        self.is_received
    }

    /// The code. 1005 when the peer's frame carried none.
    #[must_use]
    pub fn code(&self) -> CloseCode {
        self.code
    }

    /// The reason, often empty.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

/// A code without a reason.
impl From<CloseCode> for CloseFrame {
    fn from(code: CloseCode) -> Self {
        Self::new(code, "")
    }
}

impl fmt::Display for CloseFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.reason.is_empty() {
            write!(f, "code {}", self.code)
        } else {
            write!(f, "code {}, {}", self.code, self.reason)
        }
    }
}

impl fmt::Debug for CloseFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CloseFrame").field("code", &self.code).field("reason", &self.reason).finish()
    }
}

/// Frames are equal if their code and their reason are.
impl PartialEq for CloseFrame {
    fn eq(&self, other: &Self) -> bool {
        (self.code, &self.reason) == (other.code, &other.reason)
    }
}

impl Eq for CloseFrame {}

impl std::error::Error for CloseFrame {}

const MAX_REASON: usize = 123;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_which_codes_may_be_sent() {
        for (code, sendable) in [
            (1000, true),
            (1003, true),
            (1004, false),
            (1005, false),
            (1006, false),
            (1007, true),
            (1014, true),
            (1015, false),
            (1016, false),
            (2999, false),
            (3000, true),
            (4999, true),
        ] {
            assert_eq!(CloseCode::new(code).unwrap().is_sendable(), sendable, "{code}");
        }
        assert_eq!(CloseCode::new(5000), None);
    }

    #[test]
    fn a_long_reason_is_cut_at_a_character() {
        let frame = CloseFrame::new(CloseCode::NORMAL, "ä".repeat(100));
        assert_eq!(frame.reason(), "ä".repeat(61));
    }

    #[test]
    fn a_code_that_may_not_be_sent_becomes_1011() {
        assert_eq!(CloseFrame::new(CloseCode::NO_STATUS, "").code(), CloseCode::INTERNAL_ERROR);
    }
}
