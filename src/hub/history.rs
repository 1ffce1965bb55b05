//! What a topic keeps, and what a member that comes back gets of it.

use std::time::Duration;

use crate::limits::LONGEST;

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
    /// The last `count` publications, none of them older than five minutes.
    pub fn last(count: usize) -> Self {
        Self { last: count, within: Duration::from_secs(300) }
    }

    /// None older than this. A topic without members and handles is forgotten once its last publication is that old.
    pub fn within(mut self, time: Duration) -> Self {
        self.within = time.min(LONGEST);
        self
    }
}

/// What [`Topic::join_after`](crate::Topic::join_after) could recover.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recovered {
    /// Everything that was published after the position: so many publications, which are sent before later ones. Those that
    /// leave this connection out are not counted.
    All(usize),
    /// Some of it is not kept any more, or the position is not of this run of the topic. Nothing is replayed: the client needs
    /// its state afresh. It gets everything that is published from now on.
    Gap,
}
