//! Graceful shutdown: closes all connections.

use std::collections::HashMap;
use std::convert::Infallible;
use std::fmt;
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until, timeout};

use crate::close::{CloseCode, CloseFrame};
use crate::connection::Inner as Connection;
use crate::longest::LONGEST;
use crate::text::Text;

/// Closes all connections of one or more endpoints with a close frame, and waits for their handlers.
///
/// It works alike over HTTP/1.1 and HTTP/2. A server's own graceful shutdown does not: hyper's abandons WebSockets over
/// HTTP/1.1, and waits for those over HTTP/2 without a limit. Clones are the same shutdown.
///
/// ```
/// use std::time::Duration;
/// use tower_websocket::{CloseCode, Manager, Shutdown, WebSocketLayer};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let shutdown = Shutdown::new();
/// let layer = WebSocketLayer::new(|ws: Manager| async move { ws.recv().await.map(drop) }).shutdown(&shutdown);
/// // .. serve, and to stop:
/// shutdown.close_all(CloseCode::GOING_AWAY, "restarting", Duration::from_secs(10)).await;
/// # }
/// ```
#[doc(alias = "graceful_shutdown")]
#[doc(alias = "drain")]
#[derive(Clone, Default)]
pub struct Shutdown(Arc<Inner>);

#[derive(Default)]
struct Inner {
    state: Mutex<State>,
    ended: Notify,
}

#[derive(Default)]
struct State {
    closing: Option<CloseFrame>,
    jitter: Duration,
    /// The size of a batch, and the time between two batches.
    batch: Option<(usize, Duration)>,
    /// The deadline has passed.
    overdue: bool,
    next_number: u64,
    /// `None` while a connection waits for its transport.
    connections: HashMap<u64, Option<Weak<Connection>>>,
}

impl Shutdown {
    /// A new shutdown, for [`Upgrader::shutdown`](crate::Upgrader::shutdown).
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sends the close frames at random moments within this time, so that not all clients reconnect at the same moment. Zero
    /// by default. It is limited to half of the deadline.
    ///
    /// With [`batch`](Self::batch), each batch is spread over this time. It applies to all clones.
    #[must_use]
    pub fn jitter(self, time: Duration) -> Self {
        self.lock().jitter = time;
        self
    }

    /// The time that was set with [`jitter`](Self::jitter).
    #[must_use]
    pub fn get_jitter(&self) -> Duration {
        self.lock().jitter
    }

    /// Closes `size` connections at a time, and the next batch after `every`, so that clients reconnect to other servers
    /// batch by batch. By default, all connections are closed at once.
    ///
    /// All batches together are limited to half of the deadline: if there are too many, the time between them is shorter. It
    /// applies to all clones.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_websocket::Shutdown;
    ///
    /// // 1,000 clients per second, spread over each second.
    /// let second = Duration::from_secs(1);
    /// let shutdown = Shutdown::new().batch(1000, second).jitter(second);
    /// ```
    ///
    /// # Panics
    ///
    /// If `size` or `every` is zero.
    #[must_use]
    #[track_caller]
    pub fn batch(self, size: usize, every: Duration) -> Self {
        assert!(size > 0, "a batch of no connections would never end");
        assert!(!every.is_zero(), "the time between two batches must not be zero");
        self.lock().batch = Some((size, every));
        self
    }

    /// What was set with [`batch`](Self::batch).
    #[must_use]
    pub fn get_batch(&self) -> Option<(usize, Duration)> {
        self.lock().batch
    }

    /// How many connections are open.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.lock().connections.len()
    }

    /// Whether [`close_all`](Self::close_all) was called.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.lock().closing.is_some()
    }

    /// Closes every connection with this code, and waits until they and their handlers have ended, for at most `deadline`.
    ///
    /// From the first call on, new handshakes get 503. Connections that have not ended by the deadline are dropped, handler
    /// and transport; the result is their number. Stop accepting TCP connections before or after this; both work.
    ///
    /// A server's own graceful shutdown needs a time limit too: over HTTP/2 hyper waits for streams whose peers read
    /// nothing, which only the peer can end.
    ///
    /// In handlers [`recv`](crate::Manager::recv) returns `None`, and all other methods return
    /// [`ErrorKind::Closed`](crate::ErrorKind::Closed).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the connections that remain are closed at once, without jitter and batches, and the
    /// deadline no longer applies.
    pub async fn close_all(&self, code: CloseCode, reason: impl Into<Text>, deadline: Duration) -> usize {
        let frame = CloseFrame::new(code, reason);
        let (moments, open) = {
            let mut state = self.lock();
            state.closing.get_or_insert_with(|| frame.clone());
            let open: Vec<_> = state.connections.values().flatten().cloned().collect();
            (moments(open.len(), state.batch, state.jitter, (deadline / 2).min(LONGEST)), open)
        };
        let polite = async {
            tokio::select! {
                () = self.wait_until(|state| state.connections.is_empty()) => {}
                never = PendingCloses { connections: open, frame }.close_at(moments) => match never {},
            }
        };
        if timeout(deadline, polite).await.is_ok() {
            return 0;
        }
        let left: Vec<_> = {
            let mut state = self.lock();
            state.overdue = true;
            state.connections.values().cloned().collect()
        };
        for connection in left.iter().flatten().filter_map(Weak::upgrade) {
            connection.abort();
        }
        // Connections that still wait for a transport are aborted when they get it. A connection whose handler blocks its thread
        // cannot be dropped, so the wait is limited.
        let dropped = self.wait_until(|state| state.connections.values().all(Option::is_none));
        let _ = timeout(DROP_TIME, dropped).await;
        left.len()
    }

    async fn wait_until(&self, condition: impl Fn(&State) -> bool) {
        loop {
            let ended = self.0.ended.notified();
            if condition(&self.lock()) {
                return;
            }
            ended.await;
        }
    }

    /// Counts one more connection, unless the server is shutting down.
    pub(crate) fn admit(&self) -> Option<Ticket> {
        let mut state = self.lock();
        if state.closing.is_some() {
            return None;
        }
        let number = state.next_number;
        state.next_number += 1;
        state.connections.insert(number, None);
        Some(Ticket { shutdown: self.clone(), number })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Shutdown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        f.debug_struct("Shutdown")
            .field("connections", &state.connections.len())
            .field("closing", &state.closing)
            .field("jitter", &state.jitter)
            .field("batch", &state.batch)
            .finish_non_exhaustive()
    }
}

/// The connections that are not closed yet. Dropping this closes them all at once.
struct PendingCloses {
    connections: Vec<Weak<Connection>>,
    frame: CloseFrame,
}

impl PendingCloses {
    /// Closes one connection at each of these moments, which are sorted. Never returns.
    async fn close_at(mut self, moments: Vec<Duration>) -> Infallible {
        let start = Instant::now();
        for moment in moments {
            if !moment.is_zero() {
                sleep_until(start + moment).await;
            }
            self.close_next();
        }
        pending().await
    }

    fn close_next(&mut self) -> bool {
        let Some(connection) = self.connections.pop() else { return false };
        if let Some(connection) = connection.upgrade() {
            connection.close(self.frame.clone());
        }
        true
    }
}

impl Drop for PendingCloses {
    fn drop(&mut self) {
        while self.close_next() {}
    }
}

/// The sorted moments at which connections are closed: batch by batch, each batch spread over the jitter, and all within `limit`.
fn moments(connections: usize, batch: Option<(usize, Duration)>, jitter: Duration, limit: Duration) -> Vec<Duration> {
    let (size, every) = batch.unwrap_or((usize::MAX, Duration::ZERO));
    let last_batch = every.as_secs_f64() * (connections.saturating_sub(1) / size) as f64;
    let all = last_batch + jitter.as_secs_f64();
    let scale = if all > limit.as_secs_f64() { limit.as_secs_f64() / all } else { 1.0 };
    let moment = |number: usize| {
        let batch = every.as_secs_f64() * (number / size) as f64;
        let spread = if jitter.is_zero() { 0.0 } else { jitter.as_secs_f64() * rand::random::<f64>() };
        Duration::from_secs_f64((batch + spread) * scale)
    };
    let mut moments: Vec<_> = (0..connections).map(moment).collect();
    moments.sort_unstable();
    moments
}

/// One connection that a shutdown waits for.
#[derive(Debug)]
pub(crate) struct Ticket {
    shutdown: Shutdown,
    number: u64,
}

impl Ticket {
    /// Called when the connection has its transport, so that it can be closed. Closes or aborts it if a shutdown is in progress.
    pub(crate) fn attach(&self, connection: &Arc<Connection>) {
        let mut state = self.shutdown.lock();
        state.connections.insert(self.number, Some(Arc::downgrade(connection)));
        if state.overdue {
            connection.abort();
        } else if let Some(frame) = &state.closing {
            connection.close(frame.clone());
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut state = self.shutdown.lock();
        state.connections.remove(&self.number);
        if state.closing.is_some() {
            self.shutdown.0.ended.notify_waiters();
        }
    }
}

/// How long to wait until connections are dropped. It is only exceeded if a handler blocks its thread.
const DROP_TIME: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    /// The moments of ten connections without jitter, in seconds.
    fn seconds(batch: Option<(usize, u64)>, most: u64) -> Vec<f64> {
        let secs = Duration::from_secs;
        let batch = batch.map(|(size, every)| (size, secs(every)));
        moments(10, batch, Duration::ZERO, secs(most)).iter().map(Duration::as_secs_f64).collect()
    }

    #[test]
    fn batches_follow_each_other_within_the_time_that_there_is() {
        assert_eq!(seconds(None, 10), [0.0; 10]);
        assert_eq!(seconds(Some((4, 2)), 10), [0.0, 0.0, 0.0, 0.0, 2.0, 2.0, 2.0, 2.0, 4.0, 4.0]);
        assert_eq!(seconds(Some((4, 2)), 2), [0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 2.0, 2.0]);
        assert_eq!(seconds(Some((10, 5)), 2), [0.0; 10]);
        assert_eq!(seconds(Some((1, u64::MAX)), 9)[1..3], [1.0, 2.0]);
        assert!(moments(0, Some((1, Duration::ZERO)), Duration::ZERO, Duration::ZERO).is_empty());
    }

    #[test]
    fn each_batch_is_spread_over_the_jitter() {
        let secs = Duration::from_secs;
        let moments = moments(2000, Some((1000, secs(10))), secs(4), secs(100));
        let (first, second) = moments.split_at(1000);
        for (batch, start) in [(first, secs(0)), (second, secs(10))] {
            assert!(batch[0] >= start && batch[999] <= start + secs(4), "{batch:?}");
            // Of 1,000, that none falls into the last second is as good as impossible.
            assert!(batch[999] > start + secs(3), "{batch:?}");
        }
    }
}
