//! How many queued bytes are not yet written, for each source.

/// An upper bound of the unwritten bytes of each source.
///
/// Bytes are written in the order in which they were queued, whatever their source. Once all bytes up to `checkpoint` are
/// written, so are the `older` bytes of each source: the `newer` ones become the `older`, and the checkpoint moves to the end of
/// the queue. Until then, written bytes still count, so that the sum can exceed the total of unwritten bytes.
#[derive(Debug, Default)]
pub(super) struct Unwritten {
    checkpoint: u64,
    /// From handles, close frames included.
    pub(super) handles: SourceBytes,
    /// From topics, encoded for this connection.
    pub(super) topics: SourceBytes,
    /// From topics, and shared with other connections.
    pub(super) shared: SourceBytes,
}

/// The unwritten bytes of one source.
#[derive(Debug, Default)]
pub(super) struct SourceBytes {
    /// Queued before the checkpoint.
    older: u64,
    /// Queued after the checkpoint.
    newer: u64,
}

impl SourceBytes {
    #[inline]
    pub(super) fn total(&self) -> u64 {
        self.older + self.newer
    }

    /// Called when bytes were queued.
    #[inline]
    pub(super) fn add(&mut self, bytes: u64) {
        self.newer += bytes;
    }
}

impl Unwritten {
    /// Counts the last `bytes` that were queued as from a topic, not from a handle.
    pub(super) fn move_to_topics(&mut self, bytes: u64) {
        self.handles.newer -= bytes;
        self.topics.newer += bytes;
    }

    /// Called when the first `written` of all `queued` bytes are written.
    #[inline]
    pub(super) fn advance(&mut self, written: u64, queued: u64) {
        if written >= self.checkpoint {
            self.checkpoint = queued;
            for source in [&mut self.handles, &mut self.topics, &mut self.shared] {
                source.older = std::mem::take(&mut source.newer);
            }
        }
    }
}
