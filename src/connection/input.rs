//! Bytes that were read and not yet looked at.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, ReadBuf};

use super::scratch;

/// A window into the thread's read buffer while the connection is polled; the unread rest of it, if any, in between.
#[derive(Debug, Default)]
pub(super) struct Input {
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
}

impl Input {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.buffer[self.start..self.end]
    }

    pub(super) fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Whether no more fits, or else what `condition` says of the bytes.
    pub(super) fn is_full_or(&self, condition: impl FnOnce(&[u8]) -> bool) -> bool {
        self.end - self.start == scratch::READ_SIZE || condition(self.bytes())
    }

    pub(super) fn consume(&mut self, len: usize) {
        self.start += len;
        if self.is_empty() {
            self.start = 0;
            self.end = 0;
        }
    }

    /// One read of at most `most` bytes behind what is there.
    pub(super) fn poll_fill(
        &mut self,
        transport: Pin<&mut impl AsyncRead>,
        cx: &mut Context<'_>,
        most: usize,
    ) -> Poll<io::Result<usize>> {
        if self.buffer.len() < scratch::READ_SIZE || self.end == self.buffer.len() {
            self.make_room();
        }
        let space = &mut self.buffer[self.end..];
        let most = most.min(space.len());
        let mut space = ReadBuf::new(&mut space[..most]);
        ready!(transport.poll_read(cx, &mut space))?;
        let read = space.filled().len();
        self.end += read;
        Poll::Ready(Ok(read))
    }

    /// Moves the unread bytes to the front of a whole read buffer.
    fn make_room(&mut self) {
        if self.buffer.len() < scratch::READ_SIZE {
            let mut buffer = scratch::take_read_buffer();
            buffer[..self.end - self.start].copy_from_slice(self.bytes());
            self.buffer = buffer;
        } else {
            self.buffer.copy_within(self.start..self.end, 0);
        }
        self.end -= self.start;
        self.start = 0;
    }

    /// Gives the thread's buffer back and keeps only what is unread.
    pub(super) fn park(&mut self) {
        if self.buffer.len() == scratch::READ_SIZE {
            let rest = Box::from(self.bytes());
            scratch::give_read_buffer(std::mem::replace(&mut self.buffer, rest));
            self.end -= self.start;
            self.start = 0;
        }
    }
}

impl Drop for Input {
    /// A connection that ends while it is polled still has the thread's buffer.
    fn drop(&mut self) {
        scratch::give_read_buffer(std::mem::take(&mut self.buffer));
    }
}
