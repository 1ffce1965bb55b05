//! What a close frame says on the wire (RFC 6455 §5.5.1).

use super::fault::Fault;
use crate::close::{CloseCode, CloseFrame};

/// Reads the payload of a close frame, unmasked.
pub(super) fn parse(payload: &[u8]) -> Result<CloseFrame, Fault> {
    let Some((code, reason)) = payload.split_first_chunk() else {
        return if payload.is_empty() {
            Ok(CloseFrame::received(CloseCode::NO_STATUS, String::new()))
        } else {
            Err(Fault::Protocol("half a close code".into()))
        };
    };
    let code = CloseCode::new(u16::from_be_bytes(*code)).filter(|code| code.is_sendable());
    let code = code.ok_or_else(|| Fault::Protocol("the close code may not be sent".into()))?;
    let reason = simdutf8::basic::from_utf8(reason).map_err(|_| Fault::InvalidText)?;
    Ok(CloseFrame::received(code, reason.to_owned()))
}

/// The payload of a close frame. One that carries no code answers one that carried none.
pub(super) fn payload(frame: &CloseFrame) -> Vec<u8> {
    if frame.code() == CloseCode::NO_STATUS {
        return Vec::new();
    }
    [&frame.code().get().to_be_bytes(), frame.reason().as_bytes()].concat()
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
            assert_eq!(payload(&frame), bytes);
        }
    }

    #[test]
    fn half_a_code_a_code_that_may_not_be_sent_and_a_reason_that_is_no_text_are_faults() {
        for code in [0_u16, 999, 1004, 1005, 1006, 1015, 2999, 5000, u16::MAX] {
            assert!(matches!(parse(&code.to_be_bytes()), Err(Fault::Protocol(_))), "{code}");
        }
        assert!(matches!(parse(b"\x03"), Err(Fault::Protocol(_))));
        assert!(matches!(parse(b"\x03\xe8\xff"), Err(Fault::InvalidText)));
    }
}
