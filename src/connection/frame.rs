//! Frame headers and masking (RFC 6455 §5.2, §5.3).

/// What stands before a frame's payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// FIN, the RSV bits and the opcode, as they stand on the wire.
    pub(crate) first: u8,
    pub(crate) mask: Option<[u8; 4]>,
    pub(crate) len: u64,
}

pub(crate) const FIN: u8 = 0x80;
pub(crate) const RSV1: u8 = 0x40;
pub(crate) const RSV: u8 = 0x70;
pub(crate) const CONTINUATION: u8 = 0;
pub(crate) const TEXT: u8 = 1;
pub(crate) const BINARY: u8 = 2;
pub(crate) const CLOSE: u8 = 8;
pub(crate) const PING: u8 = 9;
pub(crate) const PONG: u8 = 10;

/// A control frame's payload is never longer (RFC 6455 §5.5).
pub(crate) const MAX_CONTROL: usize = 125;
/// The longest header: two bytes, eight of length, four of mask.
pub(crate) const MAX_HEADER: usize = 14;

impl Header {
    /// Reads a header and says how long it is, or `None` while bytes are missing.
    #[inline]
    pub(crate) fn parse(bytes: &[u8]) -> Option<(Self, usize)> {
        let (&[first, second], rest) = bytes.split_first_chunk()?;
        let (len, rest) = match second & 0x7f {
            126 => rest.split_first_chunk().map(|(len, rest)| (u64::from(u16::from_be_bytes(*len)), rest))?,
            127 => rest.split_first_chunk().map(|(len, rest)| (u64::from_be_bytes(*len), rest))?,
            len => (u64::from(len), rest),
        };
        let (mask, rest) = if second & 0x80 != 0 {
            rest.split_first_chunk().map(|(mask, rest)| (Some(*mask), rest))?
        } else {
            (None, rest)
        };
        Some((Self { first, mask, len }, bytes.len() - rest.len()))
    }

    /// Appends the header, with the shortest form of the length.
    #[inline]
    pub(crate) fn write(self, out: &mut Vec<u8>) {
        let masked = if self.mask.is_some() { 0x80 } else { 0 };
        match self.len {
            0..126 => out.extend_from_slice(&[self.first, masked | self.len as u8]),
            126..0x1_0000 => {
                let [high, low] = (self.len as u16).to_be_bytes();
                out.extend_from_slice(&[self.first, masked | 126, high, low]);
            }
            _ => {
                out.extend_from_slice(&[self.first, masked | 127]);
                out.extend_from_slice(&self.len.to_be_bytes());
            }
        }
        if let Some(mask) = self.mask {
            out.extend_from_slice(&mask);
        }
    }

    pub(crate) fn opcode(self) -> u8 {
        self.first & 0x0f
    }

    pub(crate) fn is_final(self) -> bool {
        self.first & FIN != 0
    }

    pub(crate) fn is_control(self) -> bool {
        self.opcode() >= CLOSE
    }

    /// Masks or unmasks the part of the payload that begins at `offset`, if it is to be masked at all.
    pub(crate) fn unmask(self, part: &mut [u8], offset: usize) {
        if let Some(mask) = self.mask {
            apply_mask(part, mask, offset);
        }
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
    fn a_header_is_read_as_it_was_written() {
        for len in [0, 1, 125, 126, 127, 0xffff, 0x1_0000, u64::MAX] {
            for mask in [None, Some([1, 2, 3, 4])] {
                let header = Header { first: FIN | TEXT, mask, len };
                let mut bytes = Vec::new();
                header.write(&mut bytes);
                assert_eq!(Header::parse(&bytes), Some((header, bytes.len())));
                for cut in 0..bytes.len() {
                    assert_eq!(Header::parse(&bytes[..cut]), None);
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
