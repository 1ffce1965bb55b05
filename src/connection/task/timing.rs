//! The one timer of a connection's task, and what it is set for.

use std::pin::{Pin, pin};
use std::task::Context;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::unconstrained;
use tokio::time::{Instant, Sleep};

use super::Task;
use crate::connection::fault::Fault;
use crate::connection::keepalive::Due;

impl<Io: AsyncRead + AsyncWrite + Unpin> Task<Io> {
    /// Does what is due. `false`: nothing is, and the timer stands at what will be next.
    #[inline]
    pub(super) fn poll_timer(&mut self, mut timer: Pin<&mut Sleep>, cx: &mut Context<'_>) -> bool {
        if self.transport.is_none() {
            return false;
        }
        let running = self.running_limits();
        // Most turns only move to later what is due: the timer then fires once too often, instead of being set each time.
        if running & !self.timed == 0 && self.timer_polled && !timer.is_elapsed() {
            return false;
        }
        self.timed = running;
        if self.closing.is_overdue(self.now) {
            self.end_transport();
            return true;
        }
        let next = match self.closing.deadline() {
            Some(deadline) => deadline,
            None => match self.poll_limits() {
                Ok(next) => next,
                Err(fault) => {
                    self.fail(fault);
                    return true;
                }
            },
        };
        if next < timer.deadline() || timer.is_elapsed() {
            timer.as_mut().reset(next);
            self.timer_polled = false;
        }
        if !self.timer_polled || timer.is_elapsed() {
            self.timer_polled = true;
            // Without tokio's budget: used up, it would answer for the timer, which then wakes nobody.
            if pin!(unconstrained(timer)).poll(cx).is_ready() {
                self.now = Instant::now();
                return true;
            }
        }
        false
    }

    /// Which limits count at the moment, a bit for each.
    #[inline]
    fn running_limits(&mut self) -> u8 {
        let wire = self.socket.wire();
        let mid_message = wire.is_mid_message() && !wire.is_held_up();
        self.deadlines.set_mid_message(mid_message, self.now);
        // Either way there is something to look at in time: silence, or whether the stream is still there.
        let reading = if self.liveness.is_paused() { 1 } else { 2 };
        let closing = u8::from(self.closing.deadline().is_some());
        (self.deadlines.running() << 2 | reading) << 1 | closing
    }

    /// The limits of an open connection: when the next of them is due, or which was not kept.
    fn poll_limits(&mut self) -> Result<Instant, Fault> {
        let unread = self.liveness.is_paused() && self.read_to_end;
        let look = self.now + if unread { LOOK } else { FAR };
        let next = self.deadlines.poll(self.now)?.map_or(look, |next| next.min(look));
        match self.liveness.poll(self.now) {
            Due::Expired => Err(Fault::KeepaliveTimeout),
            Due::Ping => {
                self.shared.ping_if_open();
                Ok(self.now)
            }
            Due::Nothing(due) => Ok(due.map_or(next, |due| next.min(due))),
        }
    }
}

/// How often a stream that is not read is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// Where the timer stands when there is nothing to wait for.
const FAR: Duration = Duration::from_secs(24 * 60 * 60);
