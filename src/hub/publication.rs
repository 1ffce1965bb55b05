//! One message that was published, and the frames that were made of it.

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

/// What a publisher hands over.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    pub(super) message: Message,
    /// What it is a newer value of.
    pub(super) key: Option<Arc<str>>,
    /// The connection that does not get it.
    pub(super) except: Option<u64>,
    /// New members get it too, until there is a later one.
    pub(super) latest: bool,
}

/// A message at its place in a topic. It is encoded once for each way in which connections encode.
#[derive(Debug)]
pub(super) struct Publication {
    /// Its number in the log of this process.
    pub(super) number: u64,
    /// What clients know it by.
    pub(super) position: Position,
    pub(super) draft: Draft,
    pub(super) published: Instant,
    /// Memory is short.
    pub(super) scarce: bool,
    /// It reports a gap to the members of now, and is not replayed to later ones.
    pub(super) is_notice: bool,
    frames: Mutex<Vec<(Encoding, Bytes)>>,
}

impl Publication {
    pub(super) fn new(number: u64, position: Position, draft: Draft, published: Instant) -> Self {
        Self { number, position, draft, published, scarce: false, is_notice: false, frames: Mutex::default() }
    }

    /// Whether it was published after this position, of the same epoch.
    pub(super) fn is_after(&self, position: Position) -> bool {
        self.position.epoch() == position.epoch() && self.position.offset() > position.offset()
    }

    /// Whether this connection gets it.
    pub(super) fn is_for(&self, connection: u64) -> bool {
        self.draft.except != Some(connection)
    }

    /// It, for a connection that encodes in this way.
    pub(super) fn item(&self, encoding: Encoding, budget: &Budget) -> Item {
        let message = &self.draft.message;
        let frame = match self.frame(encoding, budget) {
            Some(frame) => Frame::Shared(frame),
            None => Frame::Unencoded(message.clone()),
        };
        Item { frame, payload: message.len(), key: self.draft.key.clone() }
    }

    /// Its frame, made when it is first asked for.
    pub(super) fn frame(&self, encoding: Encoding, budget: &Budget) -> Option<Bytes> {
        let mut frames = self.frames.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, frame)) = frames.iter().find(|(known, _)| *known == encoding) {
            return Some(frame.clone());
        }
        let frame = charged(encoding.encode(&self.draft.message)?, budget);
        // Most often it is the only one, and a history keeps many of them.
        frames.reserve_exact(1);
        frames.push((encoding, frame.clone()));
        Some(frame)
    }

    /// The memory that it takes before it is encoded.
    pub(super) fn size(&self) -> usize {
        size_of::<Self>() + self.draft.message.len()
    }
}

impl Drop for Publication {
    /// Bytes may be the user's own, and panic when they are dropped. That is not to come between a topic and its members.
    fn drop(&mut self) {
        let message = mem::replace(&mut self.draft.message, Message::binary(Bytes::new()));
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(message))) {
            tracing::error!("a message panicked when it was dropped");
            drop_payload(payload);
        }
    }
}

/// Bytes that are charged to the budget until their last reference is dropped. They are in memory already, so that the budget may
/// go over its limit.
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
