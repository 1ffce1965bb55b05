//! What is due now, and when the next thing is due.

use std::time::Duration;

use tokio::time::Instant;

use super::send_queue::SAMPLE_INTERVAL;
use super::timers::Timers;
use crate::protocol::failure::Failure;

/// What is due.
#[derive(Debug)]
pub(crate) enum Due {
    /// The closing handshake has taken too long.
    Close,
    /// The deadline that the user has set: the connection must be closed.
    Deadline,
    /// A limit was exceeded.
    Failed(Failure),
    /// Nothing is due before this time. `None`: no limit applies.
    Nothing(Option<Instant>),
    /// A ping must be sent.
    Ping,
    /// The rate limit allows more to be read.
    ResumeReading,
    /// The caller must call [`Timers::send_queue_sampled`], and then this again: what the peer has acknowledged decides what is
    /// due.
    SampleSendQueue,
}

impl Timers {
    /// Returns what is due. A ping that is due counts as sent.
    pub(crate) fn poll(&mut self, now: Instant) -> Due {
        if let Some(limiter) = &mut self.rate_limiter
            && limiter.resumes_at().is_some_and(|resumes_at| resumes_at <= now)
        {
            limiter.resume();
            return Due::ResumeReading;
        }
        let sample_due = self.sample_due();
        if sample_due.is_some_and(|sample_due| sample_due <= now) {
            return Due::SampleSendQueue;
        }
        let due = self.due(now);
        let depends_on_peer = match due {
            Due::Close | Due::Failed(Failure::KeepaliveTimeout | Failure::WriteTimeout) => true,
            // A sample before the ping shows, when the timeout is due, whether the peer has acknowledged data since.
            Due::Ping => self.has_backlog(),
            _ => false,
        };
        if depends_on_peer
            && self.has_send_queue
            && !self.send_queue.as_ref().is_some_and(|queue| queue.is_sampled(now))
        {
            return Due::SampleSendQueue;
        }
        match due {
            Due::Deadline => self.deadline = None,
            // The timeout has included the time for the backlog.
            Due::Failed(Failure::KeepaliveTimeout) => {
                self.backlog.clear();
            }
            Due::Ping => self.liveness.pinged(now),
            Due::Nothing(next) => {
                self.has_allowance = self.has_backlog();
                let resumes_at = self.rate_limiter.as_ref().and_then(|limiter| limiter.resumes_at());
                return Due::Nothing([next, sample_due, resumes_at].into_iter().flatten().min());
            }
            _ => {}
        }
        due
    }

    /// When the send queue must be sampled: while we wait for the peer, or while it has not acknowledged what it was sent.
    fn sample_due(&self) -> Option<Instant> {
        let waiting = self
            .deadlines
            .waiting_since()
            .or_else(|| self.backlog.large_and_silent_since())
            .filter(|_| self.has_send_queue);
        let Some(queue) = &self.send_queue else { return waiting.map(|since| since + SAMPLE_INTERVAL) };
        let pending = || queue.pending_since().filter(|_| self.has_backlog());
        queue.sample_due(waiting.or_else(pending)?)
    }

    fn due(&self, now: Instant) -> Due {
        if let Some(close) = self.deadlines.close_due(
            self.backlog.bytes(),
            self.min_data_rate,
            self.step_time(),
            self.liveness.is_read_paused(),
        ) {
            if close <= now {
                return Due::Close;
            }
            let open = if self.has_write_failed { self.open_due(now) } else { Ok(None) };
            return open.map_or_else(|due| due, |next| Due::Nothing(Some(next.map_or(close, |next| next.min(close)))));
        }
        let expiry = self.expiry();
        if expiry.is_some_and(|expiry| expiry <= now) {
            return Due::Failed(Failure::KeepaliveTimeout);
        }
        let next = match self.open_due(now) {
            Ok(next) => next,
            Err(due) => return due,
        };
        let ping = self.liveness.ping_due();
        if ping.is_some_and(|ping| ping <= now) {
            return Due::Ping;
        }
        Due::Nothing([expiry, next, ping].into_iter().flatten().min())
    }

    /// The limits that apply as long as messages are received: when the next one is due, or which one was exceeded.
    fn open_due(&self, now: Instant) -> Result<Option<Instant>, Due> {
        let next = self.deadlines.poll(now).map_err(Due::Failed)?;
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            return Err(Due::Deadline);
        }
        Ok([next, self.deadline].into_iter().flatten().min())
    }

    /// How long the peer may need until it acknowledges more, while it has not acknowledged everything.
    fn step_time(&self) -> Option<Duration> {
        self.send_queue.as_ref().and_then(|queue| queue.step_time(self.min_data_rate))
    }

    /// When a silent peer times out. The peer reads our ping only after everything that was written before it, which may still be
    /// in buffers.
    fn expiry(&self) -> Option<Instant> {
        let expiry = self.liveness.expiry()?;
        Some(match self.deadlines.write_due() {
            // A write is blocked, so progress is visible: a slow peer gets the write timeout.
            Some(write_due) => expiry.max(write_due),
            None => {
                let allowance = self.liveness.allowance(self.backlog.bytes(), self.min_data_rate);
                // If acknowledgements are visible, the peer gets time for the next one instead of for the whole backlog.
                expiry + self.step_time().map_or(allowance, |step_time| allowance.min(step_time))
            }
        })
    }
}
