//! Frames as they stand on the wire (RFC 6455 §5.2).

use std::fmt;

use tower_websocket::Role;

/// One frame. By default it is whole and breaks no rule.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) first: u8,
    pub(crate) payload: Vec<u8>,
}

pub(crate) fn text(payload: impl AsRef<[u8]>) -> Frame {
    Frame::new(0x81, payload)
}

pub(crate) fn binary(payload: impl AsRef<[u8]>) -> Frame {
    Frame::new(0x82, payload)
}

/// The last frame of a message in several.
pub(crate) fn continuation(payload: impl AsRef<[u8]>) -> Frame {
    Frame::new(0x80, payload)
}

pub(crate) fn ping(payload: impl AsRef<[u8]>) -> Frame {
    Frame::new(0x89, payload)
}

pub(crate) fn pong(payload: impl AsRef<[u8]>) -> Frame {
    Frame::new(0x8a, payload)
}

pub(crate) fn close(code: u16, reason: impl AsRef<[u8]>) -> Frame {
    Frame::new(0x88, [&code.to_be_bytes()[..], reason.as_ref()].concat())
}

impl Frame {
    pub(crate) fn new(first: u8, payload: impl AsRef<[u8]>) -> Self {
        Self { first, payload: payload.as_ref().to_vec() }
    }

    /// Not the last frame of its message.
    pub(crate) fn more(mut self) -> Self {
        self.first &= 0x7f;
        self
    }

    /// With these RSV bits.
    pub(crate) fn rsv(mut self, bits: u8) -> Self {
        self.first |= bits;
        self
    }

    /// The first frame of a compressed message.
    pub(crate) fn compressed(self) -> Self {
        self.rsv(0x40)
    }

    pub(crate) fn is_compressed(&self) -> bool {
        self.first & 0x40 != 0
    }

    /// The bytes of the frame from a client.
    pub(crate) fn masked(&self) -> Vec<u8> {
        masked(self.first, &self.payload)
    }

    /// The bytes of the frame from a server.
    pub(crate) fn unmasked(&self) -> Vec<u8> {
        let mut bytes = header(self.first, false, self.payload.len() as u64);
        bytes.extend_from_slice(&self.payload);
        bytes
    }

    /// The bytes of the frame from this side.
    pub(crate) fn sent_by(&self, sender: Role) -> Vec<u8> {
        match sender {
            Role::Client => self.masked(),
            Role::Server => self.unmasked(),
        }
    }

    /// The code of a close frame.
    pub(crate) fn code(&self) -> u16 {
        self.payload.get(..2).map_or(1005, |code| u16::from_be_bytes(code.try_into().unwrap()))
    }

    /// A masked header that announces so much payload, alone.
    pub(crate) fn announce(&self, len: u64) -> Vec<u8> {
        let mut bytes = header(self.first, true, len);
        bytes.extend_from_slice(&[0; 4]);
        bytes
    }

    /// Takes a server's frame, which is not masked, from the front.
    pub(crate) fn take(bytes: &mut Vec<u8>) -> Option<Self> {
        Self::take_from(Role::Server, bytes)
    }

    /// Takes a client's frame, which is masked, from the front.
    pub(crate) fn take_masked(bytes: &mut Vec<u8>) -> Option<Self> {
        Self::take_from(Role::Client, bytes)
    }

    /// Takes a frame of this side from the front.
    pub(crate) fn take_from(sender: Role, bytes: &mut Vec<u8>) -> Option<Self> {
        let masked = sender == Role::Client;
        let (&first, &second) = (bytes.first()?, bytes.get(1)?);
        assert_eq!(second & 0x80 != 0, masked, "clients mask, servers do not");
        let (size, len) = match second & 0x7f {
            126 => (4, u64::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().unwrap()))),
            127 => (10, u64::from_be_bytes(bytes.get(2..10)?.try_into().unwrap())),
            len => (2, u64::from(len)),
        };
        let mask: [u8; 4] = if masked { bytes.get(size..size + 4)?.try_into().unwrap() } else { [0; 4] };
        let start = if masked { size + 4 } else { size };
        let end = start + len as usize;
        let payload = bytes.get(start..end)?.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect();
        bytes.drain(..end);
        Some(Self { first, payload })
    }
}

/// The bytes of a frame from a client.
pub(crate) fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
    let mut bytes = header(first, true, payload.len() as u64);
    bytes.extend_from_slice(&MASK);
    // Four bytes at a time: without optimisation a byte takes as long.
    let (words, rest) = payload.as_chunks();
    let mask = u32::from_ne_bytes(MASK);
    words.iter().for_each(|word| bytes.extend_from_slice(&(u32::from_ne_bytes(*word) ^ mask).to_ne_bytes()));
    bytes.extend(rest.iter().zip(MASK).map(|(byte, mask)| byte ^ mask));
    bytes
}

fn header(first: u8, masked: bool, len: u64) -> Vec<u8> {
    let mask = if masked { 0x80 } else { 0 };
    match len {
        0..126 => vec![first, mask | len as u8],
        126..0x1_0000 => [&[first, mask | 126][..], &(len as u16).to_be_bytes()].concat(),
        _ => [&[first, mask | 127][..], &len.to_be_bytes()].concat(),
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = &self.payload[..self.payload.len().min(64)];
        write!(f, "{:#04x} [{}] {}", self.first, self.payload.len(), shown.escape_ascii())
    }
}
