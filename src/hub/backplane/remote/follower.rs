//! The topics that follow the log of the broker, and up to which position each has it.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;

use super::envelope::{Envelope, EnvelopeId};
use super::link::Link;
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
    /// Takes a request. What is then to be done, if anything.
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
                self.0.insert(name.clone(), Follower { topic, last: None, awaited_by: None });
                Some(Change::Follow(name))
            }
            // There may be another topic of that name by now.
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

    /// The last publication of all topics within this epoch.
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

/// What a session is to do with the topic of this name.
#[derive(Clone, Debug)]
pub(in crate::hub::backplane) enum Change {
    /// It is followed from now on.
    Follow(Arc<str>),
    /// Its log is to be read.
    Read(Arc<str>),
    /// It is not followed any more.
    Unfollow(Arc<str>),
}

/// One topic, and the last publication that it knows of. Sans-I/O.
///
/// 1. Until [`load`](Self::load), nothing is handed to the topic. From then on it is handed everything, in order, or a gap.
/// 2. A new publication is taken where it comes right behind the last one. Else the log is read, from the last one on.
/// 3. Where the log has another publication in the place of the last one, it has [diverged](Diverged): the broker has lost its end
///    and others have published since. A new epoch is due, as positions mean two things now.
#[derive(Debug)]
pub(in crate::hub::backplane) struct Follower {
    topic: Weak<TopicInner>,
    last: Option<Last>,
    /// The last of the members that wait until the log was read.
    awaited_by: Option<FeedId>,
}

/// The last publication of a topic.
#[derive(Clone, Copy, Debug)]
pub(in crate::hub::backplane) struct Last {
    pub(in crate::hub::backplane) position: Position,
    /// `None`: there was none yet, or it is not known.
    id: Option<EnvelopeId>,
}

/// A publication in the broker's log.
#[derive(Clone, Debug)]
pub(in crate::hub::backplane) struct Entry {
    pub(in crate::hub::backplane) position: Position,
    /// The offset of the one before it.
    pub(in crate::hub::backplane) previous: u64,
    /// Empty where an epoch begins.
    pub(in crate::hub::backplane) envelope: Bytes,
    pub(in crate::hub::backplane) age: Duration,
}

/// See [`Follower`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::hub::backplane) struct Diverged;

impl Follower {
    /// The last publication that the topic knows of. `None`: it is to be loaded.
    pub(in crate::hub::backplane) fn last(&self) -> Option<Last> {
        self.last
    }

    /// The topic, unless it was dropped.
    pub(in crate::hub::backplane) fn topic(&self) -> Option<Arc<TopicInner>> {
        self.topic.upgrade()
    }

    /// What the broker keeps: publications behind `start` without a gap between them. What comes next comes behind `position`.
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
        for entry in entries {
            match Envelope::decode(entry.envelope) {
                Some(envelope) => {
                    if entry.position == position {
                        last.id = Some(envelope.id);
                    }
                    loaded.kept.push(Kept { position: entry.position, draft: link.draft(envelope), age: entry.age });
                }
                None => loaded = Loaded { start: entry.position, kept: Vec::new() },
            }
        }
        self.last = Some(last);
        // What members wait for that know a later position is asked for again.
        self.awaited_by = None;
        topic.load(loaded, || link.release(&topic.name));
    }

    /// A publication that was just made. `false`: others come before it, and the log is to be read.
    pub(in crate::hub::backplane) fn receive(&mut self, link: &Link, entry: Entry) -> bool {
        let Some(last) = self.last else { return true };
        let is_same_epoch = entry.position.epoch() == last.position.epoch();
        if is_same_epoch && entry.position.offset() <= last.position.offset() {
            return true;
        }
        let is_next = is_same_epoch && entry.previous <= last.position.offset();
        if is_next {
            self.append(link, entry);
        }
        is_next
    }

    /// What the log has from the last publication on.
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

    /// The log was read to its end, which was here.
    pub(in crate::hub::backplane) fn caught_up(&mut self, end: Position) {
        if let Some(last) = self.awaited_by.take()
            && let Some(topic) = self.topic()
        {
            topic.caught_up(last, end);
        }
    }

    /// What comes before this position is lost.
    pub(in crate::hub::backplane) fn skip_to(&mut self, position: Position) {
        self.last = Some(Last { position, id: None });
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
        let draft = link.draft(envelope);
        if let Some(topic) = self.topic() {
            topic.append_kept(Kept { position, draft, age });
        }
    }
}

impl Last {
    /// Whether this is it, or its beginning, as far as is known.
    pub(in crate::hub::backplane) fn is(&self, envelope: &[u8]) -> bool {
        self.id.is_none() || EnvelopeId::of(envelope) == self.id
    }
}

impl Entry {
    pub(in crate::hub::backplane) fn before(&self) -> Position {
        Position::new(self.position.epoch(), self.previous)
    }
}
