//! Messages and close frames of tungstenite, for programs that have both.

use tokio_tungstenite::tungstenite::protocol::CloseFrame as TungsteniteCloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::Utf8Bytes;
use tokio_tungstenite::tungstenite::{Bytes, Message as TungsteniteMessage};

use crate::close::{CloseCode, CloseFrame};
use crate::error::{Error, ErrorKind};
use crate::message::Message;
use crate::text::Text;

/// Copies no payload but that of texts below 16 KiB. tungstenite checks again that a text is UTF-8.
///
/// ```
/// use tokio_tungstenite::tungstenite;
/// use tower_websocket::Message;
///
/// let theirs = tungstenite::Message::from(Message::text("hello"));
/// assert_eq!(theirs, tungstenite::Message::text("hello"));
/// assert_eq!(Message::try_from(theirs)?, Message::text("hello"));
/// # Ok::<(), tower_websocket::Error>(())
/// ```
#[cfg_attr(docsrs, doc(cfg(feature = "tungstenite")))]
impl From<Message> for TungsteniteMessage {
    fn from(message: Message) -> Self {
        match message {
            Message::Binary(bytes) => Self::Binary(bytes),
            Message::Text(text) => Self::Text(text.into()),
        }
    }
}

/// Data messages only, without a copy. For `Ping`, `Pong`, `Close` and `Frame` the error's kind is [`ErrorKind::Decode`].
#[cfg_attr(docsrs, doc(cfg(feature = "tungstenite")))]
impl TryFrom<TungsteniteMessage> for Message {
    type Error = Error;

    fn try_from(message: TungsteniteMessage) -> Result<Self, Error> {
        match message {
            TungsteniteMessage::Binary(bytes) => Ok(Self::Binary(bytes)),
            TungsteniteMessage::Text(text) => Ok(Self::Text(text.into())),
            TungsteniteMessage::Ping(_)
            | TungsteniteMessage::Pong(_)
            | TungsteniteMessage::Close(_)
            | TungsteniteMessage::Frame(_) => {
                Err(Error::with_source(ErrorKind::Decode, "a control frame is no data message"))
            }
        }
    }
}

/// Copies texts below 16 KiB.
#[cfg_attr(docsrs, doc(cfg(feature = "tungstenite")))]
impl From<Text> for Utf8Bytes {
    fn from(text: Text) -> Self {
        Self::try_from(Bytes::from(text)).expect("a text is UTF-8")
    }
}

/// Copies only the shortest texts.
#[cfg_attr(docsrs, doc(cfg(feature = "tungstenite")))]
impl From<Utf8Bytes> for Text {
    fn from(text: Utf8Bytes) -> Self {
        Self::from_utf8(text.into()).expect("tungstenite's text is UTF-8")
    }
}

/// `None` for a frame without a code (1005), as in tungstenite's `Message::Close`.
#[cfg_attr(docsrs, doc(cfg(feature = "tungstenite")))]
impl From<CloseFrame> for Option<TungsteniteCloseFrame> {
    fn from(frame: CloseFrame) -> Self {
        let code = Some(frame.code()).filter(|code| *code != CloseCode::NO_STATUS)?;
        Some(TungsteniteCloseFrame { code: code.get().into(), reason: frame.reason().into() })
    }
}

/// A code that may not be sent becomes 1011, as in [`CloseFrame::new`].
#[cfg_attr(docsrs, doc(cfg(feature = "tungstenite")))]
impl From<TungsteniteCloseFrame> for CloseFrame {
    fn from(frame: TungsteniteCloseFrame) -> Self {
        let code = CloseCode::new(frame.code.into()).unwrap_or(CloseCode::INTERNAL_ERROR);
        Self::new(code, frame.reason.as_str().to_owned())
    }
}

/// `None` becomes a frame without a code.
#[cfg_attr(docsrs, doc(cfg(feature = "tungstenite")))]
impl From<Option<TungsteniteCloseFrame>> for CloseFrame {
    fn from(frame: Option<TungsteniteCloseFrame>) -> Self {
        frame.map_or_else(Self::without_code, Self::from)
    }
}

#[cfg(test)]
mod tests {
    use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode as TungsteniteCloseCode;

    use super::*;

    #[test]
    fn data_messages_go_both_ways() {
        for message in [Message::text(""), Message::text("gr\u{fc}n".repeat(9000)), Message::binary(vec![0xff; 3])] {
            let theirs = TungsteniteMessage::from(message.clone());
            assert_eq!(theirs.clone().into_data(), message.clone().into_bytes());
            assert_eq!(Message::try_from(theirs).unwrap(), message);
        }
    }

    #[test]
    fn large_messages_are_not_copied() {
        let long = "a".repeat(20_000);
        for message in [Message::text(long.clone()), Message::binary(long.into_bytes())] {
            let place = message.as_bytes().as_ptr();
            let theirs = TungsteniteMessage::from(message).into_data();
            assert_eq!(theirs.as_ptr(), place);
            assert_eq!(Message::try_from(TungsteniteMessage::Binary(theirs)).unwrap().as_bytes().as_ptr(), place);
        }
    }

    #[test]
    fn control_frames_are_no_messages() {
        for theirs in [
            TungsteniteMessage::Ping(Bytes::new()),
            TungsteniteMessage::Pong(Bytes::new()),
            TungsteniteMessage::Close(None),
        ] {
            assert_eq!(Message::try_from(theirs).unwrap_err().kind(), ErrorKind::Decode);
        }
    }

    #[test]
    fn close_frames_go_both_ways() {
        for frame in [CloseFrame::without_code(), CloseFrame::new(CloseCode::GOING_AWAY, "bye"), code(4001).into()] {
            let theirs = Option::<TungsteniteCloseFrame>::from(frame.clone());
            assert_eq!(theirs.is_none(), frame.code() == CloseCode::NO_STATUS);
            assert_eq!(CloseFrame::from(theirs), frame);
        }
        let bad = TungsteniteCloseFrame { code: TungsteniteCloseCode::from(999), reason: "x".into() };
        assert_eq!(CloseFrame::from(bad).code(), CloseCode::INTERNAL_ERROR);
    }

    fn code(number: u16) -> CloseCode {
        CloseCode::new(number).unwrap()
    }
}
