//! The topics that follow the broker's log, and the last position of each.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;

use super::envelope::{Envelope, EnvelopeId};
use super::link::Link;
use super::received::Received;
use super::requests::Request;
use crate::connection::FeedId;
use crate::hub::from_broker::{Kept, Loaded};
use crate::hub::position::Position;
use crate::hub::topic_inner::TopicInner;
use crate::spare::shrink;

/// The topics that are followed, by name.
#[derive(Debug, Default)]
pub(in crate::hub::backplane) struct Followers(HashMap<Arc<str>, Follower>);

impl Followers {
    /// Applies a request. Returns what the session has to do.
    pub(in crate::hub::backplane) fn change(&mut self, request: Request) -> Option<Change> {
        match request {
            Request::CatchUp(topic) => {
                let topic = topic.upgrade()?;
                let name: Arc<str> = (*topic.name).into();
                self.0.get_mut(&name)?.awaited_by = topic.start_catch_up();
                Some(Change::Read(name))
            }
            Request::Follow(topic) => {
                let name: Arc<str> = (*topic.upgrade()?.name).into();
                self.0.insert(name.clone(), Follower::new(topic));
                Some(Change::Follow(name))
            }
            // A new topic with this name may have replaced it.
            Request::Unfollow { name, topic } => {
                self.0.get(&name).filter(|follower| follower.topic.as_ptr().addr() == topic)?;
                self.0.remove(&name);
                shrink(&mut self.0);
                Some(Change::Unfollow(name))
            }
        }
    }

    pub(in crate::hub::backplane) fn names(&self) -> Vec<Arc<str>> {
        self.0.keys().cloned().collect()
    }

    /// The last publication, among those of all topics, in this epoch.
    #[cfg(feature = "nats")]
    pub(in crate::hub::backplane) fn newest(&self, epoch: u64) -> Option<Last> {
        let lasts = self.0.values().filter_map(|follower| follower.last);
        let known = lasts.filter(|last| last.id.is_some() && last.position.epoch() == epoch);
        known.max_by_key(|last| last.position.offset())
    }

    pub(in crate::hub::backplane) fn get_mut(&mut self, name: &str) -> Option<&mut Follower> {
        self.0.get_mut(name)
    }
}

/// What a session has to do with the topic of this name.
#[derive(Clone, Debug)]
pub(in crate::hub::backplane) enum Change {
    /// Subscribe to it, and read its log.
    Follow(Arc<str>),
    /// Read its log.
    Read(Arc<str>),
    /// Unsubscribe from it.
    Unfollow(Arc<str>),
}

/// One topic, and the last publication that it has received. Sans-I/O.
///
/// 1. Until [`load`](Self::load), nothing is passed to the topic. From then on it gets every publication in order, or a gap.
/// 2. A new publication is accepted if it follows the last one directly. Otherwise the log must be read, from the last one on.
/// 3. If the log has another publication at the position of the last one, it has [diverged](Diverged): the broker has lost the end
///    of its log, and others have published since. A new epoch must begin, or a position would identify two publications.
/// 4. A publication that is twice in the log is passed on once, unless there is a gap between both.
#[derive(Debug)]
pub(in crate::hub::backplane) struct Follower {
    topic: Weak<TopicInner>,
    last: Option<Last>,
    received: Received,
    /// The last member that waits until the log was read.
    awaited_by: Option<FeedId>,
    /// What the waiting members wait for, if reading the log has not reached it.
    #[cfg(feature = "nats")]
    unread: Option<Unread>,
}

/// How far the log went when it was read. What was dropped from it before it could be read is still received.
#[cfg(feature = "nats")]
#[derive(Clone, Copy, Debug)]
struct Unread {
    /// Of the topic's last publication.
    newest: Position,
    /// Of the last publication of all topics.
    end: Position,
}

/// The last publication of a topic.
#[derive(Clone, Copy, Debug)]
pub(in crate::hub::backplane) struct Last {
    pub(in crate::hub::backplane) position: Position,
    /// `None` if nothing was published yet, or if it was not received.
    id: Option<EnvelopeId>,
}

/// A publication in the broker's log.
#[derive(Clone, Debug)]
pub(in crate::hub::backplane) struct Entry {
    pub(in crate::hub::backplane) position: Position,
    /// The offset of the publication before it.
    pub(in crate::hub::backplane) previous: u64,
    /// Empty if the entry only marks the beginning of an epoch.
    pub(in crate::hub::backplane) envelope: Bytes,
    pub(in crate::hub::backplane) age: Duration,
}

/// The log has another publication at the position of the last one that was received: see [`Follower`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::hub::backplane) struct Diverged;

impl Follower {
    fn new(topic: Weak<TopicInner>) -> Self {
        Self {
            topic,
            last: None,
            received: Received::default(),
            awaited_by: None,
            #[cfg(feature = "nats")]
            unread: None,
        }
    }

    /// The last publication that was received. `None`: the topic is not loaded.
    pub(in crate::hub::backplane) fn last(&self) -> Option<Last> {
        self.last
    }

    /// The topic, unless it was dropped.
    pub(in crate::hub::backplane) fn topic(&self) -> Option<Arc<TopicInner>> {
        self.topic.upgrade()
    }

    /// Loads what the broker keeps: all publications after `start`. Later publications come after `position`.
    pub(in crate::hub::backplane) fn load(
        &mut self,
        link: &Link,
        start: Position,
        entries: Vec<Entry>,
        position: Position,
    ) {
        let Some(topic) = self.topic() else { return };
        let mut loaded = Loaded { start, kept: Vec::new() };
        let mut last = Last { position, id: None };
        self.received = Received::default();
        for entry in entries {
            match Envelope::decode(entry.envelope) {
                Some(envelope) => {
                    if entry.position == position {
                        last.id = Some(envelope.id);
                    }
                    if self.received.insert(envelope.id) {
                        let draft = link.draft(envelope);
                        loaded.kept.push(Kept { position: entry.position, draft, age: entry.age });
                    }
                }
                None => {
                    loaded = Loaded { start: entry.position, kept: Vec::new() };
                    self.received = Received::default();
                }
            }
        }
        self.last = Some(last);
        // For members that know a later position, the topic requests another reading.
        self.awaited_by = None;
        #[cfg(feature = "nats")]
        {
            self.unread = None;
        }
        topic.load(loaded, || link.release(&topic.name));
    }

    /// Receives a publication that was just made. Returns `false` if publications before it are missing: the log must be read.
    pub(in crate::hub::backplane) fn receive(&mut self, link: &Link, entry: Entry) -> bool {
        let Some(last) = self.last else { return true };
        let is_same_epoch = entry.position.epoch() == last.position.epoch();
        if is_same_epoch && entry.position.offset() <= last.position.offset() {
            return true;
        }
        let is_next = is_same_epoch && entry.previous <= last.position.offset();
        if is_next {
            self.append(link, entry);
            #[cfg(feature = "nats")]
            self.check_unread();
        }
        is_next
    }

    /// Receives what the log has from the last publication on, that one included.
    pub(in crate::hub::backplane) fn catch_up(&mut self, link: &Link, entries: Vec<Entry>) -> Result<(), Diverged> {
        for entry in entries {
            let Some(last) = self.last else { return Ok(()) };
            if entry.position == last.position {
                if !last.is(&entry.envelope) {
                    return Err(Diverged);
                }
            } else if !self.receive(link, entry.clone()) {
                self.skip_to(entry.before());
                if !entry.envelope.is_empty() {
                    self.append(link, entry);
                }
            }
        }
        Ok(())
    }

    /// Whether members wait until the log was read.
    #[cfg(feature = "nats")]
    pub(in crate::hub::backplane) fn is_awaited(&self) -> bool {
        self.awaited_by.is_some()
    }

    /// Called when the log was read to its end.
    pub(in crate::hub::backplane) fn caught_up(&mut self, end: Position) {
        if let Some(last) = self.awaited_by.take()
            && let Some(topic) = self.topic()
        {
            topic.caught_up(last, end);
        }
    }

    /// Called when the log was read up to `end`. The topic's last publication was at `newest`. If the log dropped publications while it
    /// was read, so that this one was not read, the waiting members wait until it is received.
    #[cfg(feature = "nats")]
    pub(in crate::hub::backplane) fn caught_up_to(&mut self, newest: Position, end: Position) {
        self.unread = self.awaited_by.map(|_| Unread { newest, end });
        self.check_unread();
    }

    #[cfg(feature = "nats")]
    fn check_unread(&mut self) {
        if let (Some(last), Some(Unread { newest, end })) = (self.last, self.unread)
            && !newest.is_later(last.position)
        {
            self.unread = None;
            self.caught_up(end);
        }
    }

    /// Called when publications up to this position are lost.
    pub(in crate::hub::backplane) fn skip_to(&mut self, position: Position) {
        self.last = Some(Last { position, id: None });
        // What was received before the gap may not be in a member's replay, so it is passed on if it comes again.
        self.received = Received::default();
        if let Some(topic) = self.topic() {
            topic.skip_to(position);
        }
    }

    fn append(&mut self, link: &Link, entry: Entry) {
        let Entry { position, envelope, age, .. } = entry;
        let Some(envelope) = Envelope::decode(envelope) else {
            tracing::warn!(%position, "the log of a topic has a lost publication, or something that is none");
            return self.skip_to(position);
        };
        self.last = Some(Last { position, id: Some(envelope.id) });
        link.seen(envelope.id);
        if !self.received.insert(envelope.id) {
            tracing::debug!(%position, "the log of a topic has a publication twice");
            return;
        }
        let draft = link.draft(envelope);
        if let Some(topic) = self.topic() {
            topic.append_kept(Kept { position, draft, age });
        }
    }
}

impl Last {
    /// Whether this is the same publication, from its envelope or the beginning of it. `true` if its identifier is not known.
    pub(in crate::hub::backplane) fn is(&self, envelope: &[u8]) -> bool {
        self.id.is_none() || EnvelopeId::of(envelope) == self.id
    }
}

impl Entry {
    /// The position of the publication before it.
    pub(in crate::hub::backplane) fn before(&self) -> Position {
        Position::new(self.position.epoch(), self.previous)
    }
}

#[cfg(feature = "nats")]
#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::time::timeout;

    use super::super::broker::{Broker, Connect, Session};
    use super::super::link::Remote;
    use super::*;
    use crate::budget::Budget;
    use crate::error::BoxError;
    use crate::hub::backplane::Backplane;
    use crate::hub::members::Replay;
    use crate::hub::publication::Draft;
    use crate::hub::registry::Registry;
    use crate::protocol::Overflow;
    use crate::testing::pair;
    use crate::{Keepalive, Manager, Upgrader};

    #[derive(Debug)]
    struct Away;

    impl Broker for Away {}

    impl Connect for Away {
        type Session = Self;

        async fn connect(&self) -> Result<Self, BoxError> {
            pending().await
        }
    }

    impl Session for Away {
        async fn serve(self, _: &Link, _: &mut Followers) -> Result<(), BoxError> {
            pending().await
        }
    }

    fn position(offset: u64) -> Position {
        Position::new(7, offset)
    }

    /// The publication at this offset, which is its text, behind another one of its topic.
    fn entry(previous: u64, offset: u64) -> Entry {
        let draft = Draft { message: offset.to_string().into(), key: None, except: None, latest: false };
        let envelope = Envelope::new(EnvelopeId { hub: 1, number: offset }, draft).encode();
        Entry { position: position(offset), previous, envelope, age: Duration::ZERO }
    }

    async fn take(client: &Manager, count: usize) -> Vec<String> {
        let mut texts = Vec::new();
        for _ in 0..count {
            let message = timeout(Duration::from_secs(1), client.recv()).await.expect("a message").unwrap();
            texts.push(message.unwrap().as_text().unwrap().to_owned());
        }
        texts
    }

    /// As with a stream that keeps little, and that many publish to.
    #[tokio::test(start_paused = true)]
    async fn what_was_dropped_while_the_log_was_read_is_received_in_order() {
        let budget = Budget::new(usize::MAX);
        let registry = Arc::new(Registry::new(budget.clone(), Backplane::remote(Away, &budget)));
        let topic = TopicInner::new("topic", &registry);
        let remote = Remote::start(Away, &budget);
        let mut followers = Followers::default();
        followers.change(Request::Follow(Arc::downgrade(&topic)));
        followers.get_mut("topic").unwrap().load(&remote.link, position(0), vec![entry(0, 1)], position(1));

        let [(near, server), (ahead, back)] = [0, 1].map(|_| pair(Upgrader::new().keepalive(Keepalive::disabled())));
        let (_seat, _) = topic.join(&server, Overflow::Close, Replay::Nothing).unwrap();
        let (_seat, _) = topic.join(&back, Overflow::Close, Replay::After(position(4))).unwrap();
        followers.change(Request::CatchUp(Arc::downgrade(&topic)));
        let follower = followers.get_mut("topic").unwrap();
        // Of what was there, up to the offset 4, nothing is left. Another topic has the offset 5.
        follower.catch_up(&remote.link, Vec::new()).unwrap();
        follower.caught_up_to(position(4), position(5));
        for (previous, offset) in [(1, 2), (2, 3), (3, 4), (4, 6), (6, 7)] {
            assert!(follower.receive(&remote.link, entry(previous, offset)));
        }
        assert_eq!(take(&near, 5).await, ["2", "3", "4", "6", "7"]);
        assert_eq!(take(&ahead, 2).await, ["6", "7"]);
    }
}
