//! The kernel's send queue: data that the peer has not acknowledged. Sans-I/O: the size of the queue is passed in.

use std::time::Duration;

use tokio::time::Instant;

use super::liveness::time_for;

/// Samples of the size of the kernel's send queue, and how fast it shrinks.
#[derive(Debug, Default)]
pub(super) struct SendQueue {
    /// The first sample since the queue last grew, and the last sample.
    samples: Option<(Sample, Sample)>,
    /// Bytes per second between the first sample and the last one that was smaller than the one before. Until there is one, the
    /// value from before the queue grew.
    rate: u64,
    /// The time of the last sample, whether or not it had a size.
    sampled_at: Option<Instant>,
    /// The last sample had no size.
    is_unknown: bool,
    /// Something was written since the last sample. Otherwise a larger size is not more data: for instance, the kernel has split a
    /// segment to send it again.
    was_written: bool,
}

#[derive(Clone, Copy, Debug)]
struct Sample {
    bytes: u32,
    at: Instant,
}

impl SendQueue {
    /// Drops the samples: we begin to wait for the peer, and what it acknowledged before does not count.
    pub(super) fn reset(&mut self) {
        self.samples = None;
    }

    /// Called when bytes were written, so that the queue may have grown.
    pub(super) fn bytes_written(&mut self) {
        self.was_written = true;
    }

    /// When the queue must be sampled next, if we have waited for the peer since this time; `None` if its size is unknown. The
    /// first sample is late enough that what was in flight when the wait began is acknowledged.
    pub(super) fn sample_due(&self, since: Instant) -> Option<Instant> {
        (!self.is_unknown).then(|| self.sampled_at.map_or(since, |sampled_at| sampled_at.max(since)) + SAMPLE_INTERVAL)
    }

    /// The time of the last sample, if the queue was not empty.
    pub(super) fn pending_since(&self) -> Option<Instant> {
        self.samples.filter(|(_, last)| last.bytes > 0).map(|(_, last)| last.at)
    }

    /// Whether the last sample is recent enough for a decision. A sample of exactly now is not required: a connection that is
    /// flooded by its peer polls its timers a little later each time.
    pub(super) fn is_sampled(&self, now: Instant) -> bool {
        self.sampled_at.is_some_and(|sampled_at| now.saturating_duration_since(sampled_at) < RECENT)
    }

    /// Adds a sample; `None` if the transport could not return the size. Returns whether the peer has acknowledged data since the
    /// last sample, and after a grace period at `min_rate` bytes per second at least.
    pub(super) fn sampled(&mut self, bytes: Option<u32>, min_rate: u64, now: Instant) -> bool {
        self.sampled_at = Some(now);
        self.is_unknown = bytes.is_none();
        let Some(bytes) = bytes else { return false };
        let grown = std::mem::take(&mut self.was_written);
        let Some((first, last)) = self.samples else {
            let sample = Sample { bytes, at: now };
            self.samples = Some((sample, sample));
            return false;
        };
        let bytes = if grown { bytes } else { bytes.min(last.bytes) };
        let sample = Sample { bytes, at: now };
        self.samples = Some((if bytes > last.bytes { sample } else { first }, sample));
        if bytes < last.bytes {
            let elapsed = now.saturating_duration_since(first.at).as_millis() as u64;
            self.rate = u64::from(first.bytes - bytes).saturating_mul(1000).checked_div(elapsed).unwrap_or_default();
        }
        let required = now.saturating_duration_since(last.at).saturating_sub(GRACE).as_secs().saturating_mul(min_rate);
        let acknowledged = u64::from(last.bytes.saturating_sub(bytes));
        acknowledged > 0 && acknowledged >= required
    }

    /// How long the size may stay the same, because a peer acknowledges data in large steps. `None` if the queue is empty or
    /// unknown.
    pub(super) fn step_time(&self, min_rate: u64) -> Option<Duration> {
        self.pending_since()?;
        Some(time_for(STEP, self.rate.clamp(min_rate, min_rate.max(FAST))))
    }
}

/// How often the queue is sampled while we wait for the peer.
pub(super) const SAMPLE_INTERVAL: Duration = Duration::from_secs(1);
/// The maximum age of a sample for a decision.
const RECENT: Duration = Duration::from_millis(500);
/// The time after a sample in which no rate is required.
const GRACE: Duration = Duration::from_secs(5);
/// How many bytes a peer may read before its kernel opens the window again (RFC 9293 §3.8.6.2.2): Linux waits for a sixteenth of
/// the receive buffer, which is 6 MiB at most by default.
const STEP: u64 = 384 * 1024;
/// The largest rate that is expected from a peer, in bytes per second. A higher one may have been that of a proxy that filled its
/// buffers.
const FAST: u64 = 96 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_that_shrinks_fast_enough_is_progress() {
        let start = Instant::now();
        for (first, second, millis, progress) in [
            (Some(1000), Some(999), 3000, true),
            (Some(1000), Some(1000), 3000, false),
            (Some(1000), Some(2000), 3000, false),
            (Some(100_000), Some(100_000 - 5 * 1024), 10_000, true),
            (Some(100_000), Some(100_001 - 5 * 1024), 10_000, false),
            (None, Some(1000), 3000, false),
            (Some(1000), None, 3000, false),
        ] {
            let mut queue = SendQueue::default();
            assert!(!queue.sampled(first, 1024, start));
            let now = start + Duration::from_millis(millis);
            assert!(!queue.is_sampled(now));
            assert_eq!(queue.sampled(second, 1024, now), progress, "{first:?} {second:?}");
            assert!(queue.is_sampled(now));
        }
    }

    #[test]
    fn a_sample_counts_as_recent_for_half_a_second() {
        let start = Instant::now();
        let mut queue = SendQueue::default();
        assert!(!queue.is_sampled(start));
        queue.sampled(Some(1), 1024, start);
        assert!(queue.is_sampled(start + Duration::from_millis(499)));
        assert!(!queue.is_sampled(start + Duration::from_millis(500)));
    }

    #[test]
    fn the_rate_of_a_peer_is_measured_since_the_queue_last_grew() {
        const KIB: u32 = 1024;
        let start = Instant::now();
        for (second, expected) in [
            // It has not grown: 640 KiB in 20 s.
            (1024 * KIB, 384 / 32),
            // It has grown: 640 KiB in 10 s.
            (1025 * KIB, 384 / 64),
        ] {
            let mut queue = SendQueue::default();
            for (secs, bytes) in [(0, 1024 * KIB), (10, second), (20, second - 640 * KIB)] {
                queue.bytes_written();
                queue.sampled(Some(bytes), 1024, start + Duration::from_secs(secs));
            }
            assert_eq!(queue.step_time(1024), Some(Duration::from_secs(expected)), "{second}");
        }
    }

    #[test]
    fn a_fast_peer_has_less_time_for_the_next_step_than_a_slow_one() {
        let start = Instant::now();
        let mut queue = SendQueue::default();
        let at = |secs| start + Duration::from_secs(secs);
        assert_eq!(queue.step_time(1024), None);
        for (secs, bytes, expected) in [
            (0, 1024 * 1024, Some(384)),
            // 64 KiB/s, and so is the average afterwards.
            (1, 960 * 1024, Some(6)),
            (3, 832 * 1024, Some(6)),
            // The kernel sends a segment again.
            (4, 832 * 1024 + 832, Some(6)),
            // More was written.
            (5, 1024 * 1024, Some(6)),
            // And acknowledged much faster.
            (6, 1024, Some(4)),
            (7, 0, None),
        ] {
            if secs == 5 {
                queue.bytes_written();
            }
            queue.sampled(Some(bytes), 1024, at(secs));
            assert_eq!(queue.step_time(1024), expected.map(Duration::from_secs), "after {secs} s");
        }
        queue.reset();
        assert_eq!(queue.step_time(1024), None);
    }
}
