//! What the lock of a topic protects.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tokio::time::Instant;

use super::history::{Gap, GapNotice, Recovered};
use super::log::Log;
use super::members::{Members, Replay};
use super::position::Position;
use super::presence::{OnPresence, Present};
use super::publication::Draft;
use crate::budget::Budget;
#[cfg(any(feature = "nats", feature = "redis"))]
use crate::connection::FeedId;
use crate::connection::Inner;
use crate::message::Message;
use crate::panic_payload::drop_payload;
use crate::protocol::{Encoding, Frame, Item, Notice};

/// The parts of a topic that change. The invariants are in [`TopicInner`](super::topic_inner::TopicInner).
pub(super) struct State {
    pub(super) log: Log,
    pub(super) members: Members,
    /// A distributor is running or about to start.
    pub(super) distributing: bool,
    /// Whether the registry keeps the topic for its history.
    pub(super) retained: bool,
    /// The presence values of members.
    pub(super) present: Present,
    pub(super) encode: Option<Arc<Encode>>,
    pub(super) on_presence: Option<Arc<OnPresence>>,
    pub(super) dropped_notice: Option<Arc<Notice>>,
    pub(super) gap_notice: Option<Arc<GapNotice>>,
    pub(super) capacity: usize,
    /// The log has been loaded from the broker. Always true without a broker.
    pub(super) is_ready: bool,
    /// The broker was asked to load the topic.
    #[cfg(any(feature = "nats", feature = "redis"))]
    pub(super) is_followed: bool,
    /// A request to read the broker's log again is queued.
    #[cfg(any(feature = "nats", feature = "redis"))]
    pub(super) catch_up_requested: bool,
}

/// Makes the message that members get, from a published message and its position.
pub(super) type Encode = dyn Fn(Message, Position) -> Message + Send + Sync;

impl State {
    /// The state of a new topic that begins at `start`. `None`: the position must be loaded from the broker.
    pub(super) fn new(start: Option<Position>, budget: &Budget) -> Self {
        Self {
            log: Log::new(start.unwrap_or_default(), budget),
            members: Members::default(),
            distributing: false,
            retained: false,
            present: Present::default(),
            encode: None,
            on_presence: None,
            dropped_notice: None,
            gap_notice: None,
            capacity: DEFAULT_CAPACITY,
            is_ready: start.is_some(),
            #[cfg(any(feature = "nats", feature = "redis"))]
            is_followed: false,
            #[cfg(any(feature = "nats", feature = "redis"))]
            catch_up_requested: false,
        }
    }

    /// Encodes a publication and appends it to the log. It is not encoded where neither a member nor a history needs it.
    pub(super) fn append(&mut self, position: Position, mut draft: Draft, published: Instant, has_members: bool) {
        if (has_members || self.log.has_history())
            && let Some(encode) = self.encode.clone()
        {
            draft.message = encode(draft.message, position);
        }
        self.log.append(position, draft, has_members, published);
    }

    /// Sends their replay to the members that wait for the broker and for which `is_due` returns `true`.
    #[cfg(any(feature = "nats", feature = "redis"))]
    pub(super) fn replay_to_waiting(&mut self, budget: &Budget, is_due: impl FnMut(FeedId, Replay) -> bool) {
        // Taken out, because `self.replay` borrows all of `self`.
        let mut members = std::mem::take(&mut self.members);
        for (id, member, replay) in members.take_waiting(is_due) {
            let (_, items) = self.replay(replay, &member.connection, member.encoding, budget);
            member.sent = self.log.head();
            member.connection.replay(id, items);
        }
        self.members = members;
    }

    /// What a member with this connection and encoding gets first, and whether that is everything it has missed.
    pub(super) fn replay(
        &self,
        replay: Replay,
        connection: &Inner,
        encoding: Encoding,
        budget: &Budget,
    ) -> (Recovered, Vec<Item>) {
        let (recovered, replayed) = self.log.replay(replay, connection.id(), Instant::now());
        let mut items: Vec<_> = replayed.iter().map(|publication| publication.item(encoding, budget)).collect();
        if recovered == Recovered::Gap
            && let Replay::After(after) = replay
            && let Some(message) = self.gap_message(Gap { after, up_to: self.log.position() })
        {
            let payload = message.len();
            items.insert(0, Item { frame: Frame::Unencoded(message), payload, key: None });
        }
        (recovered, items)
    }

    /// Makes the message that reports a gap. If the user's function panics, there is no message.
    pub(super) fn gap_message(&self, gap: Gap) -> Option<Message> {
        let notice = self.gap_notice.as_ref()?;
        let message = catch_unwind(AssertUnwindSafe(|| notice(gap)));
        message
            .map_err(|payload| {
                tracing::error!("the function of `Topic::tell_gap` panicked");
                drop_payload(payload);
            })
            .ok()
    }
}

/// How many publications can wait for a slow member.
const DEFAULT_CAPACITY: usize = 256;
