//! The metrics of one connection, which are added to those of the process.

use std::time::Duration;

use tokio::time::Instant;

use super::handles::{Direction, closed, with};
use crate::close::CloseFrame;
use crate::error::Error;
use crate::role::Role;
use crate::stats::{QueueSizes, Stats};

/// The counters of a connection, as they were last added to the metrics.
#[derive(Debug)]
pub(crate) struct ConnectionMetrics {
    role: Role,
    /// When they are added next. `None` before the connection is open, and after its end.
    due: Option<Instant>,
    stats: Stats,
    queues: QueueSizes,
}

impl ConnectionMetrics {
    pub(crate) fn new(role: Role) -> Self {
        Self { role, due: None, stats: Stats::default(), queues: QueueSizes::default() }
    }

    /// Counts a connection that has opened.
    #[cold]
    pub(crate) fn opened(&mut self, now: Instant) {
        self.due = Some(now + INTERVAL);
        with(self.role, |handles| {
            handles.opened.increment(1);
            handles.active.increment(1);
        });
    }

    /// Whether it is time to call [`count`](Self::count).
    #[inline]
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.due.is_some_and(|due| now >= due)
    }

    /// Adds the changes since the last call to the metrics.
    #[cold]
    pub(crate) fn count(&mut self, stats: Stats, queues: QueueSizes, now: Instant) {
        let (old, old_queues) =
            (std::mem::replace(&mut self.stats, stats), std::mem::replace(&mut self.queues, queues));
        self.due = Some(now + INTERVAL);
        with(self.role, |handles| {
            let received = [
                stats.messages_received - old.messages_received,
                stats.payload_received - old.payload_received,
                stats.wire_received - old.wire_received,
            ];
            let sent = [
                stats.messages_sent - old.messages_sent,
                stats.payload_sent - old.payload_sent,
                stats.wire_sent - old.wire_sent,
            ];
            handles.received.add(received, old_queues.unread, queues.unread);
            handles.sent.add(sent, old_queues.unwritten, queues.unwritten);
        });
        if queues.publications != old_queues.publications {
            super::handles::hub_queue_changed(queues.publications as f64 - old_queues.publications as f64);
        }
    }

    /// Whether the connection counts as open.
    pub(crate) fn is_open(&self) -> bool {
        self.due.is_some()
    }

    /// Counts the end of the connection and its handler.
    #[cold]
    pub(crate) fn ended(&mut self, stats: Stats, end: &Result<CloseFrame, Error>) {
        let Some(due) = self.due else { return };
        self.count(stats, QueueSizes::default(), due);
        self.due = None;
        with(self.role, |handles| handles.active.decrement(1));
        closed(self.role, end);
    }

    /// Records a round trip.
    pub(crate) fn round_trip(&self, time: Duration) {
        super::handles::round_trip(self.role, time);
    }
}

impl Direction {
    /// Adds messages, payload and bytes on the wire, and changes the size of the queue. Most connections have exchanged only
    /// pings, so zeros are skipped.
    fn add(&self, [messages, payload, network]: [u64; 3], old_queue: u64, queue: u64) {
        for (counter, more) in [(&self.messages, messages), (&self.payload, payload), (&self.network, network)] {
            if more > 0 {
                counter.increment(more);
            }
        }
        if queue != old_queue {
            self.queue.increment(queue as f64 - old_queue as f64);
        }
    }
}

/// How often a busy connection adds its counters.
const INTERVAL: Duration = Duration::from_secs(1);
