//! What the topics of a hub and its session share.

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

/// The hub's handle to the task that talks to the broker. When it is dropped, the task publishes what is in the outbox, and ends.
pub(in crate::hub) struct Remote {
    pub(super) link: Arc<Link>,
    closed: CancellationToken,
}

/// The publications and requests of a hub for its session.
pub(in crate::hub::backplane) struct Link {
    /// A random number that identifies this hub among those with the same broker.
    hub: u64,
    next_number: AtomicU64,
    state: Mutex<State>,
    /// Notified when the outbox has something to publish.
    outgoing: Notify,
    /// Notified when the outbox is empty.
    drained: Notify,
    /// Notified of requests.
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
            next_number: AtomicU64::new(0),
            state: Mutex::new(State { outbox: Outbox::new(budget), requests: Requests::default() }),
            outgoing: Notify::new(),
            drained: Notify::new(),
            requested: Notify::new(),
        });
        let closed = CancellationToken::new();
        tokio::spawn(serve(broker, link.clone(), closed.clone()));
        Self { link, closed }
    }

    /// Adds a publication to the outbox.
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
        // A topic that is dropped has no member that waits for it to be loaded.
        self.link.release_dropped(topic);
        if topic.is_followed() {
            self.link.request(|requests| requests.unfollow(topic));
        }
    }
}

/// The task. It ends when the hub is dropped, and what was published is sent or [`DRAIN_TIME`] has passed.
async fn serve(broker: impl Connect, link: Arc<Link>, closed: CancellationToken) {
    let hub_dropped = async {
        closed.cancelled().await;
        let _ = timeout(DRAIN_TIME, link.drained()).await;
    };
    tokio::select! {
        () = hub_dropped => {}
        () = reconnect::run(broker, &link) => {}
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

    /// Adds a publication to the outbox. Called with the topic locked, so that publications of a topic have one order. For
    /// `hold_back` see [`Outbox::push`].
    fn push(&self, topic: &Arc<TopicInner>, draft: Draft, retention: Retention, hold_back: bool) -> Result<(), Error> {
        let id = self.next_id();
        let envelope = Envelope::new(id, draft).encode();
        let (name, inner) = ((*topic.name).into(), Arc::downgrade(topic));
        let outgoing = Outgoing { topic: name, inner, id, envelope, retention };
        self.lock().outbox.push(outgoing, hold_back)?;
        self.outgoing.notify_one();
        Ok(())
    }

    /// Lets the held-back publications of a topic be published.
    pub(super) fn release(&self, topic: &str) {
        self.lock().outbox.release(topic);
        self.outgoing.notify_one();
    }

    /// As [`release`](Self::release), for a topic that was dropped.
    fn release_dropped(&self, topic: &TopicInner) {
        self.lock().outbox.release_dropped(&topic.name, topic);
        self.outgoing.notify_one();
    }

    /// Converts a publication of the broker's log for the connections of this hub.
    pub(super) fn draft(&self, envelope: Envelope) -> Draft {
        let Envelope { id, mut draft } = envelope;
        // In other hubs, this number is that of another connection.
        draft.except = draft.except.filter(|_| id.hub == self.hub);
        draft
    }

    /// Called when a topic has received this publication from the broker's log. If this hub has published it, that confirms it as
    /// the broker's answer does, which may have been lost with a connection.
    pub(super) fn seen(&self, id: EnvelopeId) {
        if id.hub == self.hub {
            self.published(id);
        }
    }

    /// Waits for requests, and removes them. Cancel-safe.
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

    /// Waits until the outbox is empty.
    async fn drained(&self) {
        loop {
            let drained = self.drained.notified();
            if self.lock().outbox.is_empty() {
                return;
            }
            drained.await;
        }
    }

    /// Removes a publication of a [`batch`](Self::batch) that is in the broker's log.
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

    /// Removes a publication of a [`batch`](Self::batch) that the broker will never accept.
    pub(in crate::hub::backplane) fn refused(&self, id: EnvelopeId) {
        let mut state = self.lock();
        state.outbox.remove(id);
        self.notify_drained(&state);
    }

    /// Called when the broker's log has a publication of a [`batch`](Self::batch) before earlier ones of its topic. Members get a
    /// gap.
    #[cfg(feature = "nats")]
    pub(in crate::hub::backplane) fn overtook(&self, id: EnvelopeId) {
        self.lock().outbox.overtook(id, self.next_id());
        self.outgoing.notify_one();
    }

    fn next_id(&self) -> EnvelopeId {
        EnvelopeId { hub: self.hub, number: self.next_number.fetch_add(1, Ordering::Relaxed) }
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

/// How long publications can still be sent after the hub was dropped.
const DRAIN_TIME: Duration = Duration::from_secs(5);
