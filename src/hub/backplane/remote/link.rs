//! What topics and the session have between them.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::broker::Connect;
use super::envelope::{Envelope, EnvelopeId};
use super::outbox::{Outbox, Outgoing};
use super::reconnect;
use super::requests::{Request, Requests};
use crate::budget::Budget;
use crate::error::Error;
use crate::hub::from_broker::Retention;
use crate::hub::publication::Draft;
use crate::hub::topic_inner::TopicInner;

/// The hub's end of the link to a broker. When this is dropped, the task publishes what waits, and ends.
pub(in crate::hub) struct Remote {
    pub(super) link: Arc<Link>,
    closed: CancellationToken,
}

/// What the hub has for the broker.
pub(in crate::hub::backplane) struct Link {
    /// Chosen at random. Numbers of connections are valid in this hub only.
    hub: u64,
    numbers: AtomicU64,
    state: Mutex<State>,
    outgoing: Notify,
    drained: Notify,
    requested: Notify,
}

struct State {
    outbox: Outbox,
    requests: Requests,
}

impl Remote {
    /// Starts the task.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub(in crate::hub::backplane) fn start(broker: impl Connect, budget: &Budget) -> Self {
        let link = Arc::new(Link {
            hub: rand::random(),
            numbers: AtomicU64::new(0),
            state: Mutex::new(State { outbox: Outbox::new(budget), requests: Requests::default() }),
            outgoing: Notify::new(),
            drained: Notify::new(),
            requested: Notify::new(),
        });
        let closed = CancellationToken::new();
        let serving = (link.clone(), closed.clone());
        tokio::spawn(async move {
            let (link, closed) = serving;
            let dropped = async {
                closed.cancelled().await;
                let _ = timeout(DRAIN_TIME, link.drained()).await;
            };
            tokio::select! {
                () = dropped => {}
                () = reconnect::run(broker, &link) => {}
            }
        });
        Self { link, closed }
    }

    /// Hands a publication over.
    pub(in crate::hub::backplane) fn publish(&self, topic: &Arc<TopicInner>, draft: Draft) -> Result<(), Error> {
        topic.publish_in_order(|retention, hold_back| self.link.push(topic, draft, retention, hold_back))
    }

    pub(in crate::hub::backplane) fn follow(&self, topic: &Arc<TopicInner>) {
        if topic.start_following() {
            self.link.request(|requests| requests.follow(topic));
        }
    }

    pub(in crate::hub::backplane) fn catch_up(&self, topic: &Arc<TopicInner>) {
        if topic.request_catch_up() {
            self.link.request(|requests| requests.catch_up(topic));
        }
    }

    pub(in crate::hub::backplane) fn unfollow(&self, topic: &TopicInner) {
        // None of its members waits for the broker's answer any more.
        self.link.release_dropped(topic);
        if topic.is_followed() {
            self.link.request(|requests| requests.unfollow(topic));
        }
    }
}

impl Link {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn request(&self, request: impl FnOnce(&mut Requests)) {
        request(&mut self.lock().requests);
        self.requested.notify_one();
    }

    /// Has a publication wait for the broker. The topic may be locked: it alone decides what is before what.
    /// `hold_back`: until [`release`](Self::release).
    fn push(&self, topic: &Arc<TopicInner>, draft: Draft, retention: Retention, hold_back: bool) -> Result<(), Error> {
        let id = self.next_id();
        let envelope = Envelope::new(id, draft).encode();
        let (name, inner) = ((*topic.name).into(), Arc::downgrade(topic));
        let outgoing = Outgoing { topic: name, inner, id, envelope, retention };
        self.lock().outbox.push(outgoing, hold_back)?;
        self.outgoing.notify_one();
        Ok(())
    }

    /// What this topic has held back can be published.
    pub(super) fn release(&self, topic: &str) {
        self.lock().outbox.release(topic);
        self.outgoing.notify_one();
    }

    /// What this topic has held back can be published: it was dropped.
    fn release_dropped(&self, topic: &TopicInner) {
        self.lock().outbox.release_dropped(&topic.name, topic);
        self.outgoing.notify_one();
    }

    /// A publication of the broker's log, as connections of this hub get it.
    pub(super) fn draft(&self, envelope: Envelope) -> Draft {
        let Envelope { id, mut draft } = envelope;
        // Other hubs have other connections with the same numbers.
        draft.except = draft.except.filter(|_| id.hub == self.hub);
        draft
    }

    /// A topic has read the broker's log up to this publication. If it is one of this hub's, it is not sent again, though the broker's
    /// answer may be lost.
    pub(super) fn seen(&self, id: EnvelopeId) {
        if id.hub == self.hub {
            self.published(id);
        }
    }

    /// Waits for requests, and takes them. Cancel-safe.
    pub(in crate::hub::backplane) async fn requests(&self) -> Vec<Request> {
        loop {
            let requests = self.lock().requests.take();
            if !requests.is_empty() {
                return requests;
            }
            self.requested.notified().await;
        }
    }

    /// Waits for publications. They stay until [`published`](Self::published) or [`refused`](Self::refused). Cancel-safe.
    pub(in crate::hub::backplane) async fn batch(&self) -> Vec<Outgoing> {
        loop {
            let batch = self.lock().outbox.batch();
            if !batch.is_empty() {
                return batch;
            }
            self.outgoing.notified().await;
        }
    }

    /// Waits until nothing waits.
    async fn drained(&self) {
        loop {
            let drained = self.drained.notified();
            if self.lock().outbox.is_empty() {
                return;
            }
            drained.await;
        }
    }

    /// This publication of a [`batch`](Self::batch) is in the broker's log.
    pub(in crate::hub::backplane) fn published(&self, id: EnvelopeId) {
        let mut state = self.lock();
        let lost = state.outbox.published(id);
        self.notify_drained(&state);
        drop(state);
        if lost > 0 {
            tracing::error!(
                publications = lost,
                "publications are lost: the broker has taken a later one of their topic"
            );
        }
    }

    /// This publication of a [`batch`](Self::batch) is refused for good.
    pub(in crate::hub::backplane) fn refused(&self, id: EnvelopeId) {
        let mut state = self.lock();
        state.outbox.remove(id);
        self.notify_drained(&state);
    }

    /// This publication of a [`batch`](Self::batch) is in the broker's log, and what was published before it is behind it. Members
    /// get a gap.
    #[cfg(feature = "nats")]
    pub(in crate::hub::backplane) fn overtook(&self, id: EnvelopeId) {
        self.lock().outbox.overtook(id, self.next_id());
        self.outgoing.notify_one();
    }

    fn next_id(&self) -> EnvelopeId {
        EnvelopeId { hub: self.hub, number: self.numbers.fetch_add(1, Ordering::Relaxed) }
    }

    fn notify_drained(&self, state: &State) {
        if state.outbox.is_empty() {
            self.drained.notify_waiters();
        }
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        self.closed.cancel();
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote").field("hub", &self.link.hub).finish_non_exhaustive()
    }
}

/// How long what was published may take once the hub is dropped.
const DRAIN_TIME: Duration = Duration::from_secs(5);
