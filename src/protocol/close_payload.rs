//! The payload of a close frame (RFC 6455 §5.5.1).
//!
//! [`CloseCode`] decides which codes may be sent: tungstenite's list refuses 1014, which is in the IANA registry.

use arrayvec::ArrayVec;
use tokio_tungstenite::tungstenite::error::ProtocolError;

use super::failure::Failure;
use super::frame::MAX_CONTROL;
use crate::close::{CloseCode, CloseFrame};

/// Reads the payload of a close frame, unmasked.
pub(crate) fn parse(payload: &[u8]) -> Result<CloseFrame, Failure> {
    let Some((code, reason)) = payload.split_first_chunk() else {
        return if payload.is_empty() {
            Ok(CloseFrame::received(CloseCode::NO_STATUS, String::new()))
        } else {
            Err(Failure::Protocol(ProtocolError::InvalidCloseSequence))
        };
    };
    let code = CloseCode::new(u16::from_be_bytes(*code)).filter(|code| code.is_sendable());
    let code = code.ok_or(Failure::Protocol(ProtocolError::InvalidCloseSequence))?;
    let reason = simdutf8::basic::from_utf8(reason).map_err(|_| Failure::InvalidText)?;
    Ok(CloseFrame::received(code, reason.to_owned()))
}

/// The payload of a close frame. It is empty for [`CloseCode::NO_STATUS`]: that answers a close frame without a code.
pub(crate) fn payload(frame: &CloseFrame) -> ArrayVec<u8, MAX_CONTROL> {
    let mut payload = ArrayVec::new();
    if frame.code() != CloseCode::NO_STATUS {
        payload.extend(frame.code().get().to_be_bytes());
        payload.try_extend_from_slice(frame.reason().as_bytes()).expect("a reason has at most 123 bytes");
    }
    payload
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_can_be_written() {
        for (bytes, code, reason) in [
            (&b""[..], CloseCode::NO_STATUS, ""),
            (b"\x03\xe8", CloseCode::NORMAL, ""),
            (b"\x03\xf6by\xc3\xa9", CloseCode::BAD_GATEWAY, "by\u{e9}"),
        ] {
            let frame = parse(bytes).unwrap();
            assert_eq!((frame.code(), frame.reason()), (code, reason));
            assert_eq!(payload(&frame).as_slice(), bytes);
        }
    }

    #[test]
    fn half_a_code_a_code_that_may_not_be_sent_and_a_reason_that_is_no_text_are_faults() {
        for code in [0_u16, 999, 1004, 1005, 1006, 1015, 2999, 5000, u16::MAX] {
            assert!(matches!(parse(&code.to_be_bytes()), Err(Failure::Protocol(_))), "{code}");
        }
        assert!(matches!(parse(b"\x03"), Err(Failure::Protocol(_))));
        assert!(matches!(parse(b"\x03\xe8\xff"), Err(Failure::InvalidText)));
    }
}
