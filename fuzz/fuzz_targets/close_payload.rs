//! Payloads of close frames, against the rules of RFC 6455 §5.5.1 and §7.4 as they are read there.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tower_websocket::fuzz_doors::{close_payload, parse_close};
use tower_websocket::{CloseCode, CloseFrame};

fuzz_target!(|payload: &[u8]| {
    let code = payload.get(..2).map(|code| u16::from_be_bytes([code[0], code[1]]));
    let reason = payload.get(2..).map(str::from_utf8);
    let expected = match (code, reason) {
        (Some(1000..=1003 | 1007..=1014 | 3000..=4999), Some(Ok(reason))) => Some(reason),
        (None, _) if payload.is_empty() => Some(""),
        _ => None,
    };
    // No control frame has a longer payload: its header is refused.
    if payload.len() <= 125 {
        match parse_close(payload) {
            Ok(frame) => {
                assert_eq!(Some(frame.reason()), expected);
                assert_eq!(frame.code(), code.map_or(CloseCode::NO_STATUS, |code| CloseCode::new(code).unwrap()));
                assert_eq!(close_payload(&frame), payload);
            }
            Err(_) => assert_eq!(expected, None),
        }
    }
    // What a user says fits into a control frame, and is what the peer reads.
    let (Some(code), Some(Ok(reason))) = (code.and_then(CloseCode::new), reason) else { return };
    let frame = CloseFrame::new(code, reason.to_owned());
    let bytes = close_payload(&frame);
    assert!(bytes.len() <= 125);
    let read = parse_close(&bytes).unwrap();
    assert!(reason.starts_with(read.reason()));
    if code.is_sendable() {
        assert_eq!(read.code(), code);
    }
});
