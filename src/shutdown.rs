//! The end of all connections at once.

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
use crate::text::Text;

/// Closes the connections of one or more layers politely.
///
/// Works alike on HTTP/1.1 and HTTP/2, where a server's own graceful shutdown abandons the former and waits for ever for
/// the latter. Clones are the same shutdown.
///
/// ```
/// use std::time::Duration;
/// use tower_websocket::{CloseCode, Manager, Shutdown, WebSocketLayer};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let shutdown = Shutdown::new();
/// let layer = WebSocketLayer::new(|ws: Manager| async move { ws.recv().await.map(drop) }).shutdown(&shutdown);
/// // .. serve, and when it is time:
/// shutdown.close_all(CloseCode::GOING_AWAY, "restarting", Duration::from_secs(10)).await;
/// # }
/// ```
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
    /// The deadline has passed.
    overdue: bool,
    next: u64,
    /// Those that wait for their transport have nothing to close yet.
    connections: HashMap<u64, Option<Weak<Connection>>>,
}

impl Shutdown {
    /// A shutdown that no layer has yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Spreads the close frames at random over so much time, so that not all clients come back at the same moment. Zero by
    /// default; of a deadline, at most half is spent on it.
    ///
    /// It holds for all clones.
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
    /// From the first call on, new handshakes get 503. What has not ended by the deadline is dropped, handler and
    /// transport, and counted in the result. Stop accepting TCP connections before or after this; both work.
    ///
    /// A server's own graceful shutdown needs a limit besides: over HTTP/2 hyper waits for streams whose peers read nothing,
    /// which only the peer can end.
    ///
    /// Handlers see the close as the end of [`recv`](crate::Manager::recv), and as
    /// [`ErrorKind::Closed`](crate::ErrorKind::Closed) from everything else.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped, all connections are closed, jitter or not, and the deadline is not kept.
    pub async fn close_all(&self, code: CloseCode, reason: impl Into<Text>, deadline: Duration) -> usize {
        let frame = CloseFrame::new(code, reason);
        let (jitter, open): (_, Vec<_>) = {
            let mut state = self.lock();
            state.closing.get_or_insert_with(|| frame.clone());
            (state.jitter.min(deadline / 2), state.connections.values().flatten().cloned().collect())
        };
        let polite = async {
            tokio::select! {
                () = self.wait_until(|state| state.connections.is_empty()) => {}
                never = PendingCloses { connections: open, frame }.close_staggered(jitter) => match never {},
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
        // Those without a transport yet are aborted when they get it.
        // One whose handler blocks its thread cannot be dropped: it is not waited for.
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
        let number = state.next;
        state.next += 1;
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
            .finish_non_exhaustive()
    }
}

/// The connections that are still to be told. Dropped, it tells them all.
struct PendingCloses {
    connections: Vec<Weak<Connection>>,
    frame: CloseFrame,
}

impl PendingCloses {
    /// Closes them in the course of this time, each at a moment of its own.
    async fn close_staggered(mut self, jitter: Duration) -> Infallible {
        let start = Instant::now();
        let mut moments: Vec<_> = self.connections.iter().map(|_| jitter.mul_f64(rand::random())).collect();
        moments.sort_unstable();
        for moment in moments {
            if !jitter.is_zero() {
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

/// One connection that a shutdown waits for.
#[derive(Debug)]
pub(crate) struct Ticket {
    shutdown: Shutdown,
    number: u64,
}

impl Ticket {
    /// The connection is open, and can be closed from now on.
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

/// How long dropping takes where no handler blocks its thread.
const DROP_TIME: Duration = Duration::from_secs(1);
