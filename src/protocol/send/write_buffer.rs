//! Encoded frames.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::Bytes;

use crate::close::CloseFrame;
use crate::message::{Message, MessageKind};
use crate::protocol::frame::{self, Control, MAX_HEADER, apply_mask};
use crate::protocol::{buffer_pool, close_payload};
use crate::role::Role;

/// Encoded frames in order. Small ones lie together in one buffer; a large payload is kept as it is and written from
/// where it lies.
#[derive(Debug, Default)]
pub(crate) struct WriteBuffer {
    /// Most often all there is (`benches/echo.rs`).
    first: Vec<u8>,
    /// What comes behind: large payloads, and what came after them.
    rest: VecDeque<Segment>,
    /// How much is written of what is at the front.
    written: usize,
    len: usize,
    /// Whether the transport writes from several places at once, so that large payloads need no copy.
    vectored: bool,
}

#[derive(Debug)]
enum Segment {
    Gathered(Vec<u8>),
    Shared(Bytes),
}

impl Segment {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Gathered(bytes) => bytes,
            Self::Shared(bytes) => bytes,
        }
    }
}

impl WriteBuffer {
    pub(crate) fn set_vectored(&mut self, vectored: bool) {
        self.vectored = vectored;
    }

    /// The bytes not yet written.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Appends a message as one frame, and says how long it is.
    #[inline]
    pub(crate) fn push_message(&mut self, role: Role, message: &Message) -> usize {
        let payload = message.as_bytes();
        let len = payload.len();
        let (kind, mask) = (message.kind(), frame::mask(role));
        if len >= LARGE && self.vectored && mask.is_none() {
            let payload = message.clone().into_bytes();
            self.push_frame(&[], None, |out| frame::format_data(kind, false, None, len, out));
            self.len += len;
            self.rest.push_back(Segment::Shared(payload));
        } else {
            self.push_frame(payload, mask, |out| frame::format_data(kind, false, mask, len, out));
        }
        len
    }

    /// Appends a payload that is compressed already (RFC 7692 §6).
    pub(crate) fn push_compressed(&mut self, role: Role, kind: MessageKind, payload: &[u8]) {
        let mask = frame::mask(role);
        self.push_frame(payload, mask, |out| frame::format_data(kind, true, mask, payload.len(), out));
    }

    /// Appends a control frame.
    pub(crate) fn push_control(&mut self, role: Role, control: Control, payload: &[u8]) {
        let mask = frame::mask(role);
        self.push_frame(payload, mask, |out| frame::format_control(control, mask, payload.len(), out));
    }

    /// Appends a close frame.
    pub(crate) fn push_close(&mut self, role: Role, frame: &CloseFrame) {
        self.push_control(role, Control::Close, &close_payload::payload(frame));
    }

    /// Appends a header, and as much of its payload as goes along with it.
    #[inline]
    fn push_frame(&mut self, payload: &[u8], mask: Option<[u8; 4]>, format_header: impl FnOnce(&mut Vec<u8>)) {
        let buffer = self.gather(MAX_HEADER + payload.len());
        let before = buffer.len();
        format_header(buffer);
        let start = buffer.len();
        buffer.extend_from_slice(payload);
        if let Some(mask) = mask {
            apply_mask(&mut buffer[start..], mask);
        }
        let len = buffer.len() - before;
        self.len += len;
    }

    /// The buffer at the end, with room for so much more.
    #[inline]
    fn gather(&mut self, more: usize) -> &mut Vec<u8> {
        if let Some(Segment::Shared(_)) = self.rest.back() {
            self.rest.push_back(Segment::Gathered(Vec::new()));
        }
        let buffer = match self.rest.back_mut() {
            Some(Segment::Gathered(buffer)) => buffer,
            _ => &mut self.first,
        };
        if buffer.capacity() == 0 {
            *buffer = buffer_pool::take_buffer();
        }
        buffer.reserve(more);
        buffer
    }

    /// Takes everything from `other`. Nothing of it may have been written.
    #[inline]
    pub(crate) fn append(&mut self, other: &mut Self) {
        if self.is_empty() {
            std::mem::swap(&mut self.first, &mut other.first);
        } else if !other.first.is_empty() {
            self.rest.push_back(Segment::Gathered(std::mem::take(&mut other.first)));
        }
        if self.rest.is_empty() {
            std::mem::swap(&mut self.rest, &mut other.rest);
        } else {
            self.rest.extend(std::mem::take(&mut other.rest));
        }
        self.len += std::mem::take(&mut other.len);
    }

    /// Whether all of it lies in one buffer.
    pub(crate) fn is_contiguous(&self) -> bool {
        self.rest.is_empty()
    }

    /// Whether the transport is to be given several slices at once.
    pub(crate) fn is_vectored(&self) -> bool {
        self.vectored
    }

    /// Fills `slices` with what is to be written first, and says how many it took.
    pub(crate) fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let front = [self.front()].into_iter();
        let behind = self.rest.iter().map(Segment::bytes).skip(usize::from(self.first.is_empty()));
        slices.iter_mut().zip(front.chain(behind)).map(|(slice, bytes)| *slice = IoSlice::new(bytes)).count()
    }

    /// Forgets everything, and frees it.
    pub(crate) fn clear(&mut self) {
        *self = Self { vectored: self.vectored, ..Self::default() };
    }

    /// What is to be written first.
    #[inline]
    pub(crate) fn front(&self) -> &[u8] {
        let front = match self.rest.front() {
            Some(segment) if self.first.is_empty() => segment.bytes(),
            _ => &self.first,
        };
        &front[self.written..]
    }

    /// So many bytes were written.
    #[inline]
    pub(crate) fn consume(&mut self, written: usize) {
        self.len -= written;
        self.written += written;
        if self.written < self.first.len() {
            return;
        }
        self.written -= self.first.len();
        buffer_pool::give_buffer(std::mem::take(&mut self.first));
        if !self.rest.is_empty() {
            self.consume_rest();
        }
    }

    fn consume_rest(&mut self) {
        while let Some(segment) = self.rest.front() {
            let len = segment.bytes().len();
            if self.written < len {
                return;
            }
            self.written -= len;
            if let Some(Segment::Gathered(buffer)) = self.rest.pop_front() {
                buffer_pool::give_buffer(buffer);
            }
        }
        self.rest = VecDeque::new();
    }
}

/// A payload from this size on is not copied into the buffer of small frames. Below it a copy costs less than a second
/// slice in the system call.
const LARGE: usize = 16 * 1024;
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_of_large_payloads_leaves_no_long_list_behind() {
        for in_between in [false, true] {
            let (mut queued, mut writing) = (WriteBuffer::default(), WriteBuffer::default());
            queued.set_vectored(true);
            let mut expected = 0;
            for _ in 0..2 {
                for _ in 0..1000 {
                    queued.push_message(Role::Server, &Message::from(vec![0; LARGE]));
                }
                expected += queued.len();
                if in_between {
                    writing.push_control(Role::Server, Control::Pong, b"pong");
                    expected += 6;
                }
                writing.append(&mut queued);
                assert_eq!(writing.len(), expected);
            }
            writing.consume(expected);
            assert!(writing.is_empty() && queued.is_empty());
            assert_eq!((queued.rest.capacity(), writing.rest.capacity()), (0, 0));
        }
    }

    #[test]
    fn a_frame_gets_the_room_that_it_takes() {
        for (role, len) in [(Role::Client, 200_000), (Role::Server, 100)] {
            let mut buffer = WriteBuffer::default();
            buffer.push_message(role, &Message::from(vec![0; len]));
            assert!((buffer.len()..2 * (len + MAX_HEADER)).contains(&buffer.first.capacity()));
        }
    }
}
