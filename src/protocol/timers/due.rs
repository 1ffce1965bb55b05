//! What is due next, and what was not kept.

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
    /// The caller's deadline: the connection is to be closed.
    Deadline,
    Failed(Failure),
    /// Nothing before this time, if ever.
    Nothing(Option<Instant>),
    Ping,
    /// The rate limit allows more to be read.
    ResumeReading,
    /// Nothing before [`Timers::send_queue_sampled`] is told: what the peer has acknowledged decides.
    SampleSendQueue,
}

impl Timers {
    /// What is to be done at this time. A ping that is due counts as sent.
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
            // In time, so that a peer that acknowledges data is known when its time is up.
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
            // It has had the time to get through them.
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

    /// When the send queue is to be sampled: while the peer is waited for, or has not acknowledged what it was sent.
    fn sample_due(&self) -> Option<Instant> {
        let waiting =
            self.deadlines.waiting_since().or_else(|| self.backlog.much_since()).filter(|_| self.has_send_queue);
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

    /// What is due of the limits that count for as long as messages are received, or when the next of them is.
    fn open_due(&self, now: Instant) -> Result<Option<Instant>, Due> {
        let next = self.deadlines.poll(now).map_err(Due::Failed)?;
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            return Err(Due::Deadline);
        }
        Ok([next, self.deadline].into_iter().flatten().min())
    }

    /// How long the peer may take for its next step, while it is known not to have acknowledged everything.
    fn step_time(&self) -> Option<Duration> {
        self.send_queue.as_ref().and_then(|queue| queue.step_time(self.min_data_rate))
    }

    /// When a silent peer has timed out. What the kernel has taken is not what the peer has taken: our ping stands behind
    /// all that was written before it.
    fn expiry(&self) -> Option<Instant> {
        let expiry = self.liveness.expiry()?;
        Some(match self.deadlines.write_due() {
            // Whether data is taken can be seen: a peer that is slow has the time that a write may take.
            Some(write_due) => expiry.max(write_due),
            None => {
                let allowance = self.liveness.allowance(self.backlog.bytes(), self.min_data_rate);
                // While the kernel says what is acknowledged, the peer need not get through all of it.
                expiry + self.step_time().map_or(allowance, |step_time| allowance.min(step_time))
            }
        })
    }
}
