//! One producer of periodic updates for all members.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use serde::Serialize;
use tokio::task::AbortHandle;
use tokio::time::{MissedTickBehavior, interval};

use super::publication::Draft;
use super::topic::Topic;
use super::topic_inner::TopicInner;
use crate::error::{BoxError, Error, ErrorKind};
use crate::error_chain::Causes;
use crate::message::Message;
use crate::panic_payload::drop_payload;

#[cfg_attr(docsrs, doc(cfg(feature = "json")))]
impl Topic {
    /// Calls `get` every `interval` and publishes its value as JSON if it differs from the last one. The value is fetched,
    /// compared and encoded once for all members, and not at all while there are none.
    ///
    /// A member that joins gets the latest value at once, unless a [replay](Self::join_after) has sent it. For the first
    /// member of an empty topic, `get` is called again.
    ///
    /// This spawns a task, which keeps a handle to the topic. The task ends when [`abort`](AbortHandle::abort) is called on
    /// the result, when the last clone of the hub is dropped, or when the runtime ends; dropping the result does not end it.
    /// If `get` fails, that is logged at level warn; if `get`, or a function that compares, serialises or
    /// [encodes](Self::encode) its value, panics, at level error. Members stay, and the next interval tries again.
    ///
    /// ```
    /// use std::convert::Infallible;
    /// use std::time::Duration;
    /// use tower_websocket::{Error, Hub, Manager, Overflow, WebSocketLayer};
    ///
    /// async fn load() -> Result<f64, Infallible> {
    ///     Ok(0.5)
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let hub = Hub::new();
    /// hub.topic("load").periodic(Duration::from_secs(5), load);
    /// WebSocketLayer::new(move |ws: Manager| {
    ///     let topic = hub.topic("load");
    ///     async move {
    ///         let _seat = topic.join(&ws, Overflow::KeepLatest)?;
    ///         ws.ignore_incoming().await.map(drop)
    ///     }
    /// });
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// If `interval` is zero, and outside of a tokio runtime.
    #[track_caller]
    pub fn periodic<G, F, T, E>(&self, interval: Duration, get: G) -> AbortHandle
    where
        G: FnMut() -> F + Send + 'static,
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Serialize + PartialEq + Send + 'static,
        E: Into<BoxError> + Send + 'static,
    {
        self.periodic_by(interval, get, |last, current| last == current)
    }

    /// As [`periodic`](Self::periodic), but `same(last, current)` decides whether a value equals the last one. Such a value
    /// is not published.
    ///
    /// # Panics
    ///
    /// As [`periodic`](Self::periodic).
    #[track_caller]
    pub fn periodic_by<G, F, T, E>(
        &self,
        interval: Duration,
        get: G,
        same: impl FnMut(&T, &T) -> bool + Send + 'static,
    ) -> AbortHandle
    where
        G: FnMut() -> F + Send + 'static,
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Serialize + Send + 'static,
        E: Into<BoxError> + Send + 'static,
    {
        assert!(!interval.is_zero(), "an interval must be longer than zero");
        tokio::spawn(produce(self.inner().clone(), interval, get, same)).abort_handle()
    }
}

async fn produce<G, F, T, E>(topic: Arc<TopicInner>, period: Duration, get: G, same: impl FnMut(&T, &T) -> bool)
where
    G: FnMut() -> F,
    F: Future<Output = Result<T, E>>,
    T: Serialize,
    E: Into<BoxError>,
{
    let mut producer = Producer { get, same, last: None };
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while topic.has_hub() {
        if topic.clear_latest_if_empty() {
            // The next member gets a new value.
            producer.last = None;
            topic.wait_for_members(period).await;
            ticks.reset_immediately();
            continue;
        }
        ticks.tick().await;
        if topic.clear_latest_if_empty() {
            continue;
        }
        match catch_panic(producer.update(&topic)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(topic = &*topic.name, error = %Causes(&error), "no periodic update"),
            Err(payload) => {
                tracing::error!(topic = &*topic.name, "a function of `Topic::periodic` panicked");
                drop_payload(payload);
            }
        }
    }
}

/// The user's functions, and the value that was published last.
struct Producer<G, S, T> {
    get: G,
    same: S,
    last: Option<T>,
}

impl<G, S, T> Producer<G, S, T> {
    /// Gets the current value, and publishes it if it differs from the last one.
    async fn update<F, E>(&mut self, topic: &Arc<TopicInner>) -> Result<(), Error>
    where
        G: FnMut() -> F,
        F: Future<Output = Result<T, E>>,
        T: Serialize,
        E: Into<BoxError>,
        S: FnMut(&T, &T) -> bool,
    {
        let current = (self.get)().await.map_err(|error| Error::with_source(ErrorKind::Source, error))?;
        if self.last.as_ref().is_some_and(|last| (self.same)(last, &current)) {
            return Ok(());
        }
        let draft = Draft { latest: true, ..Draft::new(Message::json(&current)?) };
        topic.backplane.publish(topic, draft)?;
        self.last = Some(current);
        Ok(())
    }
}

/// Returns the future's output, or the payload of its panic.
async fn catch_panic<F: Future>(future: F) -> Result<F::Output, Box<dyn Any + Send>> {
    let mut future = pin!(future);
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(poll) => poll.map(Ok),
        Err(payload) => Poll::Ready(Err(payload)),
    })
    .await
}
