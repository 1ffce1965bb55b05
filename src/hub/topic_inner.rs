//! What all handles of a topic share: the heart of the hub.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
#[cfg(feature = "json")]
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::backplane::Backplane;
use super::distributor;
use super::history::{GapNotice, History, Recovered};
use super::members::{Member, Replay, on_drop};
use super::presence::{self, OnPresence, Presence};
use super::publication::Draft;
use super::registry::Registry;
use super::seat::Seat;
use super::state::{Encode, State};
use super::stats::Counters;
use super::sweep::Sweep;
use crate::budget::Budget;
use crate::connection::{FeedId, Inner};
use crate::error::Error;
use crate::manager::Manager;
use crate::message::Message;
use crate::metrics::hub;
use crate::panic_payload::drop_payload;
use crate::protocol::{Feed, Notice, Overflow};

/// One topic.
///
/// What is true whenever `state` is not locked:
///
/// 1. The [`Log`] alone gives the order. A publication is in it before any member is sent it.
/// 2. A member has been sent everything up to `Member::sent`, in the log's order, and nothing else; it joined behind a publication, and
///    was sent what it asked for of earlier publications before it became a member.
/// 3. Where a member has not been sent everything, `distributing` is true, and a distributor runs, or is about to. A member that
///    waits for the broker is sent nothing before its answer, and then what it asked for.
/// 4. A member's feed is in its connection, and the feed's guard removes the member. So a member leaves when its seat is dropped or
///    its connection can send no more, whichever is first.
///
/// Locks are taken in this order: `sweep`, `state`, a connection's. A publication, a join, a leave, and each chunk of members that
/// is about to be delivered to lock `state` for a few instructions. It is not locked while anything is delivered, compressed or
/// woken. Publishers lock nothing else, so that no publisher waits for members.
pub(super) struct TopicInner {
    pub(super) name: Box<str>,
    pub(super) budget: Budget,
    pub(super) backplane: Arc<Backplane>,
    /// It may keep this topic, and is not kept by it.
    registry: Weak<Registry>,
    state: Mutex<State>,
    /// Taken by distributors alone.
    sweep: Mutex<Sweep>,
    /// Told of each join.
    joined: Notify,
    /// Told when the broker has answered.
    pub(super) ready: Notify,
    pub(super) counters: Counters,
}

impl TopicInner {
    pub(super) fn new(name: &str, registry: &Arc<Registry>) -> Arc<Self> {
        let state = State::new(registry.backplane.start(), &registry.budget);
        Arc::new(Self {
            name: name.into(),
            budget: registry.budget.clone(),
            backplane: registry.backplane.clone(),
            registry: Arc::downgrade(registry),
            state: Mutex::new(state),
            sweep: Mutex::default(),
            joined: Notify::new(),
            ready: Notify::new(),
            counters: Counters::default(),
        })
    }

    /// A panic elsewhere does not spread: every change to the state is complete in itself.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_history(&self, history: History) {
        self.lock().log.set_history(history, Instant::now());
    }

    pub(super) fn set_encode(&self, encode: Arc<Encode>) {
        self.lock().encode = Some(encode);
    }

    pub(super) fn set_on_presence(&self, on_presence: Arc<OnPresence>) {
        self.lock().on_presence = Some(on_presence);
    }

    pub(super) fn set_dropped_notice(&self, notice: Arc<Notice>) {
        self.lock().dropped_notice = Some(notice);
    }

    pub(super) fn set_gap_notice(&self, notice: Arc<GapNotice>) {
        self.lock().gap_notice = Some(notice);
    }

    pub(super) fn set_capacity(&self, capacity: usize) {
        self.lock().capacity = capacity;
    }

    /// Puts a publication at the end of the order, at the next position. Called by the backplane of this process.
    pub(super) fn append(self: &Arc<Self>, draft: Draft) {
        self.make_room();
        let mut state = self.lock();
        let position = state.log.next_position();
        let has_members = !state.members.is_empty();
        state.append(position, draft, Instant::now(), has_members);
        self.counters.published();
        self.distribute(state);
    }

    /// Forgets histories where memory is short. The topic must not be locked.
    pub(super) fn make_room(&self) {
        if self.budget.is_scarce()
            && let Some(registry) = self.registry.upgrade()
        {
            registry.make_room();
        }
    }

    /// Has what was appended delivered, and the topic kept for its history.
    pub(super) fn distribute(self: &Arc<Self>, mut state: MutexGuard<'_, State>) {
        let has_more = state.log.delivered() != state.log.head();
        let start = has_more && !state.members.is_empty() && !std::mem::replace(&mut state.distributing, true);
        let retain = state.log.expires().filter(|_| !std::mem::replace(&mut state.retained, true));
        drop(state);
        if let Some(expires) = retain
            && let Some(registry) = self.registry.upgrade()
        {
            registry.retain(self.clone(), expires);
        }
        if start {
            distributor::start(self);
        }
    }

    /// Makes the connection a member.
    pub(super) fn join(
        self: &Arc<Self>,
        ws: &Manager,
        overflow: Overflow,
        replay: Replay,
    ) -> Result<(Seat, Recovered), Error> {
        let connection = ws.connection();
        let encoding = connection.encoding();
        let budget = &self.budget;
        let now = Instant::now();
        // Encoding takes time: what is encoded here need not be under the lock.
        let (_, replayed) = self.lock().log.replay(replay, connection.id(), now);
        for publication in &replayed {
            publication.frame(encoding, budget);
        }
        let id = FeedId(NEXT_FEED.fetch_add(1, Ordering::Relaxed));
        let topic = self.clone();
        let guard = on_drop(move || topic.leave(id));

        let mut state = self.lock();
        let is_ready = state.is_ready;
        // A client may come from a server that is ahead of this one.
        let is_behind = is_ready && self.backplane.is_shared() && replay.is_after(state.log.position());
        let waits_for = (!is_ready || is_behind).then_some(replay);
        let (recovered, items) = match waits_for {
            None => state.replay(replay, connection, encoding, budget),
            Some(_) => (Recovered::Pending, Vec::new()),
        };
        let feed = Feed::new(overflow, state.capacity, items).with_notice(state.dropped_notice.clone());
        let joined = connection.add_feed(id, feed, guard);
        let position = state.log.position();
        if joined.is_ok() {
            let sent = state.log.head();
            state.members.insert(id, Member { connection: connection.clone(), encoding, sent, waits_for });
        }
        drop(state);
        // A guard takes the lock.
        joined.map_err(|(error, _)| error)?;
        hub::joined();
        connection.start_feed();
        self.joined.notify_waiters();
        if !is_ready {
            self.backplane.follow(self);
        } else if is_behind {
            self.backplane.catch_up(self);
        }
        Ok((Seat::new(self.clone(), connection.clone(), id, position), recovered))
    }

    /// Waits until the broker has answered. Without one it is ready.
    pub(super) async fn wait_until_ready(self: &Arc<Self>) {
        let ready = self.ready.notified();
        if !self.lock().is_ready {
            self.backplane.follow(self);
            ready.await;
        }
    }

    /// Ends all memberships of this connection.
    pub(super) fn remove(&self, connection: &Inner) {
        let state = self.lock();
        let seats = state.members.iter().filter(|(_, member)| member.connection.id() == connection.id());
        let seats: Vec<_> = seats.map(|(id, _)| id).collect();
        drop(state);
        seats.into_iter().for_each(|seat| connection.remove_feed(seat));
    }

    /// The member's feed is gone.
    fn leave(self: &Arc<Self>, id: FeedId) {
        let mut state = self.lock();
        let left = state.members.remove(id);
        state.present.remove(id);
        drop(state);
        if left.is_some() {
            hub::left();
        }
        drop(left);
        self.announce_changes();
    }

    /// Sets a member's presence value. Nothing happens if it has left.
    pub(super) fn set_presence(self: &Arc<Self>, id: FeedId, presence: Presence) {
        let mut state = self.lock();
        if !state.members.contains(id) {
            return;
        }
        state.present.set(id, presence);
        drop(state);
        self.announce_changes();
    }

    /// Announces changes of presence, one after the other: what changes meanwhile is announced afterwards.
    fn announce_changes(self: &Arc<Self>) {
        loop {
            let mut state = self.lock();
            let Some(change) = state.present.next_change() else { return };
            let on_presence = state.on_presence.clone();
            drop(state);
            let message = on_presence.and_then(|on_presence| presence::announce(&*on_presence, &change));
            if let Some(message) = message {
                self.publish_change(message);
            }
            self.lock().present.announced();
        }
    }

    /// Publishes a change of presence. What encodes it is the user's too, and may panic: see [`presence::announce`].
    fn publish_change(self: &Arc<Self>, message: Message) {
        let draft = Draft { message, key: None, except: None, latest: false };
        match catch_unwind(AssertUnwindSafe(|| self.backplane.publish(self, draft))) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(topic = &*self.name, %error, "a change of presence is not published"),
            Err(payload) => {
                tracing::error!(topic = &*self.name, "the function of `Topic::encode` panicked");
                drop_payload(payload);
            }
        }
    }

    /// Whether there are no members. Then the latest value of a periodic update is forgotten.
    #[cfg(feature = "json")]
    pub(super) fn is_empty(&self) -> bool {
        let mut state = self.lock();
        let is_empty = state.members.is_empty();
        if is_empty {
            state.log.clear_latest();
        }
        is_empty
    }

    /// Waits until a member joins, and at most for so long.
    #[cfg(feature = "json")]
    pub(super) async fn wait_for_members(&self, time: Duration) {
        let joined = self.joined.notified();
        if self.lock().members.is_empty() {
            let _ = tokio::time::timeout(time, joined).await;
        }
    }

    /// Whether there is a hub in which the topic can be found.
    #[cfg(feature = "json")]
    pub(super) fn has_hub(&self) -> bool {
        self.registry.strong_count() > 0
    }

    /// A distributor alone takes it. A panic leaves it as it was before the member at which it came.
    fn sweep(&self) -> MutexGuard<'_, Sweep> {
        self.sweep.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Delivers to some members. `false`: all have been sent everything.
    pub(super) fn distribute_some(&self) -> bool {
        let mut sweep = self.sweep();
        if !sweep.advance(&mut self.lock(), Instant::now()) {
            return false;
        }
        sweep.deliver(&self.budget, &self.counters);
        true
    }

    /// A distributor panicked. Whether another one is to go on at once: each delivers to one member at least. Otherwise the next
    /// publication starts one.
    pub(super) fn distributor_panicked(&self, can_restart: bool) -> bool {
        let restart = can_restart && self.sweep().has_visits();
        self.lock().distributing = restart;
        restart
    }
}

impl Drop for TopicInner {
    fn drop(&mut self) {
        if let Some(registry) = self.registry.upgrade() {
            registry.forget(&self.name);
        }
        self.backplane.unfollow(self);
    }
}

impl fmt::Debug for TopicInner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        f.debug_struct("Topic")
            .field("name", &self.name)
            .field("members", &state.members.len())
            .field("position", &state.log.position())
            .finish_non_exhaustive()
    }
}

/// The number of the next feed.
static NEXT_FEED: AtomicU64 = AtomicU64::new(0);
