//! Presence: the members with a value, such as a name.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::connection::FeedId;
use crate::manager::ConnectionId;
use crate::message::Message;
use crate::panic_payload::drop_payload;

/// A member with a presence value; see [`Topic::join_as`](crate::Topic::join_as).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presence {
    connection: ConnectionId,
    value: Message,
}

impl Presence {
    pub(super) fn new(connection: ConnectionId, value: Message) -> Self {
        Self { connection, value }
    }

    /// The member's connection.
    #[must_use]
    pub fn connection_id(&self) -> ConnectionId {
        self.connection
    }

    /// The member's value.
    #[must_use]
    pub fn value(&self) -> &Message {
        &self.value
    }
}

/// A change of the presence of a topic; see [`Topic::on_presence`](crate::Topic::on_presence).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PresenceChange {
    /// A member has set its value for the first time.
    Joined(Presence),
    /// A member with a value has left, for whatever reason.
    Left(Presence),
    /// A member has changed its value.
    Updated(Presence),
}

/// Makes the message, if any, that members get for a change.
pub(super) type OnPresence = dyn Fn(&PresenceChange) -> Option<Message> + Send + Sync;

/// The members with a presence value, in the order in which they joined, and the changes that are not announced yet.
#[derive(Debug, Default)]
pub(super) struct Present {
    list: BTreeMap<FeedId, Presence>,
    changes: VecDeque<PresenceChange>,
    /// A change is being announced.
    announcing: bool,
}

impl Present {
    pub(super) fn set(&mut self, id: FeedId, presence: Presence) {
        self.changes.push_back(match self.list.insert(id, presence.clone()) {
            None => PresenceChange::Joined(presence),
            Some(_) => PresenceChange::Updated(presence),
        });
    }

    pub(super) fn remove(&mut self, id: FeedId) {
        self.changes.extend(self.list.remove(&id).map(PresenceChange::Left));
    }

    /// The next change to announce. `None` also while another change is being announced, until [`announced`](Self::announced).
    pub(super) fn next_change(&mut self) -> Option<PresenceChange> {
        if self.announcing {
            return None;
        }
        let change = self.changes.pop_front();
        self.announcing = change.is_some();
        if change.is_none() {
            // Free the memory of a burst of changes.
            self.changes = VecDeque::new();
        }
        change
    }

    pub(super) fn announced(&mut self) {
        self.announcing = false;
    }

    pub(super) fn list(&self) -> Vec<Presence> {
        self.list.values().cloned().collect()
    }
}

/// Calls the user's function, and catches its panic: a member can leave because its connection is dropped during a panic, where a
/// second panic would abort the process.
pub(super) fn announce(on_presence: &OnPresence, change: &PresenceChange) -> Option<Message> {
    catch_unwind(AssertUnwindSafe(|| on_presence(change))).unwrap_or_else(|payload| {
        tracing::error!("the function of `Topic::on_presence` panicked");
        drop_payload(payload);
        None
    })
}

impl fmt::Display for Presence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.value.as_text() {
            Some(text) => f.write_str(text),
            None => write!(f, "{}", self.value.as_bytes().escape_ascii()),
        }
    }
}
