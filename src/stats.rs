//! What a connection has carried.

/// What waits at the moment, in bytes.
#[derive(Clone, Copy, Debug, Default)]
#[cfg_attr(not(feature = "metrics"), expect(dead_code, reason = "the metrics alone read them"))]
pub(crate) struct QueueSizes {
    /// To be received by the handler.
    pub(crate) unread: u64,
    /// To be written.
    pub(crate) unwritten: u64,
    /// How many publications are not yet among those, as the connection is slow.
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
