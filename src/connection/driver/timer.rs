//! The one timer of a connection's task, and what it is set for.

use std::pin::{Pin, pin};
use std::task::Context;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::unconstrained;
use tokio::time::{Instant, Sleep};

use super::Driver;
use super::driver::may_receive;
use crate::connection::transport::unacknowledged;
use crate::protocol::{Due, Failure, Phase};

impl<Io: AsyncRead + AsyncWrite + Unpin + 'static> Driver<Io> {
    /// Does what is due. `false`: nothing is, and the timer stands at what will be next.
    #[inline]
    pub(super) fn drive_timers(&mut self, mut timer: Pin<&mut Sleep>, cx: &mut Context<'_>) -> bool {
        if self.transport.is_none() {
            return false;
        }
        let running = self.timers.running();
        // Most polls only move to later what is due: the timer then fires once too often, instead of being set each time. Not
        // so after the answer to a ping: an idle connection would be woken three times in place of twice for each ping.
        let (is_earlier, is_later) = (self.timers.take_earlier(), self.timers.take_later());
        let is_unchanged = !is_earlier && !is_later;
        if running & !self.armed == 0 && is_unchanged && self.timer_registered && !timer.is_elapsed() {
            return false;
        }
        self.armed = running;
        if self.phase == Phase::WriteFailed && self.timers.is_read_paused() {
            // The peer is not waited for, but the handler, for as long as it receives.
            let received = self.inner.lock().incoming.messages_received();
            if std::mem::replace(&mut self.received_before, received) != received {
                self.timers.set_closing(self.now);
            }
        }
        // Where something is due, the timer does not stand at what is due behind that: this is called again.
        let timer_registered = std::mem::take(&mut self.timer_registered);
        let next = match self.timers.poll(self.now) {
            Due::Nothing(next) => {
                self.timer_registered = timer_registered;
                next
            }
            Due::Close => {
                self.end_transport(Failure::Disconnected(None).into_error());
                return true;
            }
            Due::Deadline => {
                let deadline = self.inner.lock().deadline.take();
                if let Some(deadline) = deadline {
                    self.inner.close(deadline.1);
                }
                return true;
            }
            Due::Failed(failure) => {
                self.fail(failure);
                return true;
            }
            Due::ResumeReading => {
                self.may_receive = may_receive(&mut self.inner.lock(), &self.timers);
                return true;
            }
            Due::SampleSendQueue => {
                self.sample_send_queue();
                return true;
            }
            Due::Ping => {
                // A connection that is closing needs no ping.
                let _ = self.inner.ping();
                return true;
            }
        };
        let unread = self.timers.is_read_paused() && self.read_to_end;
        let latest = self.now + if unread { STREAM_CHECK_INTERVAL } else { IDLE };
        let next = next.map_or(latest, |next| next.min(latest));
        if next < timer.deadline() || timer.is_elapsed() || is_later {
            timer.as_mut().reset(next);
            self.timer_registered = false;
        }
        if !self.timer_registered || timer.is_elapsed() {
            self.timer_registered = true;
            // Without tokio's budget: used up, it would answer for the timer, which then registers no waker.
            if pin!(unconstrained(timer)).poll(cx).is_ready() {
                self.now = Instant::now();
                return true;
            }
        }
        false
    }

    /// Has the timers know what the peer's kernel has acknowledged, where ours knows it.
    fn sample_send_queue(&mut self) {
        let bytes = self.transport.as_ref().and_then(unacknowledged);
        self.timers.send_queue_sampled(bytes, self.now);
    }
}

/// How often a stream that is not read is checked.
const STREAM_CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// Where the timer stands when there is nothing to wait for.
const IDLE: Duration = Duration::from_secs(24 * 60 * 60);
