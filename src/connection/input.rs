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
    borrowed: bool,
}

impl Input {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer
    }

    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.buffer
    }

    pub(super) fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    /// Whether no more fits, or else what `condition` says of the bytes.
    pub(super) fn is_full_or(&self, condition: impl FnOnce(&[u8]) -> bool) -> bool {
        self.buffer.len() >= READ_SIZE || condition(&self.buffer)
    }

    pub(super) fn consume(&mut self, len: usize) {
        self.buffer.advance(len);
    }

    /// Takes the next bytes out without copying them.
    pub(super) fn split_to(&mut self, len: usize) -> Bytes {
        self.buffer.split_to(len).freeze()
    }

    /// Takes all that is there, with the room behind it.
    pub(super) fn take(&mut self) -> BytesMut {
        std::mem::take(&mut self.buffer)
    }

    /// One read of at most `most` bytes behind what is there.
    pub(super) fn poll_fill(
        &mut self,
        transport: Pin<&mut impl AsyncRead>,
        cx: &mut Context<'_>,
        most: usize,
    ) -> Poll<io::Result<usize>> {
        if !self.borrowed {
            let rest = std::mem::replace(&mut self.buffer, scratch::take_read_buffer());
            self.buffer.extend_from_slice(&rest);
            self.borrowed = true;
        }
        let most = most.min(READ_SIZE.saturating_sub(self.buffer.len()));
        self.buffer.reserve(most);
        poll_read_buf(transport, cx, &mut (&mut self.buffer).limit(most))
    }

    /// Gives the thread's buffer back and keeps only what is unread.
    pub(super) fn park(&mut self) {
        if self.borrowed {
            let rest = BytesMut::from(self.bytes());
            scratch::give_read_buffer(std::mem::replace(&mut self.buffer, rest));
            self.borrowed = false;
        }
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
