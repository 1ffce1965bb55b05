//! What a topic keeps, and what a member that comes back gets of it.

use std::time::Duration;

use super::position::Position;
use crate::limits::LONGEST;
use crate::message::Message;

/// Which publications a topic keeps for members that come back. By default a topic keeps none.
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
/// The payloads are kept once, and each in the forms in which it was sent. All of it is charged to the hub's
/// [`Budget`](crate::Budget); where that is used up, histories are forgotten before anything else is affected.
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

    /// None older than this. A topic without members and handles is forgotten once its last publication is that old. With zero
    /// none are kept; 30 years or more count as 30 years.
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
    /// Everything that was published after the position: so many publications, which are sent before later ones. Those that
    /// leave this connection out are not counted.
    All(usize),
    /// Some of it is not kept any more, or the position is not of this run of the topic. Nothing is replayed: the client needs
    /// its state afresh. It gets everything that is published from now on, and before that what
    /// [`Topic::tell_gap`](crate::Topic::tell_gap) makes.
    Gap,
    /// A broker has yet to be asked. What it keeps is sent before later publications; a gap is told by
    /// [`Topic::tell_gap`](crate::Topic::tell_gap). It never happens in a hub without a broker, nor after
    /// [`Topic::ready`](crate::Topic::ready).
    Pending,
}

/// Publications that are lost: a client that should have had them needs its state afresh. See
/// [`Topic::tell_gap`](crate::Topic::tell_gap).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    pub(super) after: Position,
    pub(super) up_to: Position,
}

impl Gap {
    /// The last position that the client, or the topic on this server, is known to have had.
    #[must_use]
    pub fn after(self) -> Position {
        self.after
    }

    /// What is published after this position comes next. It may be of another epoch.
    #[must_use]
    pub fn up_to(self) -> Position {
        self.up_to
    }
}

/// Makes the message that tells members of a gap.
pub(super) type GapNotice = dyn Fn(Gap) -> Message + Send + Sync;
