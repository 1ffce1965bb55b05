//! The policies for slow members of a topic.

/// What a topic does if a member receives publications more slowly than they are published.
///
/// A member is slow while its outgoing buffer is full
/// ([`Limits::max_write_buffer_size`](crate::Limits::max_write_buffer_size)). What is published then waits in a queue of this
/// member, up to [`Topic::capacity`](crate::Topic::capacity), for which neither the publisher nor the other members wait.
/// Pings, pongs and close frames are not queued there. A member that accepts no data at all is disconnected after
/// [`Limits::write_timeout`](crate::Limits::write_timeout), as every connection.
///
/// ```
/// use tower_websocket::{Error, Hub, Manager, Overflow};
///
/// async fn watch(ws: Manager, hub: Hub) -> Result<(), Error> {
///     let _seat = hub.topic("prices").join(&ws, Overflow::KeepLatest)?;
///     ws.ignore_incoming().await.map(drop)
/// }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Overflow {
    /// Beyond the capacity the connection is closed with 1013 (try again later), so that a client never misses anything
    /// unknowingly. The default.
    #[default]
    Close,
    /// Beyond the capacity the oldest publications are dropped and counted.
    DropOldest,
    /// Only the latest publication waits, or the latest of each key (conflation), up to the capacity: the rest is dropped
    /// and counted. For values of which only the newest matters.
    KeepLatest,
}
