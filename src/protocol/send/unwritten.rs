//! How much of what was queued is not yet written, source by source.

/// How many bytes of each source are not yet written, at most.
///
/// Bytes are written in the order in which they were queued, whatever their source. Once all bytes up to `checkpoint` are
/// written, so are the `older` bytes of each source: the `newer` ones become the `older`, and the checkpoint moves to the end of
/// the queue. Until then bytes that are written already still count, so that the sum may exceed what is unwritten in all.
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
    /// Queued behind the checkpoint.
    newer: u64,
}

impl SourceBytes {
    #[inline]
    pub(super) fn total(&self) -> u64 {
        self.older + self.newer
    }

    /// So many bytes were queued.
    #[inline]
    pub(super) fn add(&mut self, bytes: u64) {
        self.newer += bytes;
    }
}

impl Unwritten {
    /// The last `bytes` that were queued came from a topic, not from a handle.
    pub(super) fn move_to_topics(&mut self, bytes: u64) {
        self.handles.newer -= bytes;
        self.topics.newer += bytes;
    }

    /// Everything up to byte `written` of all `queued` ones is written.
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
