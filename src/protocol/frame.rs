//! Frame headers (RFC 6455 §5.2), which tungstenite parses and formats, and masking (§5.3).

use std::io::Cursor;

pub(crate) use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
pub(crate) use tokio_tungstenite::tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use crate::message::MessageKind;
use crate::role::Role;

pub(crate) const FIN: u8 = 0x80;
pub(crate) const RSV1: u8 = 0x40;
/// RSV2 and RSV3.
pub(crate) const RSV23: u8 = 0x30;
/// The bit of the second byte that says that the payload is masked.
pub(crate) const MASK: u8 = 0x80;

/// A control frame's payload is never longer (RFC 6455 §5.5).
pub(crate) const MAX_CONTROL: usize = 125;
/// The longest header: two bytes, eight of length, four of mask.
pub(crate) const MAX_HEADER: usize = 14;

/// A header that was parsed, with what it announces.
#[derive(Debug)]
pub(crate) struct Parsed {
    pub(crate) header: FrameHeader,
    /// The bytes that the header takes.
    pub(crate) size: usize,
    /// The bytes of payload that follow.
    pub(crate) payload: u64,
}

/// Parses a header; `None` while bytes of it are missing. An opcode must have been checked before.
///
/// tungstenite's parser costs 4 ns more than one of our own, of the 300 of a message in a burst (`benches/echo.rs`).
#[inline]
pub(crate) fn parse(bytes: &[u8]) -> Option<Parsed> {
    let mut cursor = Cursor::new(bytes);
    let (header, payload) = FrameHeader::parse(&mut cursor).ok()??;
    Some(Parsed { header, size: cursor.position() as usize, payload })
}

/// Appends a header for a payload of so many bytes.
#[inline]
pub(crate) fn format(header: &FrameHeader, payload: usize, out: &mut Vec<u8>) {
    // Writing to memory does not fail.
    let _ = header.format(payload as u64, out);
}

/// The header of a frame that we send, with a new mask where this role masks.
///
/// RFC 6455 §5.3: a client masks every frame with a key that cannot be guessed.
#[inline]
pub(crate) fn header(role: Role, opcode: OpCode) -> FrameHeader {
    let mask = match role {
        Role::Client => Some(rand::random()),
        Role::Server => None,
    };
    FrameHeader { opcode, mask, ..FrameHeader::default() }
}

/// The opcode of a message in one frame.
pub(crate) fn opcode(kind: MessageKind) -> OpCode {
    OpCode::Data(match kind {
        MessageKind::Binary => Data::Binary,
        MessageKind::Text => Data::Text,
    })
}

/// Masks or unmasks the part of a payload that begins at `offset`, if it is to be masked at all.
#[inline]
pub(crate) fn unmask(header: &FrameHeader, part: &mut [u8], offset: u64) {
    if let Some(mask) = header.mask {
        apply_mask(part, mask, (offset % 4) as usize);
    }
}

/// Masks or unmasks a payload, or the part of it that begins at `offset`.
#[inline]
pub(crate) fn apply_mask(payload: &mut [u8], mut mask: [u8; 4], offset: usize) {
    mask.rotate_left(offset % 4);
    let [a, b, c, d] = mask;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (words, rest) = payload.as_chunks_mut();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_parsed_as_it_was_formatted_once_it_is_there() {
        for len in [0, 1, 125, 126, 127, 0xffff, 0x1_0000, usize::MAX] {
            for role in [Role::Client, Role::Server] {
                let header = header(role, OpCode::Data(Data::Text));
                let mut bytes = Vec::new();
                format(&header, len, &mut bytes);
                let parsed = parse(&bytes).unwrap();
                assert_eq!((&parsed.header, parsed.size, parsed.payload), (&header, bytes.len(), len as u64));
                for cut in 0..bytes.len() {
                    assert!(parse(&bytes[..cut]).is_none());
                }
            }
        }
    }

    #[test]
    fn a_payload_is_unmasked_the_same_in_any_parts() {
        let mask = [0x12, 0x34, 0x56, 0x78];
        let plain: Vec<u8> = (0..97).collect();
        let mut whole = plain.clone();
        apply_mask(&mut whole, mask, 0);
        for (at, (byte, plain)) in whole.iter().zip(&plain).enumerate() {
            assert_eq!(*byte, plain ^ mask[at % 4]);
        }
        for cut in 0..plain.len() {
            let mut parts = plain.clone();
            let (head, tail) = parts.split_at_mut(cut);
            apply_mask(head, mask, 0);
            apply_mask(tail, mask, cut);
            assert_eq!(parts, whole);
        }
    }
}
