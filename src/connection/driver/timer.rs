//! The timer of a connection's task, and what happens when it fires.

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
    /// Does what is due. Returns `false` if nothing is due; then the timer is set to the next deadline.
    #[inline]
    pub(super) fn drive_timers(&mut self, timer: Pin<&mut Sleep>, cx: &mut Context<'_>) -> bool {
        if self.transport.is_none() {
            return false;
        }
        let running = self.timers.running();
        // Most polls only postpone deadlines: the timer is then not set again, and fires once without anything being due. After the
        // answer to a ping (`is_later`) it is set: an idle connection would be woken three times for each ping instead of twice.
        let (is_earlier, is_later) = (self.timers.take_earlier(), self.timers.take_later());
        let is_unchanged = !is_earlier && !is_later;
        if running & !self.armed == 0 && is_unchanged && self.timer_registered && !timer.is_elapsed() {
            return false;
        }
        self.armed = running;
        self.poll_timers(timer, is_later, cx)
    }

    // Not inlined, as most polls do not call it: in the driver's loop the compiler would compute the addresses of all fields in advance.
    #[inline(never)]
    fn poll_timers(&mut self, timer: Pin<&mut Sleep>, is_later: bool, cx: &mut Context<'_>) -> bool {
        if self.phase == Phase::WriteFailed && self.timers.is_read_paused() {
            // The handler is what is slow, not the peer: the closing time begins again as long as the handler receives messages.
            let received = self.inner.lock().incoming.messages_received();
            if std::mem::replace(&mut self.received_before, received) != received {
                self.timers.set_closing(self.now);
            }
        }
        match self.timers.poll(self.now) {
            Due::Nothing(next) => self.set_timer(timer, next, is_later, cx),
            due => {
                // The timer is not set here: this is called again.
                self.timer_registered = false;
                self.on_due(due);
                true
            }
        }
    }

    fn on_due(&mut self, due: Due) {
        match due {
            Due::Close => self.end_transport(Failure::Disconnected(None).into_error()),
            Due::Deadline => {
                let deadline = self.inner.lock().deadline.take();
                if let Some(deadline) = deadline {
                    self.inner.close(deadline.1);
                }
            }
            Due::Failed(failure) => self.fail(failure),
            Due::Nothing(_) => {}
            Due::Ping => {
                // An error means that the connection is closing: it needs no ping.
                let _ = self.inner.ping();
            }
            Due::ResumeReading => self.may_receive = may_receive(&mut self.inner.lock(), &self.timers),
            Due::SampleSendQueue => self.sample_send_queue(),
        }
    }

    /// Sets the timer to the next deadline. Returns whether that has passed already.
    #[inline]
    fn set_timer(
        &mut self,
        mut timer: Pin<&mut Sleep>,
        next: Option<Instant>,
        is_later: bool,
        cx: &mut Context<'_>,
    ) -> bool {
        let unread = self.timers.is_read_paused() && self.read_to_end;
        let latest = self.now + if unread { STREAM_CHECK_INTERVAL } else { IDLE };
        let next = next.map_or(latest, |next| next.min(latest));
        if next < timer.deadline() || timer.is_elapsed() || is_later {
            timer.as_mut().reset(next);
            self.timer_registered = false;
        }
        if !self.timer_registered || timer.is_elapsed() {
            self.timer_registered = true;
            // Not constrained by tokio's budget: if that is used up, a timer returns `Pending` without registering the waker.
            if pin!(unconstrained(timer)).poll(cx).is_ready() {
                self.now = Instant::now();
                return true;
            }
        }
        false
    }

    /// Passes the size of the kernel's send queue to the timers, if the transport has one.
    fn sample_send_queue(&mut self) {
        let bytes = self.transport.as_ref().and_then(unacknowledged);
        self.timers.send_queue_sampled(bytes, self.now);
    }
}

/// How often an HTTP/2 stream is checked for a reset while it is not read.
const STREAM_CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// The time until the timer fires when there is nothing to wait for.
const IDLE: Duration = Duration::from_secs(24 * 60 * 60);
