//! A layer with a handler for periodic updates.

use std::future::Future;
use std::time::Duration;

use super::layer::WebSocketLayer;
use crate::error::BoxError;
use crate::manager::{Manager, PeriodicFuture, run_periodic};

#[cfg_attr(docsrs, doc(cfg(feature = "json")))]
impl WebSocketLayer<()> {
    /// A layer whose whole handler is [`Manager::periodic_write`]: the first value at once, later ones when they have
    /// changed, until the peer leaves. Incoming messages are discarded.
    ///
    /// `get` is cloned for each connection and called once per interval and connection. If it fails, that connection is
    /// closed with 1011, or, if the error is a [`CloseFrame`](crate::CloseFrame), with that frame. The error is logged, and
    /// not sent.
    ///
    /// ```
    /// use std::convert::Infallible;
    /// use std::time::Duration;
    /// use tower_websocket::WebSocketLayer;
    ///
    /// async fn load() -> Result<f64, Infallible> {
    ///     Ok(0.5)
    /// }
    ///
    /// let layer = WebSocketLayer::periodic(Duration::from_secs(5), load).path("/load");
    /// ```
    ///
    /// # Panics
    ///
    /// If `interval` is zero.
    #[doc(alias = "PeriodicWrite")]
    #[track_caller]
    pub fn periodic<G, F, T, E>(
        interval: Duration,
        get: G,
    ) -> WebSocketLayer<impl Fn(Manager) -> PeriodicFuture<'static> + Send + Sync + 'static>
    where
        G: Fn() -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: serde::Serialize + PartialEq + Send + Sync + 'static,
        E: Into<BoxError> + Send + 'static,
    {
        assert!(!interval.is_zero(), "an interval must be longer than zero");
        WebSocketLayer::new(move |ws: Manager| run_periodic(ws, interval, get.clone()))
    }
}
