//! Bytes that were read and not yet parsed.

use bytes::buf::Limit;
use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::protocol::buffer_pool::{self, READ_SIZE};

/// While the connection is polled: the thread's read buffer. Between polls: a copy of the bytes that are not parsed, if any.
#[derive(Debug, Default)]
pub(super) struct ReadBuffer {
    buffer: BytesMut,
    /// How many bytes of the buffer have been parsed. Counted here, because `BytesMut::advance` for each frame would be about 90
    /// instructions, a twentieth of those for a small message (`benches/echo.rs`).
    consumed: usize,
    /// Whether `buffer` is the thread's read buffer.
    is_threads: bool,
}

impl ReadBuffer {
    #[inline]
    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer[self.consumed..]
    }

    #[inline]
    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.buffer[self.consumed..]
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.buffer.len() - self.consumed
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether there is no space for more bytes.
    pub(super) fn is_full(&self) -> bool {
        self.len() >= READ_SIZE
    }

    #[inline]
    pub(super) fn consume(&mut self, len: usize) {
        self.consumed += len;
        if self.is_empty() {
            self.buffer.clear();
            self.consumed = 0;
        }
    }

    /// Removes the next bytes without copying them.
    pub(super) fn split_to(&mut self, len: usize) -> Bytes {
        self.drop_consumed();
        self.buffer.split_to(len).freeze()
    }

    /// Takes the whole buffer: the bytes that are not parsed, and its spare capacity.
    pub(super) fn take(&mut self) -> BytesMut {
        self.drop_consumed();
        std::mem::take(&mut self.buffer)
    }

    /// Space for at most `limit` bytes after those that are not parsed.
    #[inline]
    pub(super) fn read_space(&mut self, limit: usize) -> Limit<&mut BytesMut> {
        if !self.is_threads {
            let rest = std::mem::replace(&mut self.buffer, buffer_pool::take_read_buffer());
            let consumed = std::mem::take(&mut self.consumed);
            if consumed < rest.len() {
                self.buffer.extend_from_slice(&rest[consumed..]);
            }
            self.is_threads = true;
        } else if self.spare() < if self.is_empty() { READ_SIZE } else { MIN_SPACE } {
            self.drop_consumed();
            buffer_pool::make_room(&mut self.buffer);
        }
        let limit = limit.min(self.spare());
        (&mut self.buffer).limit(limit)
    }

    /// Gives the thread's buffer back, and keeps only the bytes that are not parsed.
    #[inline]
    pub(super) fn park(&mut self) {
        if self.is_threads {
            let rest = if self.is_empty() { BytesMut::new() } else { BytesMut::from(self.bytes()) };
            buffer_pool::give_read_buffer(std::mem::replace(&mut self.buffer, rest));
            self.consumed = 0;
            self.is_threads = false;
        }
    }

    #[inline]
    fn spare(&self) -> usize {
        self.buffer.capacity() - self.buffer.len()
    }

    #[inline]
    fn drop_consumed(&mut self) {
        self.buffer.advance(std::mem::take(&mut self.consumed));
    }
}

impl From<&[u8]> for ReadBuffer {
    fn from(unread: &[u8]) -> Self {
        Self { buffer: BytesMut::from(unread), consumed: 0, is_threads: false }
    }
}

impl Drop for ReadBuffer {
    /// If a connection ends while it is polled, it still has the thread's buffer.
    fn drop(&mut self) {
        if self.is_threads {
            buffer_pool::give_read_buffer(std::mem::take(&mut self.buffer));
        }
    }
}

/// Bytes that are not parsed are moved to the beginning of the buffer if there is less space than this after them.
const MIN_SPACE: usize = READ_SIZE / 2;

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(buffer: &mut ReadBuffer, mut bytes: &[u8], limit: usize) {
        while !bytes.is_empty() {
            let mut space = buffer.read_space(limit);
            let (part, rest) = bytes.split_at(space.remaining_mut().min(bytes.len()));
            assert!(!part.is_empty(), "there is no room");
            space.put_slice(part);
            bytes = rest;
        }
    }

    #[test]
    fn unparsed_bytes_after_parsed_ones_do_not_make_the_buffer_grow() {
        let mut buffer = ReadBuffer::default();
        for round in 0..10_000_u32 {
            // A small frame and more than as much of the next, then the rest of it.
            fill(&mut buffer, &[round as u8; 100], usize::MAX);
            buffer.consume(10);
            fill(&mut buffer, &[!(round as u8); 40], usize::MAX);
            assert_eq!(buffer.bytes(), [[round as u8; 90].as_slice(), &[!(round as u8); 40]].concat());
            buffer.consume(130);
            assert!(buffer.buffer.capacity() <= READ_SIZE, "{} bytes in round {round}", buffer.buffer.capacity());
        }
    }

    #[test]
    fn a_full_buffer_does_not_grow_by_small_reads() {
        let mut buffer = ReadBuffer::default();
        fill(&mut buffer, &[1; READ_SIZE], usize::MAX);
        buffer.consume(20_000);
        fill(&mut buffer, &[2; 20_000], 512);
        assert!(buffer.is_full());
        assert_eq!(buffer.bytes(), [vec![1; READ_SIZE - 20_000], vec![2; 20_000]].concat());
        buffer.consume(READ_SIZE);
        buffer.park();
        assert!(buffer_pool::take_read_buffer().capacity() <= READ_SIZE);
    }

    #[test]
    fn its_length_is_that_of_the_unparsed_bytes() {
        let mut buffer = ReadBuffer::default();
        assert!(buffer.is_empty() && !buffer.is_full());
        fill(&mut buffer, &[1; 100], usize::MAX);
        buffer.consume(40);
        assert_eq!((buffer.len(), buffer.is_empty(), buffer.bytes_mut().len()), (60, false, 60));
        assert_eq!(buffer.split_to(10), [1; 10][..]);
        assert_eq!(buffer.len(), 50);
        buffer.consume(50);
        assert!(buffer.is_empty());
        fill(&mut buffer, &[1; 65_791], usize::MAX);
        assert!(!buffer.is_full());
        fill(&mut buffer, &[2], usize::MAX);
        assert!(buffer.is_full());
    }

    #[test]
    fn unparsed_bytes_are_moved_if_less_than_half_of_the_space_is_after_them() {
        for (spare, moved) in [(32_896, false), (32_895, true)] {
            let mut buffer = ReadBuffer::default();
            fill(&mut buffer, &vec![1; READ_SIZE - spare], usize::MAX);
            buffer.consume(READ_SIZE - spare - 1);
            let start = buffer.bytes().as_ptr();
            let room = buffer.read_space(usize::MAX).remaining_mut();
            assert_eq!(room, if moved { READ_SIZE - 1 } else { spare });
            assert_eq!((buffer.bytes().as_ptr() != start, buffer.bytes()), (moved, &[1][..]));
        }
    }

    #[test]
    fn the_threads_buffer_is_given_back_by_park_and_by_drop() {
        let used = |end: fn(ReadBuffer)| {
            let mut buffer = ReadBuffer::default();
            fill(&mut buffer, b"unread", usize::MAX);
            let start = buffer.bytes().as_ptr();
            end(buffer);
            // Memory that was freed would be used for this.
            let _other = BytesMut::with_capacity(READ_SIZE);
            let again = buffer_pool::take_read_buffer();
            let same = again.as_ptr() == start;
            buffer_pool::give_read_buffer(again);
            same
        };
        assert!(used(drop));
        assert!(used(|mut buffer| {
            buffer.park();
            assert_eq!((buffer.bytes(), buffer.is_threads), (&b"unread"[..], false));
            buffer.consume(6);
            buffer.park();
            assert_eq!(buffer.buffer.capacity(), 6, "no more than was unread");
        }));
    }

    #[test]
    fn an_empty_buffer_is_read_into_from_its_beginning() {
        let mut buffer = ReadBuffer::default();
        fill(&mut buffer, &[1; 100], usize::MAX);
        let start = buffer.bytes().as_ptr();
        for _ in 0..1000 {
            buffer.consume(100);
            buffer.park();
            fill(&mut buffer, &[1; 100], usize::MAX);
            assert_eq!(buffer.bytes().as_ptr(), start);
        }
    }
}
