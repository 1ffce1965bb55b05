//! The counters of a connection.

/// The current sizes of a connection's queues.
#[derive(Clone, Copy, Debug, Default)]
#[cfg_attr(not(feature = "metrics"), expect(dead_code, reason = "only the metrics read them"))]
pub(crate) struct QueueSizes {
    /// Bytes of messages that no handle has received yet.
    pub(crate) unread: u64,
    /// Bytes that are not yet written.
    pub(crate) unwritten: u64,
    /// The number of publications that wait in feeds, because the connection is slow.
    pub(crate) publications: usize,
}

/// Counters of one connection since it was opened.
///
/// The ratio of `wire_*` to `payload_*` is what compression saves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Data messages received.
    pub messages_received: u64,
    /// Data messages sent.
    pub messages_sent: u64,
    /// Bytes of payload received, after inflating.
    pub payload_received: u64,
    /// Bytes of payload sent, before compressing.
    pub payload_sent: u64,
    /// Bytes read from the transport.
    pub wire_received: u64,
    /// Bytes written to the transport.
    pub wire_sent: u64,
}
