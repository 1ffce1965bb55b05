//! The sending half that a connection shares with its handles: what is queued, and how much of it is written.

use bytes::Bytes;

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
    /// All bytes ever queued, and of these the ones that the transport has taken.
    bytes_queued: u64,
    bytes_written: u64,
    limit: u64,
    /// What of it came from where.
    shares: Shares,
    totals: Totals,
    charge: Charge,
    /// Nothing more will be written.
    cleared: bool,
}

/// How many bytes of each source are not written, at most. All is written in the order in which it was queued, so that what was
/// queued before `mark` is written once as many bytes are; then the mark moves to the end.
#[derive(Debug, Default)]
struct Shares {
    mark: u64,
    /// From handles, close frames included.
    handles: Share,
    /// From topics, encoded for this connection.
    topics: Share,
    /// From topics, and shared with other connections.
    shared: Share,
}

/// The bytes of one source that were queued before the mark, and not before the last one, and those after it.
#[derive(Debug, Default)]
struct Share {
    before: u64,
    after: u64,
}

impl Share {
    #[inline]
    fn bytes(&self) -> u64 {
        self.before + self.after
    }
}

impl Shares {
    /// Everything before the mark is written, and so much is queued.
    #[inline]
    fn pass_mark(&mut self, bytes_queued: u64) {
        self.mark = bytes_queued;
        for share in [&mut self.handles, &mut self.topics, &mut self.shared] {
            share.before = std::mem::take(&mut share.after);
        }
    }
}

/// What was sent.
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
            shares: Shares::default(),
            totals: Totals::default(),
            charge: limits.budget.charge(),
            cleared: false,
        }
    }

    /// Which end of the connection sends.
    pub(crate) fn role(&self) -> Role {
        self.role
    }

    /// Whether the transport writes from several places at once.
    pub(crate) fn set_vectored(&mut self, vectored: bool) {
        self.queue.set_vectored(vectored);
    }

    /// Whether a handle may queue another message. Handles and topics have a capacity each: neither keeps the other
    /// waiting where the peer is slow.
    #[inline]
    pub(crate) fn has_capacity(&self) -> bool {
        self.unwritten_bytes().min(self.shares.handles.bytes()) < self.limit
    }

    /// Whether a topic may queue another message.
    #[inline]
    pub(crate) fn has_topic_capacity(&self) -> bool {
        self.topic_capacity() > 0
    }

    /// How many bytes topics may queue; the last message may be longer.
    #[inline]
    pub(crate) fn topic_capacity(&self) -> u64 {
        let queued = self.unwritten_bytes().min(self.shares.topics.bytes() + self.shares.shared.bytes());
        self.limit.saturating_sub(queued)
    }

    /// Queues a message, and says up to which byte must be written for it to be out.
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

    /// Queues encoded frames that other connections are sent too: so many messages with so much payload.
    #[inline]
    pub(crate) fn push_shared(&mut self, frames: Bytes, messages: u64, payload: u64) {
        self.bytes_queued += frames.len() as u64;
        self.shares.shared.after += frames.len() as u64;
        self.queue.push_shared(frames);
        self.totals.messages += messages;
        self.totals.payload += payload;
    }

    /// What was queued behind this byte came from a topic.
    pub(crate) fn count_as_topic(&mut self, offset: u64) {
        self.shares.handles.after -= self.bytes_queued - offset;
        self.shares.topics.after += self.bytes_queued - offset;
    }

    /// Queues a close frame.
    pub(crate) fn push_close(&mut self, frame: &CloseFrame) {
        let role = self.role;
        self.count_bytes(|queue| queue.push_close(role, frame));
    }

    /// Up to which byte all is queued.
    pub(crate) fn bytes_queued(&self) -> u64 {
        self.bytes_queued
    }

    /// Whether there is anything to [take](Self::take_queued).
    #[inline]
    pub(crate) fn has_queued(&self) -> bool {
        !self.queue.is_empty()
    }

    /// What waits to be written.
    #[inline]
    pub(crate) fn unwritten_bytes(&self) -> u64 {
        self.bytes_queued - self.bytes_written
    }

    /// Whether everything up to this byte is written.
    pub(crate) fn is_written(&self, offset: u64) -> bool {
        self.bytes_written >= offset
    }

    /// Appends everything queued to what is being written.
    #[inline]
    pub(crate) fn take_queued(&mut self, writing: &mut WriteBuffer) {
        writing.append(&mut self.queue);
    }

    /// The transport has taken so many bytes; `queued` of them were queued here, the others are control frames.
    #[inline]
    pub(crate) fn advance(&mut self, bytes: u64, queued: u64) {
        self.totals.wire += bytes;
        self.bytes_written += queued;
        if self.bytes_written >= self.shares.mark {
            self.shares.pass_mark(self.bytes_queued);
        }
    }

    /// Charges what waits to be written to the budget. It is in memory already, so that the budget may go over its limit:
    /// then nothing more is received, and [`Limits::max_write_buffer_size`](crate::Limits::max_write_buffer_size) bounds what is sent.
    #[inline]
    pub(crate) fn charge_unwritten(&mut self) {
        if self.cleared {
            return;
        }
        // Shared frames are charged where they are made.
        let unshared = self.shares.handles.bytes() + self.shares.topics.bytes();
        let unwritten = usize::try_from(self.unwritten_bytes().min(unshared)).unwrap_or(usize::MAX);
        self.charge.raise_or_exceed(if unwritten > UNCHARGED { unwritten } else { 0 });
    }

    /// Nothing more will be written. Returns what was queued, to be dropped without the lock: payloads may be the user's.
    #[must_use]
    pub(crate) fn clear(&mut self) -> WriteBuffer {
        self.cleared = true;
        self.charge.release();
        std::mem::take(&mut self.queue)
    }

    pub(crate) fn totals(&self) -> Totals {
        self.totals
    }

    /// `push` says how long the message is: asking the message twice takes a hundredth of a burst's instructions.
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
        self.shares.handles.after += queued;
        result
    }
}

/// So little is not charged, so that small messages do not touch a counter that all connections share.
const UNCHARGED: usize = 4 * 1024;
