//! Frames on their way out.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use tokio::net::TcpStream;

use super::close_frame;
use super::frame::{BINARY, CLOSE, FIN, Header, MAX_HEADER, RSV1, TEXT, apply_mask};
use super::scratch;
use super::transport::poll_write_last;
use crate::close::CloseFrame;
use crate::message::{Message, MessageKind};
use crate::role::Role;

/// Encoded frames in order. Small ones lie together in one buffer; a large payload is kept as it is and written from
/// where it lies.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
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

impl Outgoing {
    pub(super) fn set_vectored(&mut self, vectored: bool) {
        self.vectored = vectored;
    }

    /// The bytes not yet written.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Appends a message as one frame, and says how long it is.
    #[inline]
    pub(super) fn push_message(&mut self, role: Role, message: Message) -> usize {
        let payload = message.as_bytes();
        let len = payload.len();
        let first = FIN | opcode(message.kind());
        let mask = mask(role);
        let header = Header { first, mask, len: len as u64 };
        if len >= LARGE && self.vectored && mask.is_none() {
            let payload = message.into_bytes();
            self.push_frame(header, &[]);
            self.len += len;
            self.rest.push_back(Segment::Shared(payload));
        } else {
            self.push_frame(header, payload);
        }
        len
    }

    /// Appends a payload that is compressed already (RFC 7692 §6).
    pub(super) fn push_compressed(&mut self, role: Role, kind: MessageKind, payload: &[u8]) {
        let first = FIN | RSV1 | opcode(kind);
        self.push_frame(Header { first, mask: mask(role), len: payload.len() as u64 }, payload);
    }

    /// Appends a close frame.
    pub(super) fn push_close(&mut self, role: Role, frame: &CloseFrame) {
        let payload = close_frame::payload(frame);
        self.push_frame(Header { first: FIN | CLOSE, mask: mask(role), len: payload.len() as u64 }, &payload);
    }

    /// Appends whole frames as they are.
    pub(super) fn push_raw(&mut self, frames: &[u8]) {
        self.gather(frames.len()).extend_from_slice(frames);
        self.len += frames.len();
    }

    /// Appends a header, and as much of its payload as goes along with it.
    #[inline]
    fn push_frame(&mut self, header: Header, payload: &[u8]) {
        let buffer = self.gather(MAX_HEADER + payload.len());
        let before = buffer.len();
        header.write(buffer);
        let start = buffer.len();
        buffer.extend_from_slice(payload);
        if let Some(mask) = header.mask {
            apply_mask(&mut buffer[start..], mask, 0);
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
            *buffer = scratch::take_buffer();
        }
        buffer.reserve(more);
        buffer
    }

    /// Takes everything from `other`. Nothing of it may have been written.
    #[inline]
    pub(super) fn append(&mut self, other: &mut Self) {
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

    /// Writes as much as the transport takes in one call.
    #[inline]
    pub(super) fn poll_write(
        &mut self,
        transport: Pin<&mut impl AsyncWrite>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let vectored = transport.is_write_vectored();
        let written = if self.rest.is_empty() || !vectored {
            let first = self.front();
            let most = if vectored { first.len() } else { COPIED };
            transport.poll_write(cx, &first[..first.len().min(most)])
        } else {
            self.poll_write_vectored(transport, cx)
        };
        written.map_ok(|written| {
            self.consume(written);
            written
        })
    }

    /// Whether all of it lies in one buffer.
    pub(super) fn is_in_one_piece(&self) -> bool {
        self.rest.is_empty()
    }

    /// Writes the last bytes to a TCP stream, this side of which is shut down behind them.
    pub(super) fn poll_write_last(
        &mut self,
        stream: Pin<&mut TcpStream>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let written = ready!(poll_write_last(stream, cx, self.front()))?;
        self.consume(written);
        Poll::Ready(Ok(written))
    }

    fn poll_write_vectored(
        &self,
        transport: Pin<&mut impl AsyncWrite>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let mut slices = [IoSlice::new(&[]); SLICES];
        let front = [self.front()].into_iter();
        let behind = self.rest.iter().map(Segment::bytes).skip(usize::from(self.first.is_empty()));
        let filled = slices.iter_mut().zip(front.chain(behind)).map(|(slice, bytes)| *slice = IoSlice::new(bytes));
        let count = filled.count();
        transport.poll_write_vectored(cx, &slices[..count])
    }

    /// What is to be written first.
    #[inline]
    fn front(&self) -> &[u8] {
        let front = match self.rest.front() {
            Some(segment) if self.first.is_empty() => segment.bytes(),
            _ => &self.first,
        };
        &front[self.written..]
    }

    #[inline]
    fn consume(&mut self, written: usize) {
        self.len -= written;
        self.written += written;
        if self.written < self.first.len() {
            return;
        }
        self.written -= self.first.len();
        scratch::give_buffer(std::mem::take(&mut self.first));
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
                scratch::give_buffer(buffer);
            }
        }
        self.rest = VecDeque::new();
    }
}

fn opcode(kind: MessageKind) -> u8 {
    match kind {
        MessageKind::Binary => BINARY,
        MessageKind::Text => TEXT,
    }
}

/// RFC 6455 §5.3: a client masks every frame with a key that cannot be guessed.
#[inline]
fn mask(role: Role) -> Option<[u8; 4]> {
    match role {
        Role::Client => Some(rand::random()),
        Role::Server => None,
    }
}

/// A payload from this size on is not copied into the buffer of small frames. Below it a copy costs less than a second
/// slice in the system call.
const LARGE: usize = 16 * 1024;
/// The most that a transport gets at a time which copies what it gets. hyper's streams of HTTP/2 take any amount, call it
/// written while the peer's window is closed, and show no progress before all of it has passed: a slow peer would seem to
/// take nothing. It is also the most that a frame of HTTP/2 carries unless the peer allows more (RFC 9113 §4.2).
const COPIED: usize = MAX_HEADER + 16 * 1024;
/// Segments given to one system call.
const SLICES: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_of_large_payloads_leaves_no_long_list_behind() {
        for in_between in [false, true] {
            let (mut queued, mut writing) = (Outgoing::default(), Outgoing::default());
            queued.set_vectored(true);
            let mut expected = 0;
            for _ in 0..2 {
                for _ in 0..1000 {
                    queued.push_message(Role::Server, Message::from(vec![0; LARGE]));
                }
                expected += queued.len();
                if in_between {
                    writing.push_raw(b"pong");
                    expected += 4;
                }
                writing.append(&mut queued);
                assert_eq!(writing.len(), expected);
            }
            writing.consume(expected);
            assert!(writing.is_empty() && queued.is_empty());
            assert_eq!((queued.rest.capacity(), writing.rest.capacity()), (0, 0));
        }
    }
}
