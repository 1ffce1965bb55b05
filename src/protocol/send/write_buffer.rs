//! Encoded frames that wait to be written.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::Bytes;

use crate::close::CloseFrame;
use crate::message::{Message, MessageKind};
use crate::protocol::frame::{self, Control, MAX_HEADER, apply_mask};
use crate::protocol::{buffer_pool, close_payload};
use crate::role::Role;

/// Encoded frames in order. Small ones are copied into one buffer; large payloads, and frames that are shared with other
/// connections, are not copied but written from their own memory.
#[derive(Debug, Default)]
pub(crate) struct WriteBuffer {
    /// Usually the only segment (`benches/echo.rs`).
    first: Segment,
    /// The segments after `first`: large payloads, shared frames, and what follows them.
    #[expect(clippy::box_collection, reason = "usually there is none: 8 bytes of an idle connection, not 32")]
    rest: Option<Box<VecDeque<Segment>>>,
    /// How many bytes of the segment at the front are written.
    written: usize,
    len: usize,
    /// Whether the transport can write several buffers at once, so that large payloads need no copy.
    vectored: bool,
}

#[derive(Debug)]
enum Segment {
    /// Small frames, copied one after the other.
    Gathered(Vec<u8>),
    /// A large payload, or frames that are shared with other connections.
    Shared(Bytes),
}

impl Segment {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Gathered(bytes) => bytes,
            Self::Shared(bytes) => bytes,
        }
    }

    fn is_empty(&self) -> bool {
        self.bytes().is_empty()
    }

    /// Called when it is written: gives its buffer back to the pool.
    #[inline]
    fn recycle(self) {
        if let Self::Gathered(buffer) = self {
            buffer_pool::give_buffer(buffer);
        }
    }
}

impl Default for Segment {
    fn default() -> Self {
        Self::Gathered(Vec::new())
    }
}

impl WriteBuffer {
    pub(crate) fn set_vectored(&mut self, vectored: bool) {
        self.vectored = vectored;
    }

    /// The number of bytes that are not yet written.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Appends a message as one frame. Returns the length of its payload.
    #[inline]
    pub(crate) fn push_message(&mut self, role: Role, message: &Message) -> usize {
        let payload = message.as_bytes();
        let len = payload.len();
        let (kind, mask) = (message.kind(), frame::mask(role));
        if len >= LARGE && self.vectored && mask.is_none() {
            let payload = message.clone().into_bytes();
            self.push_frame(&[], None, |out| frame::format_data(kind, false, None, len, out));
            self.push_shared(payload);
        } else {
            self.push_frame(payload, mask, |out| frame::format_data(kind, false, mask, len, out));
        }
        len
    }

    /// Appends a message whose payload is compressed already (RFC 7692 §6).
    pub(crate) fn push_compressed(&mut self, role: Role, kind: MessageKind, payload: &[u8]) {
        let mask = frame::mask(role);
        self.push_frame(payload, mask, |out| frame::format_data(kind, true, mask, payload.len(), out));
    }

    /// Appends encoded bytes, without a copy if the transport can write several buffers at once.
    #[inline]
    pub(crate) fn push_shared(&mut self, bytes: Bytes) {
        let len = bytes.len();
        if self.is_empty() {
            self.first = Segment::Shared(bytes);
        } else if self.vectored {
            self.rest.get_or_insert_default().push_back(Segment::Shared(bytes));
        } else {
            // Such a transport copies anyway, and HTTP/2 makes a frame of each piece.
            self.gather(len).extend_from_slice(&bytes);
        }
        self.len += len;
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

    /// Appends a header and a payload. The payload is empty if it follows in a segment of its own.
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

    /// The segment at the end.
    #[inline]
    fn last(&mut self) -> &mut Segment {
        self.rest.as_mut().and_then(|rest| rest.back_mut()).unwrap_or(&mut self.first)
    }

    /// The buffer at the end, with capacity for `more` bytes.
    #[inline]
    fn gather(&mut self, more: usize) -> &mut Vec<u8> {
        if let Segment::Shared(_) = self.last() {
            if self.is_empty() {
                self.first = Segment::default();
            } else {
                self.rest.get_or_insert_default().push_back(Segment::default());
            }
        }
        let Segment::Gathered(buffer) = self.last() else { unreachable!("a gathered segment was added above") };
        if buffer.capacity() == 0 {
            *buffer = buffer_pool::take_buffer();
        }
        buffer.reserve(more);
        buffer
    }

    /// Moves everything from `other` to the end. Nothing of `other` may have been written.
    #[inline]
    pub(crate) fn append(&mut self, other: &mut Self) {
        if self.is_empty() {
            std::mem::swap(&mut self.first, &mut other.first);
        } else if !other.first.is_empty() {
            self.rest.get_or_insert_default().push_back(std::mem::take(&mut other.first));
        }
        if let Some(more) = other.rest.take() {
            match &mut self.rest {
                Some(rest) => rest.extend(*more),
                None => self.rest = Some(more),
            }
        }
        self.len += std::mem::take(&mut other.len);
    }

    /// Whether there is only one segment.
    pub(crate) fn is_contiguous(&self) -> bool {
        self.rest.is_none()
    }

    /// Whether the transport can write several buffers at once.
    pub(crate) fn is_vectored(&self) -> bool {
        self.vectored
    }

    /// Fills `slices` with the next bytes to write. Returns how many slices are used.
    pub(crate) fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let front = [self.front()].into_iter();
        let following =
            self.rest.iter().flat_map(|rest| rest.iter()).map(Segment::bytes).skip(usize::from(self.first.is_empty()));
        slices.iter_mut().zip(front.chain(following)).map(|(slice, bytes)| *slice = IoSlice::new(bytes)).count()
    }

    /// Drops everything, and frees the memory.
    pub(crate) fn clear(&mut self) {
        *self = Self { vectored: self.vectored, ..Self::default() };
    }

    /// The unwritten bytes of the segment at the front.
    #[inline]
    pub(crate) fn front(&self) -> &[u8] {
        let front = match self.rest.as_ref().and_then(|rest| rest.front()) {
            Some(segment) if self.first.is_empty() => segment.bytes(),
            _ => self.first.bytes(),
        };
        &front[self.written..]
    }

    /// Removes bytes that were written.
    #[inline]
    pub(crate) fn consume(&mut self, written: usize) {
        self.len -= written;
        self.written += written;
        let first = self.first.bytes().len();
        if self.written < first {
            return;
        }
        self.written -= first;
        std::mem::take(&mut self.first).recycle();
        if self.rest.is_some() {
            self.consume_rest();
        }
    }

    fn consume_rest(&mut self) {
        while let Some(rest) = &mut self.rest
            && let Some(segment) = rest.front()
        {
            let len = segment.bytes().len();
            if self.written < len {
                return;
            }
            self.written -= len;
            if let Some(segment) = rest.pop_front() {
                segment.recycle();
            }
        }
        self.rest = None;
    }
}

/// A payload of at least this size is not copied into the buffer of small frames. Copying a smaller one costs less than another
/// slice in the system call.
const LARGE: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_of_a_burst_of_large_payloads_is_freed() {
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
            assert!(queued.rest.is_none() && writing.rest.is_none());
        }
    }

    #[test]
    fn a_frame_is_given_the_capacity_that_it_needs() {
        for (role, len) in [(Role::Client, 200_000), (Role::Server, 100)] {
            let mut buffer = WriteBuffer::default();
            buffer.push_message(role, &Message::from(vec![0; len]));
            assert!((buffer.len()..2 * (len + MAX_HEADER)).contains(&buffer.gather(0).capacity()));
        }
    }

    #[test]
    fn shared_bytes_keep_their_order_among_frames() {
        for vectored in [false, true] {
            // Each digit: what is pushed next. 0: a small frame, 1: shared bytes, 2: all that was queued is moved on.
            for mut plan in 0..3_usize.pow(6) {
                let (mut queued, mut writing) = (WriteBuffer::default(), WriteBuffer::default());
                queued.set_vectored(vectored);
                writing.set_vectored(vectored);
                let (mut expected, mut count) = (Vec::new(), 0_u8);
                for _ in 0..6 {
                    count += 1;
                    match plan % 3 {
                        0 => {
                            queued.push_message(Role::Server, &Message::from([count; 3]));
                            expected.extend_from_slice(&[0x82, 3, count, count, count]);
                        }
                        1 => {
                            queued.push_shared(Bytes::from(vec![count; 4]));
                            expected.extend_from_slice(&[count; 4]);
                        }
                        _ => writing.append(&mut queued),
                    }
                    plan /= 3;
                }
                writing.append(&mut queued);
                let mut written = Vec::new();
                while !writing.is_empty() {
                    let part = writing.front().len().min(3);
                    written.extend_from_slice(&writing.front()[..part]);
                    writing.consume(part);
                }
                assert_eq!(written, expected);
            }
        }
    }

    #[test]
    fn shared_bytes_are_not_copied() {
        let shared = Bytes::from(vec![1; 1000]);
        let mut buffer = WriteBuffer::default();
        buffer.set_vectored(true);
        buffer.push_shared(shared.clone());
        buffer.push_message(Role::Server, &Message::from("between"));
        buffer.push_shared(shared.clone());
        let mut slices = [IoSlice::new(&[]); 4];
        assert_eq!(buffer.slices(&mut slices), 3);
        assert_eq!((slices[0].as_ptr(), slices[2].as_ptr()), (shared.as_ptr(), shared.as_ptr()));
    }
}
