//! The state of a connection that its task and its handles share, and that the lock protects.

use std::time::Duration;

use tokio::time::Instant;

use super::feeds::Feeds;
use super::waker_set::{WakerSet, Wakers};
use crate::close::CloseFrame;
use crate::error::Error;
use crate::limits::Limits;
use crate::protocol::{Incoming, Lifecycle, Sender};
use crate::role::Role;

/// The state that the lock of [`Inner`](super::inner::Inner) protects.
#[derive(Debug)]
pub(super) struct State {
    pub(super) lifecycle: Lifecycle,
    pub(super) incoming: Incoming,
    pub(super) sender: Sender,
    /// Publications of topics that wait for the outgoing buffer.
    pub(super) feeds: Feeds,
    pub(super) ping_requests: PingRequests,
    /// Bytes read from the transport.
    pub(super) wire_received: u64,
    /// The task has stopped reading until a handle receives a message: there is no capacity for another.
    pub(super) capacity_awaited: bool,
    /// The number of running futures of `ignore_incoming`. While there is one, messages are discarded as they arrive.
    pub(super) ignoring: usize,
    /// The task is to end at once, and to drop the handler.
    pub(super) aborted: bool,
    pub(super) handles_dropped: bool,
    /// When the connection is to be closed, and with which frame. `deadline_changed`: the task has not read it yet.
    pub(super) deadline: Option<Box<(Instant, CloseFrame)>>,
    pub(super) deadline_changed: bool,
    pub(super) readers: WakerSet,
    pub(super) writers: WakerSet,
    pub(super) watchers: WakerSet,
}

/// The pings that handles and the keepalive have requested, numbered from 1 on.
#[derive(Debug, Default)]
pub(super) struct PingRequests {
    /// The number of the latest ping.
    pub(super) latest: u64,
    /// The number of the latest ping that was answered.
    pub(super) answered: u64,
    /// The round trip of the latest ping that was answered.
    pub(super) round_trip: Option<Duration>,
}

/// What a future waits for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Waiting {
    /// A message.
    Reader,
    /// A pong, the end of the connection, or the last handle's drop.
    Watcher,
    /// Written bytes, which free capacity.
    Writer,
}

impl State {
    pub(super) fn new(role: Role, limits: &Limits) -> Self {
        Self {
            lifecycle: Lifecycle::default(),
            incoming: Incoming::new(limits),
            sender: Sender::new(role, limits),
            feeds: Feeds::default(),
            ping_requests: PingRequests::default(),
            wire_received: 0,
            capacity_awaited: false,
            ignoring: 0,
            aborted: false,
            handles_dropped: false,
            deadline: None,
            deadline_changed: false,
            readers: WakerSet::default(),
            writers: WakerSet::default(),
            watchers: WakerSet::default(),
        }
    }

    #[inline]
    pub(super) fn wakers(&mut self, waiting: Waiting) -> &mut WakerSet {
        match waiting {
            Waiting::Reader => &mut self.readers,
            Waiting::Watcher => &mut self.watchers,
            Waiting::Writer => &mut self.writers,
        }
    }

    #[inline]
    pub(super) fn take_wakers(&mut self, waiting: Waiting, wakers: &mut Wakers) {
        self.wakers(waiting).take(wakers);
    }

    /// The wakers of futures that wait for bytes to be written. Usually there are none.
    #[inline]
    pub(super) fn take_writers(&mut self) -> Option<Wakers> {
        if self.writers.is_empty() {
            return None;
        }
        let mut wakers = Wakers::default();
        self.writers.take(&mut wakers);
        Some(wakers)
    }

    pub(super) fn take_all_wakers(&mut self) -> Wakers {
        let mut wakers = Wakers::default();
        for waiting in [Waiting::Reader, Waiting::Watcher, Waiting::Writer] {
            self.take_wakers(waiting, &mut wakers);
        }
        wakers
    }

    /// Moves publications from the feeds into the outgoing buffer. Returns whether there are more that must be encoded first, which
    /// is done without the lock.
    pub(super) fn refill(&mut self) -> bool {
        self.feeds.refill(&mut self.sender)
    }

    /// Whether there is capacity for another unread message. If not, a handle that receives a message wakes the task.
    #[inline]
    pub(super) fn check_capacity(&mut self) -> bool {
        let has_capacity = self.incoming.has_capacity();
        self.capacity_awaited = !has_capacity;
        has_capacity
    }

    /// Whether a message that arrives is stored until a handle receives it. Otherwise it is discarded.
    #[inline]
    pub(super) fn is_wanted(&self) -> bool {
        self.lifecycle.is_receiving() && self.ignoring == 0 && !self.handles_dropped
    }

    pub(super) fn set_round_trip(&mut self, ping: u64, round_trip: Duration) -> Wakers {
        self.ping_requests.round_trip = Some(round_trip);
        self.ping_requests.answered = ping;
        let mut wakers = Wakers::default();
        self.take_wakers(Waiting::Watcher, &mut wakers);
        wakers
    }

    /// Fails the connection, and queues a close frame if one can still be sent.
    pub(super) fn fail(&mut self, error: Error, frame: &CloseFrame) {
        if self.lifecycle.fail(error) {
            self.sender.push_close(frame);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::close::CloseCode;

    #[test]
    fn messages_are_stored_while_a_handle_can_receive_them_and_none_ignores_them() {
        for (ignoring, handles_dropped, closes, wanted) in [
            (0, false, false, true),
            (1, false, false, false),
            (2, false, false, false),
            (0, true, false, false),
            (0, false, true, false),
            (1, true, true, false),
        ] {
            let mut state = State::new(Role::Server, &Limits::default());
            (state.ignoring, state.handles_dropped) = (ignoring, handles_dropped);
            if closes {
                state.lifecycle.close(CloseCode::NORMAL.into());
            }
            assert_eq!(state.is_wanted(), wanted, "{ignoring} {handles_dropped} {closes}");
        }
    }
}
