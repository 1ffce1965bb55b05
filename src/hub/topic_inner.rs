//! What all handles of a topic share: the heart of the hub.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
#[cfg(feature = "json")]
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::backplane::Backplane;
use super::distributor;
use super::history::{History, Recovered};
use super::log::Log;
use super::members::{Member, Members, on_drop};
use super::position::Position;
use super::presence::{self, OnPresence, Presence, PresenceChange, Present};
use super::publication::{Draft, Publication};
use super::registry::Registry;
use super::seat::Seat;
use super::stats::Counters;
use super::sweep::Sweep;
use crate::budget::Budget;
use crate::connection::{FeedId, Inner};
use crate::error::Error;
use crate::manager::Manager;
use crate::message::Message;
use crate::protocol::{Feed, Notice, Overflow};

/// One topic.
///
/// What is true whenever `state` is not locked:
///
/// 1. The [`Log`] alone gives the order. A publication is in it before anybody is sent it.
/// 2. A member has been sent everything up to `Member::sent`, in the log's order, and nothing else; it joined at an offset, and
///    was sent what it asked for of earlier publications before it became a member.
/// 3. Where a member has not been sent everything, `distributing` is true, and a distributor runs, or is about to.
/// 4. A member's feed is in its connection, and the feed's guard removes the member. So a member leaves when its seat is dropped or
///    its connection can send no more, whichever is first.
///
/// Locks are taken in this order: `sweep`, `state`, that of a connection. `state` is held for a few instructions for each
/// publication, join and leave, and for each chunk of members that is about to be delivered to; never while anything is
/// delivered, compressed or woken. Publishers take it alone, so that no publisher waits for members.
pub(super) struct TopicInner {
    pub(super) name: Box<str>,
    budget: Budget,
    pub(super) backplane: Arc<Backplane>,
    /// It may keep this topic, and is not kept by it.
    registry: Weak<Registry>,
    state: Mutex<State>,
    /// Taken by distributors alone.
    sweep: Mutex<Sweep>,
    /// Told of each join.
    joined: Notify,
    pub(super) counters: Counters,
}

/// What is under the lock.
pub(super) struct State {
    pub(super) log: Log,
    pub(super) members: Members,
    /// A distributor runs, or is about to.
    pub(super) distributing: bool,
    /// Whether the registry keeps the topic for its history.
    pub(super) retained: bool,
    /// Those who say who they are.
    pub(super) present: Present,
    encode: Option<Arc<Encode>>,
    on_presence: Option<Arc<OnPresence>>,
    dropped_notice: Option<Arc<Notice>>,
    capacity: usize,
}

/// Makes the message that members get of a publication and its position.
pub(super) type Encode = dyn Fn(Message, Position) -> Message + Send + Sync;

/// What a new member gets first.
#[derive(Clone, Copy, Debug)]
pub(super) enum Replay {
    /// What was published after this position.
    After(Position),
    /// Everything that the history keeps.
    All,
    Nothing,
}

impl TopicInner {
    pub(super) fn new(name: &str, registry: &Arc<Registry>) -> Arc<Self> {
        let log = Log::new(registry.backplane.epoch(), &registry.budget);
        let state = State {
            log,
            members: Members::default(),
            distributing: false,
            retained: false,
            present: Present::default(),
            encode: None,
            on_presence: None,
            dropped_notice: None,
            capacity: DEFAULT_CAPACITY,
        };
        Arc::new(Self {
            name: name.into(),
            budget: registry.budget.clone(),
            backplane: registry.backplane.clone(),
            registry: Arc::downgrade(registry),
            state: Mutex::new(state),
            sweep: Mutex::default(),
            joined: Notify::new(),
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

    pub(super) fn set_capacity(&self, capacity: usize) {
        self.lock().capacity = capacity;
    }

    /// Puts a publication at the end of the order. Called by the backplane.
    pub(super) fn append(self: &Arc<Self>, mut draft: Draft) {
        let now = Instant::now();
        let mut state = self.lock();
        let has_members = !state.members.is_empty();
        if (has_members || state.log.has_history())
            && let Some(encode) = state.encode.clone()
        {
            draft.message = encode(draft.message, state.log.next_position());
        }
        state.log.append(draft, has_members, now);
        let start = has_members && !std::mem::replace(&mut state.distributing, true);
        let retain = state.log.expires().filter(|_| !std::mem::replace(&mut state.retained, true));
        drop(state);
        self.counters.published.fetch_add(1, Ordering::Relaxed);
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
        let find = |log: &Log| {
            let (found, seen) = match replay {
                Replay::Nothing => (Some(Vec::new()), 0),
                Replay::All => (Some(log.kept(now)), 0),
                Replay::After(position) => {
                    let found = log.after(position, now);
                    let seen = found.as_ref().map_or(0, |_| position.offset());
                    (found, seen)
                }
            };
            let is_for = |publication: &Arc<Publication>| publication.is_for(connection.id());
            let found = found.map(|found| found.into_iter().filter(is_for).collect::<Vec<_>>());
            let recovered = found.as_ref().map_or(Recovered::Gap, |found| Recovered::All(found.len()));
            (recovered, log.with_latest(seen, found.unwrap_or_default()))
        };
        // Encoding takes time: what is encoded here need not be under the lock.
        let (_, replayed) = find(&self.lock().log);
        for publication in &replayed {
            publication.frame(encoding, budget);
        }
        let id = FeedId(NEXT_FEED.fetch_add(1, Ordering::Relaxed));
        let topic = self.clone();
        let guard = on_drop(move || topic.leave(id));

        let mut state = self.lock();
        let (recovered, replayed) = find(&state.log);
        let items = replayed.iter().map(|publication| publication.item(encoding, budget));
        let feed = Feed::new(overflow, state.capacity, items).with_notice(state.dropped_notice.clone());
        let joined = connection.add_feed(id, feed, guard);
        let position = state.log.position();
        if joined.is_ok() {
            let sent = state.log.head();
            state.members.insert(id, Member { connection: connection.clone(), encoding, sent });
        }
        drop(state);
        // A guard takes the lock.
        joined.map_err(|(error, _)| error)?;
        connection.start_feed();
        self.joined.notify_waiters();
        Ok((Seat::new(self.clone(), connection.clone(), id, position), recovered))
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
        let change = state.present.remove(id);
        drop(state);
        drop(left);
        if let Some(change) = change {
            self.announce(&change);
        }
    }

    /// A member says who it is. Nothing happens where it has left.
    pub(super) fn set_presence(self: &Arc<Self>, id: FeedId, presence: Presence) {
        let mut state = self.lock();
        if !state.members.contains(id) {
            return;
        }
        let change = state.present.set(id, presence);
        drop(state);
        self.announce(&change);
    }

    fn announce(self: &Arc<Self>, change: &PresenceChange) {
        let on_presence = self.lock().on_presence.clone();
        let message = on_presence.and_then(|on_presence| presence::announce(&*on_presence, change));
        if let Some(message) = message {
            // The backplane reports what it could not publish.
            let _ = self.backplane.publish(self, Draft { message, key: None, except: None, latest: false });
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

    /// Delivers to some members. `false`: all have been sent everything.
    pub(super) fn distribute_some(&self) -> bool {
        let mut sweep = self.sweep.lock().unwrap_or_else(PoisonError::into_inner);
        if !sweep.advance(&mut self.lock(), Instant::now()) {
            return false;
        }
        sweep.deliver(&self.budget, &self.counters);
        true
    }

    /// The next publication starts another distributor.
    pub(super) fn distributor_panicked(&self) {
        self.lock().distributing = false;
    }
}

impl Drop for TopicInner {
    fn drop(&mut self) {
        if let Some(registry) = self.registry.upgrade() {
            registry.forget(&self.name);
        }
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
/// How many publications wait for a member that is slow.
const DEFAULT_CAPACITY: usize = 256;
