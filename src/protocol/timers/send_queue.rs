//! What the kernel says of data that the peer has not acknowledged. Sans-I/O: the size of the queue is passed in.

use std::time::Duration;

use tokio::time::Instant;

use super::liveness::time_for;

/// Samples of the kernel's send queue, and how fast it was seen to shrink.
#[derive(Debug, Default)]
pub(super) struct SendQueue {
    /// The first since the queue last grew, and the last.
    samples: Option<(Sample, Sample)>,
    /// Bytes per second from the first of them until it last shrank, or those before, until that is known.
    rate: u64,
    /// When the queue was last sampled, whether or not the transport knew its size.
    sampled_at: Option<Instant>,
    is_unknown: bool,
    /// Something was written since the last sample. Without that the queue only seems to grow, as where the kernel splits
    /// a segment to send it again.
    was_written: bool,
}

#[derive(Clone, Copy, Debug)]
struct Sample {
    bytes: u32,
    at: Instant,
}

impl SendQueue {
    /// What was acknowledged before counts no more: a wait for the peer begins.
    pub(super) fn reset(&mut self) {
        self.samples = None;
    }

    /// More may be in the queue than at the last sample.
    pub(super) fn bytes_written(&mut self) {
        self.was_written = true;
    }

    /// When the queue of a peer that has been waited for since this time is to be sampled, if that tells anything. Bytes that
    /// were on their way when the wait began are acknowledged by the first sample.
    pub(super) fn sample_due(&self, since: Instant) -> Option<Instant> {
        (!self.is_unknown).then(|| self.sampled_at.map_or(since, |sampled_at| sampled_at.max(since)) + SAMPLE_INTERVAL)
    }

    /// When the queue was last seen not empty, if it was when it was last sampled.
    pub(super) fn pending_since(&self) -> Option<Instant> {
        self.samples.filter(|(_, last)| last.bytes > 0).map(|(_, last)| last.at)
    }

    /// Whether the last sample is recent enough to decide on. Not "of this very moment": a connection whose peer floods it comes
    /// back to its timers later each time.
    pub(super) fn is_sampled(&self, now: Instant) -> bool {
        self.sampled_at.is_some_and(|sampled_at| now.saturating_duration_since(sampled_at) < RECENT)
    }

    /// The size of the queue, where the transport knows it. Whether the peer has acknowledged data since the last sample, at
    /// `min_rate` bytes per second at least after the first seconds.
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
        let demanded = now.saturating_duration_since(last.at).saturating_sub(GRACE).as_secs().saturating_mul(min_rate);
        let acknowledged = u64::from(last.bytes.saturating_sub(bytes));
        acknowledged > 0 && acknowledged >= demanded
    }

    /// How long the queue may stay as it is because the peer acknowledges its data in large steps, where the queue is known
    /// not to be empty. `None`: it is empty or unknown.
    pub(super) fn step_time(&self, min_rate: u64) -> Option<Duration> {
        self.pending_since()?;
        Some(time_for(STEP, self.rate.clamp(min_rate, min_rate.max(FAST))))
    }
}

/// How often the queue is sampled while a peer is waited for.
pub(super) const SAMPLE_INTERVAL: Duration = Duration::from_secs(1);
/// A sample of so long ago counts as one of now.
const RECENT: Duration = Duration::from_millis(500);
/// For so long after a sample no rate is demanded.
const GRACE: Duration = Duration::from_secs(5);
/// What a peer may read before its kernel offers a window again (RFC 9293 §3.8.6.2.2): Linux waits for a sixteenth of its
/// receive buffer, which is 6 MiB at most unless it was made larger.
const STEP: u64 = 384 * 1024;
/// What a faster peer is expected to keep up, in bytes per second: it may have been a proxy that filled its buffers.
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
    fn how_fast_a_peer_is_counts_from_when_the_queue_last_grew() {
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
    fn a_fast_peer_is_expected_to_go_on_sooner_than_a_slow_one() {
        let start = Instant::now();
        let mut queue = SendQueue::default();
        let at = |secs| start + Duration::from_secs(secs);
        assert_eq!(queue.step_time(1024), None);
        for (secs, bytes, expected) in [
            (0, 1024 * 1024, Some(384)),
            // 64 KiB/s, which it then has on average.
            (1, 960 * 1024, Some(6)),
            (3, 832 * 1024, Some(6)),
            // The kernel sends a segment again.
            (4, 832 * 1024 + 832, Some(6)),
            // More was written.
            (5, 1024 * 1024, Some(6)),
            // And taken much faster.
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
