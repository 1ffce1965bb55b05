//! What a topic keeps, and what a member that reconnects gets from it.

use std::time::Duration;

use super::position::Position;
use crate::limits::LONGEST;
use crate::message::Message;

/// Which publications a topic keeps for members that reconnect. By default a topic keeps none.
///
/// ```
/// use std::time::Duration;
/// use tower_websocket::{History, Hub};
///
/// let chat = Hub::new().topic("chat").history(History::last(50).within(Duration::from_secs(120)));
/// ```
///
/// # Memory
///
/// Each publication is kept once, with its encoded frames. All of it is charged to the hub's [`Budget`](crate::Budget). If
/// more than half of that is in use when something is published, histories of the hub are dropped, those first that expire
/// first. So the other half is left for what connections receive and slow members wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct History {
    pub(super) last: usize,
    pub(super) within: Duration,
}

impl History {
    /// The last `count` publications, none of them older than five minutes. With zero none are kept, as by default.
    pub fn last(count: usize) -> Self {
        Self { last: count, within: Duration::from_secs(300) }
    }

    /// Keeps no publication for longer than this. A topic without members and handles is dropped once its last publication
    /// is that old. With zero none are kept; 30 years or more count as 30 years.
    ///
    /// What is older is not sent again. Its memory is given back at the next publication to the topic, or when
    /// [`Hub::topic`](crate::Hub::topic) is next called.
    pub fn within(mut self, time: Duration) -> Self {
        self.within = time.min(LONGEST);
        self
    }

    /// See [`last`](Self::last).
    #[must_use]
    pub fn get_last(&self) -> usize {
        self.last
    }

    /// See [`within`](Self::within). Five minutes by default.
    #[must_use]
    pub fn get_within(&self) -> Duration {
        self.within
    }
}

/// What [`Topic::join_after`](crate::Topic::join_after) could recover.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Recovered {
    /// Everything that was published after the position: this many publications, which are sent before later ones. Those
    /// that exclude this connection are not counted.
    All(usize),
    /// Publications are missing: they are no longer kept, or the position has another epoch. Nothing is replayed: the
    /// client must load its whole state again. It gets the message of [`Topic::tell_gap`](crate::Topic::tell_gap), and then
    /// everything that is published from now on.
    Gap,
    /// The broker has to answer first: this server has not loaded the topic yet, or the client knows a later position than
    /// this server. What the broker keeps is sent before later publications; [`Topic::tell_gap`](crate::Topic::tell_gap)
    /// reports a gap. This is never returned by a hub without a broker.
    Pending,
}

/// A range of lost publications. A client that missed them must load its whole state again. See
/// [`Topic::tell_gap`](crate::Topic::tell_gap).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    pub(super) after: Position,
    pub(super) up_to: Position,
}

impl Gap {
    /// The last position before the gap: that of the client, or of the topic on this server.
    #[must_use]
    pub fn after(self) -> Position {
        self.after
    }

    /// The next publication comes after this position, which may have another epoch.
    #[must_use]
    pub fn up_to(self) -> Position {
        self.up_to
    }
}

/// Makes the message that tells members of a gap.
pub(super) type GapNotice = dyn Fn(Gap) -> Message + Send + Sync;
