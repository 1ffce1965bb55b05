//! Bytes that were read and not yet looked at.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio::io::AsyncRead;
use tokio_util::io::poll_read_buf;

use super::scratch::{self, READ_SIZE};

/// The thread's read buffer while the connection is polled; the unread rest of it, if any, in between.
#[derive(Debug, Default)]
pub(super) struct Input {
    buffer: BytesMut,
    /// How much of the buffer has been looked at. Counted here, because moving the beginning of a `BytesMut` costs each
    /// frame about 90 instructions, a twentieth of a small message's (`benches/echo.rs`).
    consumed: usize,
    borrowed: bool,
}

impl Input {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer[self.consumed..]
    }

    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.buffer[self.consumed..]
    }

    pub(super) fn len(&self) -> usize {
        self.buffer.len() - self.consumed
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether no more fits, or else what `condition` says of the bytes.
    pub(super) fn is_full_or(&self, condition: impl FnOnce(&[u8]) -> bool) -> bool {
        self.len() >= READ_SIZE || condition(self.bytes())
    }

    #[inline]
    pub(super) fn consume(&mut self, len: usize) {
        self.consumed += len;
        if self.is_empty() {
            self.buffer.clear();
            self.consumed = 0;
        }
    }

    /// Takes the next bytes out without copying them.
    pub(super) fn split_to(&mut self, len: usize) -> Bytes {
        self.drop_consumed();
        self.buffer.split_to(len).freeze()
    }

    /// Takes all that is there, with the room behind it.
    pub(super) fn take(&mut self) -> BytesMut {
        self.drop_consumed();
        std::mem::take(&mut self.buffer)
    }

    /// One read of at most `most` bytes behind what is there.
    #[inline]
    pub(super) fn poll_fill(
        &mut self,
        transport: Pin<&mut impl AsyncRead>,
        cx: &mut Context<'_>,
        most: usize,
    ) -> Poll<io::Result<usize>> {
        if !self.borrowed {
            let rest = std::mem::replace(&mut self.buffer, scratch::take_read_buffer());
            self.buffer.extend_from_slice(&rest[std::mem::take(&mut self.consumed)..]);
            self.borrowed = true;
        } else if self.room() < if self.is_empty() { READ_SIZE } else { LEAST_ROOM } {
            self.drop_consumed();
            scratch::make_room(&mut self.buffer);
        }
        let room = self.room();
        poll_read_buf(transport, cx, &mut (&mut self.buffer).limit(most.min(room)))
    }

    /// Gives the thread's buffer back and keeps only what is unread.
    #[inline]
    pub(super) fn park(&mut self) {
        if self.borrowed {
            let rest = if self.is_empty() { BytesMut::new() } else { BytesMut::from(self.bytes()) };
            scratch::give_read_buffer(std::mem::replace(&mut self.buffer, rest));
            self.consumed = 0;
            self.borrowed = false;
        }
    }

    fn room(&self) -> usize {
        self.buffer.capacity() - self.buffer.len()
    }

    #[inline]
    fn drop_consumed(&mut self) {
        self.buffer.advance(std::mem::take(&mut self.consumed));
    }
}

impl From<Bytes> for Input {
    fn from(unread: Bytes) -> Self {
        Self { buffer: BytesMut::from(&unread[..]), consumed: 0, borrowed: false }
    }
}

impl Drop for Input {
    /// A connection that ends while it is polled still has the thread's buffer.
    fn drop(&mut self) {
        if self.borrowed {
            scratch::give_read_buffer(std::mem::take(&mut self.buffer));
        }
    }
}

/// Bytes behind others are left where they are while so much can be read behind them.
const LEAST_ROOM: usize = READ_SIZE / 2;

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    fn fill(input: &mut Input, bytes: &[u8], most: usize) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let filled = input.poll_fill(Pin::new(&mut rest), &mut Context::from_waker(Waker::noop()), most);
            assert!(matches!(filled, Poll::Ready(Ok(1..))), "{filled:?}");
        }
    }

    #[test]
    fn unread_bytes_behind_others_do_not_make_the_buffer_grow() {
        let mut input = Input::default();
        for round in 0..10_000_u32 {
            // A small frame and more than as much of the next, then the rest of it.
            fill(&mut input, &[round as u8; 100], usize::MAX);
            input.consume(10);
            fill(&mut input, &[!(round as u8); 40], usize::MAX);
            assert_eq!(input.bytes(), [[round as u8; 90].as_slice(), &[!(round as u8); 40]].concat());
            input.consume(130);
            assert!(input.buffer.capacity() <= READ_SIZE, "{} bytes in round {round}", input.buffer.capacity());
        }
    }

    #[test]
    fn what_is_held_back_for_long_leaves_no_large_buffer_behind() {
        let mut input = Input::default();
        fill(&mut input, &[1; READ_SIZE], usize::MAX);
        input.consume(20_000);
        fill(&mut input, &[2; 20_000], 512);
        assert!(input.is_full_or(|_| false));
        assert_eq!(input.bytes(), [vec![1; READ_SIZE - 20_000], vec![2; 20_000]].concat());
        input.consume(READ_SIZE);
        input.park();
        assert!(scratch::take_read_buffer().capacity() <= READ_SIZE);
    }

    #[test]
    fn an_empty_buffer_is_read_into_from_its_beginning() {
        let mut input = Input::default();
        fill(&mut input, &[1; 100], usize::MAX);
        let start = input.bytes().as_ptr();
        for _ in 0..1000 {
            input.consume(100);
            input.park();
            fill(&mut input, &[1; 100], usize::MAX);
            assert_eq!(input.bytes().as_ptr(), start);
        }
    }
}
