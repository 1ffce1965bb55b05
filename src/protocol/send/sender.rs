//! The sending half that a connection shares with its handles: what is queued, and how much of it is written.

use bytes::Bytes;

use super::unwritten::Unwritten;
use super::write_buffer::WriteBuffer;
use crate::budget::Charge;
use crate::close::CloseFrame;
use crate::limits::Limits;
use crate::message::Message;
use crate::role::Role;

/// Encoded frames that wait to be written. A close frame is always the last of them.
#[derive(Debug)]
pub(crate) struct Sender {
    role: Role,
    queue: WriteBuffer,
    /// All bytes ever queued, and how many of them the transport has accepted and flushed.
    bytes_queued: u64,
    bytes_written: u64,
    limit: u64,
    /// How many bytes of each source are not yet written.
    unwritten: Unwritten,
    totals: Totals,
    charge: Charge,
    /// Nothing more will be written.
    cleared: bool,
}

/// Counters of what was sent. `wire` has all written bytes, control frames and headers included.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Totals {
    pub(crate) messages: u64,
    pub(crate) payload: u64,
    pub(crate) wire: u64,
}

impl Sender {
    pub(crate) fn new(role: Role, limits: &Limits) -> Self {
        Self {
            role,
            queue: WriteBuffer::default(),
            bytes_queued: 0,
            bytes_written: 0,
            limit: limits.outgoing as u64,
            unwritten: Unwritten::default(),
            totals: Totals::default(),
            charge: limits.budget.charge(),
            cleared: false,
        }
    }

    /// Which end of the connection sends.
    pub(crate) fn role(&self) -> Role {
        self.role
    }

    /// Sets whether the transport can write several buffers at once.
    pub(crate) fn set_vectored(&mut self, vectored: bool) {
        self.queue.set_vectored(vectored);
    }

    /// Whether a handle may queue another message. Handles and topics have separate capacities: if the peer is slow, neither delays
    /// the other.
    #[inline]
    pub(crate) fn has_capacity(&self) -> bool {
        self.unwritten_bytes().min(self.unwritten.handles.total()) < self.limit
    }

    /// Whether a topic may queue another message.
    #[inline]
    pub(crate) fn has_topic_capacity(&self) -> bool {
        self.topic_capacity() > 0
    }

    /// How many bytes topics may queue; the last message may be longer.
    #[inline]
    pub(crate) fn topic_capacity(&self) -> u64 {
        let queued = self.unwritten_bytes().min(self.unwritten.topics.total() + self.unwritten.shared.total());
        self.limit.saturating_sub(queued)
    }

    /// Queues a message, and returns the [offset](Self::is_written) of its end.
    #[inline]
    pub(crate) fn push(&mut self, message: &Message) -> u64 {
        let role = self.role;
        self.count_message(|queue| queue.push_message(role, message))
    }

    /// Queues a message whose payload is compressed already.
    pub(crate) fn push_compressed(&mut self, message: &Message, compressed: &[u8]) -> u64 {
        let role = self.role;
        self.count_message(|queue| {
            queue.push_compressed(role, message.kind(), compressed);
            message.len()
        })
    }

    /// Queues encoded frames that are shared with other connections: this number of messages with this total payload.
    #[inline]
    pub(crate) fn push_shared(&mut self, frames: Bytes, messages: u64, payload: u64) {
        self.bytes_queued += frames.len() as u64;
        self.unwritten.shared.add(frames.len() as u64);
        self.queue.push_shared(frames);
        self.totals.messages += messages;
        self.totals.payload += payload;
    }

    /// Counts what was queued after this offset as from a topic, not from a handle.
    pub(crate) fn count_as_topic(&mut self, offset: u64) {
        self.unwritten.move_to_topics(self.bytes_queued - offset);
    }

    /// Queues a close frame.
    pub(crate) fn push_close(&mut self, frame: &CloseFrame) {
        let role = self.role;
        self.count_bytes(|queue| queue.push_close(role, frame));
    }

    /// All bytes ever queued, which is the offset of the end of the queue.
    pub(crate) fn bytes_queued(&self) -> u64 {
        self.bytes_queued
    }

    /// Whether there is anything to [take](Self::take_queued).
    #[inline]
    pub(crate) fn has_queued(&self) -> bool {
        !self.queue.is_empty()
    }

    /// How many bytes wait to be written.
    #[inline]
    pub(crate) fn unwritten_bytes(&self) -> u64 {
        self.bytes_queued - self.bytes_written
    }

    /// Whether all queued bytes up to this offset are written.
    pub(crate) fn is_written(&self, offset: u64) -> bool {
        self.bytes_written >= offset
    }

    /// Moves everything queued to the end of what is being written.
    #[inline]
    pub(crate) fn take_queued(&mut self, writing: &mut WriteBuffer) {
        writing.append(&mut self.queue);
    }

    /// Called when the transport has accepted and flushed bytes. `queued` of them were queued here, the others are control frames.
    #[inline]
    pub(crate) fn advance(&mut self, bytes: u64, queued: u64) {
        self.totals.wire += bytes;
        self.bytes_written += queued;
        self.unwritten.advance(self.bytes_written, self.bytes_queued);
    }

    /// Charges unwritten bytes to the budget. They are in memory already, so the budget may exceed its limit: then the connection
    /// receives nothing more, and [`Limits::max_write_buffer_size`](crate::Limits::max_write_buffer_size) limits what it sends.
    #[inline]
    pub(crate) fn charge_unwritten(&mut self) {
        if self.cleared {
            return;
        }
        // Shared frames are charged where they are made.
        let unshared = self.unwritten.handles.total() + self.unwritten.topics.total();
        let unwritten = usize::try_from(self.unwritten_bytes().min(unshared)).unwrap_or(usize::MAX);
        self.charge.raise_or_exceed(if unwritten > UNCHARGED { unwritten } else { 0 });
    }

    /// Called when nothing more will be written. Returns what was queued, which the caller drops after releasing the lock: payloads
    /// may be user types.
    #[must_use]
    pub(crate) fn clear(&mut self) -> WriteBuffer {
        self.cleared = true;
        self.charge.release();
        std::mem::take(&mut self.queue)
    }

    pub(crate) fn totals(&self) -> Totals {
        self.totals
    }

    /// `push` returns the length of the message: computing it twice would be a hundredth of a burst's instructions.
    #[inline]
    fn count_message(&mut self, push: impl FnOnce(&mut WriteBuffer) -> usize) -> u64 {
        let payload = self.count_bytes(push);
        self.totals.messages += 1;
        self.totals.payload += payload as u64;
        self.bytes_queued
    }

    #[inline]
    fn count_bytes<R>(&mut self, push: impl FnOnce(&mut WriteBuffer) -> R) -> R {
        let before = self.queue.len();
        let result = push(&mut self.queue);
        let queued = (self.queue.len() - before) as u64;
        self.bytes_queued += queued;
        self.unwritten.handles.add(queued);
        result
    }
}

/// Up to this many bytes are not charged, so that small messages do not modify a counter that all connections share.
const UNCHARGED: usize = 4 * 1024;
