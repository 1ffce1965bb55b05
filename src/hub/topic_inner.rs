//! What all handles of a topic share: the core of the hub.

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
/// 1. The [`Log`](super::log::Log) defines the order. A publication is appended to it before it is sent to any member.
/// 2. A member has been sent all entries of the log that follow its join, up to the number `Member::sent`, in this order. The
///    earlier publications that it asked for (its [`Replay`]) were queued when it joined.
/// 3. While a member has not been sent everything, `distributing` is true, and a distributor is running or about to start. A
///    member that waits for the broker (`Member::waits_for`) is an exception: it is sent nothing until the broker has answered,
///    and then its replay first.
/// 4. A member's feed is in its connection, and dropping the feed's guard removes the member. So a member leaves when its seat is
///    dropped or when its connection can send no more, whichever comes first.
///
/// Locks are taken in this order: `sweep`, `state`, a connection's. `state` is locked for a few instructions at a time: by a
/// publication, a join, a leave, and when the distributor chooses the next members. It is not locked while anything is delivered,
/// compressed or woken. A publisher takes no other lock, so that it never waits for members.
pub(super) struct TopicInner {
    pub(super) name: Box<str>,
    pub(super) budget: Budget,
    pub(super) backplane: Arc<Backplane>,
    /// Weak, because the registry can own the topic: see [`Registry::retain`].
    registry: Weak<Registry>,
    state: Mutex<State>,
    /// Locked by distributors only.
    sweep: Mutex<Sweep>,
    /// Notified of each join.
    joined: Notify,
    /// Notified when the broker has answered.
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

    /// A poisoned lock is used as if it were not poisoned: no change to the state is left half done by a panic.
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

    /// Appends a publication at the next position, and starts its delivery. Used without a broker.
    pub(super) fn append(self: &Arc<Self>, draft: Draft) {
        self.make_room();
        let mut state = self.lock();
        let position = state.log.next_position();
        let has_members = !state.members.is_empty();
        state.append(position, draft, Instant::now(), has_members);
        self.counters.published();
        self.distribute(state);
    }

    /// Drops histories of the hub if more than half of its budget is in use. The topic must not be locked by the caller.
    pub(super) fn make_room(&self) {
        if self.budget.is_scarce()
            && let Some(registry) = self.registry.upgrade()
        {
            registry.make_room();
        }
    }

    /// Starts the delivery of what was appended, and has the registry keep the topic while its history has publications.
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
        // Encoding takes time, so it is done before the lock is taken for the join. Frames are cached in each publication.
        let (_, replayed) = self.lock().log.replay(replay, connection.id(), now);
        for publication in &replayed {
            publication.frame(encoding, budget);
        }
        let id = FeedId(NEXT_FEED.fetch_add(1, Ordering::Relaxed));
        let topic = self.clone();
        let guard = on_drop(move || topic.leave(id));

        let mut state = self.lock();
        let is_ready = state.is_ready;
        // The client may have been connected to a server that has received more from the broker than this one.
        let must_catch_up = is_ready && self.backplane.is_shared() && replay.is_after(state.log.position());
        let waits_for = (!is_ready || must_catch_up).then_some(replay);
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
        // On an error the feed's guard is dropped here, and that locks `state`.
        joined.map_err(|(error, _)| error)?;
        hub::joined();
        connection.start_feed();
        self.joined.notify_waiters();
        if !is_ready {
            self.backplane.follow(self);
        } else if must_catch_up {
            self.backplane.catch_up(self);
        }
        Ok((Seat::new(self.clone(), connection.clone(), id, position), recovered))
    }

    /// Waits until the broker has answered. Without a broker, a topic is always ready.
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

    /// Removes a member whose feed was dropped.
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

    /// Announces changes of presence one after the other: a change that happens during an announcement is announced next.
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

    /// Publishes a change of presence. The user's [`Topic::encode`](crate::Topic::encode) may panic, which must not spread: see
    /// [`presence::announce`].
    fn publish_change(self: &Arc<Self>, message: Message) {
        match catch_unwind(AssertUnwindSafe(|| self.backplane.publish(self, Draft::new(message)))) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(topic = &*self.name, %error, "a change of presence is not published"),
            Err(payload) => {
                tracing::error!(topic = &*self.name, "the function of `Topic::encode` panicked");
                drop_payload(payload);
            }
        }
    }

    /// Whether there are no members. If so, the latest value of a periodic update is cleared: the next member is to get a new
    /// one.
    #[cfg(feature = "json")]
    pub(super) fn clear_latest_if_empty(&self) -> bool {
        let mut state = self.lock();
        let is_empty = state.members.is_empty();
        if is_empty {
            state.log.clear_latest();
        }
        is_empty
    }

    /// Waits until the topic has a member, but no longer than this time.
    #[cfg(feature = "json")]
    pub(super) async fn wait_for_members(&self, time: Duration) {
        let joined = self.joined.notified();
        if self.lock().members.is_empty() {
            let _ = tokio::time::timeout(time, joined).await;
        }
    }

    /// Whether a hub exists that returns this topic by its name.
    #[cfg(feature = "json")]
    pub(super) fn has_hub(&self) -> bool {
        self.registry.strong_count() > 0
    }

    /// A panic during a delivery leaves the members that have not been delivered to in the sweep.
    fn sweep(&self) -> MutexGuard<'_, Sweep> {
        self.sweep.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Delivers to the next members. Returns `false` if all members have been sent everything.
    pub(super) fn distribute_some(&self) -> bool {
        let mut sweep = self.sweep();
        if !sweep.advance(&mut self.lock(), Instant::now()) {
            return false;
        }
        sweep.deliver(&self.budget, &self.counters);
        true
    }

    /// Called when a distributor has panicked. Returns whether another one must be started at once; otherwise the next publication
    /// starts one. This ends, because each distributor delivers to at least one member.
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
