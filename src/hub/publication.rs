//! A published message, and its frames.

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio::time::Instant;

use super::position::Position;
use crate::budget::{Budget, Charge};
use crate::message::Message;
use crate::panic_payload::drop_payload;
use crate::protocol::{Encoding, Frame, Item};

/// What is passed to `publish`: a publication that has no position yet.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    pub(super) message: Message,
    /// With [`Overflow::KeepLatest`](crate::Overflow::KeepLatest), it replaces a waiting publication with the same key.
    pub(super) key: Option<Arc<str>>,
    /// The connection that does not get it.
    pub(super) except: Option<u64>,
    /// A value of a periodic update: each new member gets the latest one.
    pub(super) latest: bool,
}

impl Draft {
    pub(super) fn new(message: Message) -> Self {
        Self { message, key: None, except: None, latest: false }
    }
}

/// A message with its position in a topic. It is encoded once for each [`Encoding`] of the members.
#[derive(Debug)]
pub(super) struct Publication {
    /// Its number in the [`Log`](super::log::Log).
    pub(super) number: u64,
    pub(super) position: Position,
    pub(super) draft: Draft,
    pub(super) published: Instant,
    /// The budget was used up when it was published: slow members queue no more than one publication.
    pub(super) scarce: bool,
    /// It reports a gap to the current members, and is not replayed to later ones.
    pub(super) is_notice: bool,
    frames: Mutex<Vec<(Encoding, Bytes)>>,
}

impl Publication {
    pub(super) fn new(number: u64, position: Position, draft: Draft, published: Instant) -> Self {
        Self { number, position, draft, published, scarce: false, is_notice: false, frames: Mutex::default() }
    }

    /// Whether it was published after this position, in the same epoch.
    pub(super) fn is_after(&self, position: Position) -> bool {
        self.position.epoch() == position.epoch() && self.position.offset() > position.offset()
    }

    /// Whether this connection gets it.
    pub(super) fn is_for(&self, connection: u64) -> bool {
        self.draft.except != Some(connection)
    }

    /// The entry for the queue of a connection with this encoding.
    pub(super) fn item(&self, encoding: Encoding, budget: &Budget) -> Item {
        let message = &self.draft.message;
        let frame = match self.frame(encoding, budget) {
            Some(frame) => Frame::Shared(frame),
            None => Frame::Unencoded(message.clone()),
        };
        Item { frame, payload: message.len(), key: self.draft.key.clone() }
    }

    /// Its frame in this encoding, made at the first call. `None`: such connections encode in their own task.
    pub(super) fn frame(&self, encoding: Encoding, budget: &Budget) -> Option<Bytes> {
        let mut frames = self.frames.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, frame)) = frames.iter().find(|(known, _)| *known == encoding) {
            return Some(frame.clone());
        }
        let frame = charged(encoding.encode(&self.draft.message)?, budget);
        // No spare capacity: there is usually one encoding, and a history keeps many publications.
        frames.reserve_exact(1);
        frames.push((encoding, frame.clone()));
        Some(frame)
    }

    /// Its size in memory without its frames, which are charged separately.
    pub(super) fn size(&self) -> usize {
        size_of::<Self>() + self.draft.message.len()
    }
}

impl Drop for Publication {
    /// A message can contain a user's type ([`Bytes::from_owner`]) whose drop panics. That must not interrupt a delivery.
    fn drop(&mut self) {
        let message = mem::replace(&mut self.draft.message, Message::binary(Bytes::new()));
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(message))) {
            tracing::error!("a message panicked when it was dropped");
            drop_payload(payload);
        }
    }
}

/// Charges bytes to the budget until their last reference is dropped. As they are in memory already, the budget may exceed its
/// limit.
pub(super) fn charged(bytes: Vec<u8>, budget: &Budget) -> Bytes {
    let mut charge = budget.charge();
    charge.raise_or_exceed(bytes.len());
    Bytes::from_owner(Charged { bytes, _charge: charge })
}

struct Charged {
    bytes: Vec<u8>,
    _charge: Charge,
}

impl AsRef<[u8]> for Charged {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}
