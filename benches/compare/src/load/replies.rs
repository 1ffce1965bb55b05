use anyhow::{Result, bail};

use super::frame::{CLOSE, FIN, RSV1};

/// Finds the messages in what a server sends, however the reads split it.
#[derive(Debug, Default)]
pub struct Replies {
    header: Vec<u8>,
    /// Payload of the current frame that has not come yet; counts only once the header is complete.
    missing: usize,
    first_byte: u8,
    length: usize,
    kept: Vec<u8>,
}

/// One message.
#[derive(Debug)]
pub struct Reply<'a> {
    pub opcode: u8,
    pub compressed: bool,
    /// Of the payload on the wire.
    pub length: usize,
    /// The payload, if it was to be kept.
    pub payload: Option<&'a [u8]>,
}

impl Replies {
    /// Takes bytes in and calls `on_reply` for each message that is complete. Pings are left unanswered: no run lasts long
    /// enough for a server to mind.
    pub fn feed(
        &mut self,
        mut bytes: &[u8],
        keep: bool,
        mut on_reply: impl FnMut(Reply<'_>) -> Result<()>,
    ) -> Result<()> {
        while !bytes.is_empty() {
            if self.missing == 0 {
                self.header.push(bytes[0]);
                bytes = &bytes[1..];
                let Some(length) = payload_length(&self.header) else { continue };
                self.begin_frame(length)?;
            }
            let (payload, rest) = bytes.split_at(self.missing.min(bytes.len()));
            bytes = rest;
            if keep {
                self.keep(payload);
            }
            self.missing -= payload.len();
            if self.missing == 0 {
                self.end_frame(keep, &mut on_reply)?;
            }
        }
        Ok(())
    }

    fn begin_frame(&mut self, length: usize) -> Result<()> {
        let first_byte = self.header[0];
        match first_byte & OPCODE {
            CLOSE => bail!("the server closed the connection"),
            CONTINUATION => {}
            opcode if opcode < CLOSE => {
                self.first_byte = first_byte;
                self.length = 0;
                self.kept.clear();
            }
            _ => {}
        }
        self.missing = length;
        Ok(())
    }

    fn keep(&mut self, payload: &[u8]) {
        if self.header[0] & OPCODE >= CLOSE {
            return;
        }
        // Only the bare TCP echo sends masked frames: the client's own.
        if self.header[1] & MASKED != 0 {
            let mask = &self.header[self.header.len() - 4..];
            let start = payload_length(&self.header).unwrap_or_default() - self.missing;
            self.kept.extend(payload.iter().zip(mask.iter().cycle().skip(start % 4)).map(|(byte, mask)| byte ^ mask));
        } else {
            self.kept.extend_from_slice(payload);
        }
    }

    fn end_frame(&mut self, keep: bool, on_reply: &mut impl FnMut(Reply<'_>) -> Result<()>) -> Result<()> {
        let is_control = self.header[0] & OPCODE >= CLOSE;
        let is_final = self.header[0] & FIN != 0;
        self.length += if is_control { 0 } else { payload_length(&self.header).unwrap_or_default() };
        self.header.clear();
        if is_control || !is_final {
            return Ok(());
        }
        on_reply(Reply {
            opcode: self.first_byte & OPCODE,
            compressed: self.first_byte & RSV1 != 0,
            length: self.length,
            payload: keep.then_some(&self.kept),
        })
    }
}

/// The payload's length, once the header is complete.
fn payload_length(header: &[u8]) -> Option<usize> {
    let second = *header.get(1)?;
    let mask = if second & MASKED != 0 { 4 } else { 0 };
    let (extended, length) = match second & !MASKED {
        126 => (2, header.get(2..4)?.iter().fold(0, |length, byte| length << 8 | usize::from(*byte))),
        127 => (8, header.get(2..10)?.iter().fold(0, |length, byte| length << 8 | usize::from(*byte))),
        length => (0, usize::from(length)),
    };
    (header.len() == 2 + extended + mask).then_some(length)
}

const CONTINUATION: u8 = 0;
const MASKED: u8 = 0x80;
const OPCODE: u8 = 0x0f;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::frame::{TEXT, masked};

    #[test]
    fn finds_messages_in_any_split() {
        let large = vec![7; 70_000];
        let wire = [
            &[FIN | TEXT, 2, b'h', b'i'][..],
            &[TEXT, 1, b'a'],
            &[FIN | 9, 1, b'p'],
            &[FIN, 1, b'b'],
            &[FIN | TEXT, 0],
            &masked(FIN | TEXT, b"masked"),
            &masked(FIN | 2, &large),
        ]
        .concat();
        for split in [1, 2, 3, 7, 1000, wire.len()] {
            let mut replies = Replies::default();
            let mut found = Vec::new();
            for bytes in wire.chunks(split) {
                let on_reply = |reply: Reply<'_>| {
                    found.push((reply.length, reply.payload.unwrap_or_default().to_vec()));
                    Ok(())
                };
                replies.feed(bytes, true, on_reply).expect("these frames are fine");
            }
            let expected: [&[u8]; 5] = [b"hi", b"ab", b"", b"masked", &large];
            assert_eq!(found, expected.map(|payload| (payload.len(), payload.to_vec())), "split {split}");
        }
    }
}
