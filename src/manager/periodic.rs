//! Periodic updates: values that are sent at intervals if they have changed.

pub mod dedup;

use std::fmt;
use std::future::{Future, IntoFuture};
use std::marker::PhantomData;
use std::pin::Pin;
use std::time::Duration;

use serde::Serialize;
use tokio::time::{MissedTickBehavior, interval};

use self::dedup::{ByFn, ByKey, ByValue, Dedup, Never};
use crate::error::{BoxError, Error, ErrorKind};
use crate::manager::Manager;
use crate::message::Message;

/// The future of [`PeriodicWrite`], which its `IntoFuture` returns.
pub type PeriodicFuture<'a> = Pin<Box<dyn Future<Output = Result<(), Error>> + Send + 'a>>;

impl Manager {
    /// Sends what `get` returns as JSON: the first value at once, later ones every `interval` if they differ from the
    /// one sent last, until the peer leaves.
    ///
    /// `get` is called again only when the last value is written to the transport. While the peer is slow, ticks are
    /// skipped, so that the next value is up to date.
    ///
    /// It does not receive messages. Unread messages can stop reading, and then the peer's close frame is not noticed. If
    /// the handler does nothing else, use [`WebSocketLayer::periodic`](crate::WebSocketLayer::periodic), which discards
    /// incoming messages.
    ///
    /// Await the result, or first choose how values are compared. If a value is not `Serialize`, `Send` and, without another
    /// comparison, `PartialEq`, the compiler says that `PeriodicWrite<..>` is not a future.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_websocket::{Error, Manager};
    ///
    /// #[derive(serde::Serialize, PartialEq)]
    /// struct Status {
    ///     version: u64,
    ///     load: f64,
    /// }
    ///
    /// async fn status() -> Result<Status, Error> {
    ///     Ok(Status { version: 1, load: 0.5 })
    /// }
    ///
    /// async fn handler(ws: Manager) -> Result<(), Error> {
    ///     ws.periodic_write(Duration::from_secs(5), status).dedup_by_key(|status| status.version).await
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::Source`] when `get` fails; the source is its error. The connection stays usable.
    /// - [`ErrorKind::Encode`] when a value cannot be serialised. The connection stays usable.
    /// - The reason why the connection failed. A close by either side and a peer that vanished are not errors:
    ///   [`ErrorKind::Disconnected`] and [`ErrorKind::KeepaliveTimeout`].
    ///
    /// # Panics
    ///
    /// If `interval` is zero.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped, no more values are sent; none is sent in part.
    #[doc(alias = "PeriodicWrite")]
    #[track_caller]
    pub fn periodic_write<G, F, T, E>(&self, interval: Duration, get: G) -> PeriodicWrite<'_, G, T, ByValue>
    where
        G: FnMut() -> F,
        F: Future<Output = Result<T, E>>,
    {
        assert!(!interval.is_zero(), "an interval must be longer than zero");
        PeriodicWrite { ws: self, interval, get, same: ByValue(()), value: PhantomData }
    }
}

/// A periodic update that is not yet started; made by [`Manager::periodic_write`]. Await it.
///
/// `G` is the function that gets values, `T` the type of a value, and `D` how values are compared, one of the types in
/// [`dedup`]. With them the type can be named:
///
/// ```
/// use std::convert::Infallible;
/// use std::future::{Ready, ready};
/// use std::time::Duration;
/// use tower_websocket::dedup::ByKey;
/// use tower_websocket::{Manager, PeriodicWrite};
///
/// type Load = (u64, f64);
/// type Loads<'a> = PeriodicWrite<'a, fn() -> Ready<Result<Load, Infallible>>, Load, ByKey<fn(&Load) -> u64>>;
///
/// fn loads(ws: &Manager) -> Loads<'_> {
///     ws.periodic_write(Duration::from_secs(5), load as fn() -> _).dedup_by_key(version as fn(&Load) -> u64)
/// }
///
/// fn load() -> Ready<Result<Load, Infallible>> {
///     ready(Ok((1, 0.5)))
/// }
///
/// fn version(load: &Load) -> u64 {
///     load.0
/// }
/// ```
#[must_use = "nothing is sent until this is awaited"]
pub struct PeriodicWrite<'a, G, T, D> {
    ws: &'a Manager,
    interval: Duration,
    get: G,
    same: D,
    value: PhantomData<fn() -> T>,
}

impl<'a, G, T, D> PeriodicWrite<'a, G, T, D> {
    /// Skips a value when `same(last, current)` says that it is the same as the one sent last.
    pub fn dedup_by<S: FnMut(&T, &T) -> bool>(self, same: S) -> PeriodicWrite<'a, G, T, ByFn<S>> {
        self.with(ByFn(same))
    }

    /// Skips a value when its key equals that of the one sent last.
    pub fn dedup_by_key<K: PartialEq, S: FnMut(&T) -> K>(self, key: S) -> PeriodicWrite<'a, G, T, ByKey<S>> {
        self.with(ByKey(key))
    }

    /// Sends every value.
    pub fn without_dedup(self) -> PeriodicWrite<'a, G, T, Never> {
        self.with(Never(()))
    }

    fn with<S>(self, same: S) -> PeriodicWrite<'a, G, T, S> {
        PeriodicWrite { ws: self.ws, interval: self.interval, get: self.get, same, value: PhantomData }
    }
}

impl<G, T, D> fmt::Debug for PeriodicWrite<'_, G, T, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeriodicWrite").field("interval", &self.interval).finish_non_exhaustive()
    }
}

impl<'a, G, D, F, T, E> IntoFuture for PeriodicWrite<'a, G, T, D>
where
    G: FnMut() -> F + Send + 'a,
    F: Future<Output = Result<T, E>> + Send + 'a,
    T: Serialize + Send + 'a,
    E: Into<BoxError> + Send + 'a,
    D: Dedup<T> + Send + 'a,
{
    type Output = Result<(), Error>;
    type IntoFuture = PeriodicFuture<'a>;

    fn into_future(self) -> PeriodicFuture<'a> {
        Box::pin(async move {
            let ws = self.ws;
            tokio::select! {
                result = self.send_updates() => result,
                end = ws.done() => end.map(drop),
            }
            .or_else(unless_peer_left)
        })
    }
}

impl<G, T, D> PeriodicWrite<'_, G, T, D> {
    async fn send_updates<F, E>(mut self) -> Result<(), Error>
    where
        G: FnMut() -> F,
        F: Future<Output = Result<T, E>>,
        T: Serialize,
        E: Into<BoxError>,
        D: Dedup<T>,
    {
        let mut ticks = interval(self.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut last = None;
        loop {
            ticks.tick().await;
            let current = (self.get)().await.map_err(|error| Error::with_source(ErrorKind::Source, error))?;
            if last.as_ref().is_some_and(|last| self.same.is_same(last, &current)) {
                continue;
            }
            self.ws.send(Message::json(&current)?).await?;
            self.ws.flush().await?;
            last = Some(current);
        }
    }
}

/// The whole handler of [`WebSocketLayer::periodic`](crate::WebSocketLayer::periodic).
pub(crate) fn run_periodic<G, F, T, E>(ws: Manager, interval: Duration, get: G) -> PeriodicFuture<'static>
where
    G: FnMut() -> F + Send + 'static,
    F: Future<Output = Result<T, E>> + Send + 'static,
    T: Serialize + PartialEq + Send + Sync + 'static,
    E: Into<BoxError> + Send + 'static,
{
    Box::pin(async move {
        // Messages are discarded: if they stayed unread, the peer's close frame would not be read.
        let discard = async { while let Ok(Some(_)) = ws.recv().await {} };
        tokio::select! {
            result = ws.periodic_write(interval, get) => result,
            () = discard => Ok(()),
        }
    })
}

/// Periodic updates normally end when the peer leaves: that is not an error.
fn unless_peer_left(error: Error) -> Result<(), Error> {
    match error.kind() {
        ErrorKind::Closed | ErrorKind::Disconnected | ErrorKind::KeepaliveTimeout => Ok(()),
        _ => Err(error),
    }
}
