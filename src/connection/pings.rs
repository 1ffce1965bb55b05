//! How handles send pings and wait for pongs, and the answer to the text message `ping`.

use std::task::{Context, Poll};
use std::time::Duration;

use super::inner::Inner;
use super::waker_set::WakerKey;
use crate::error::Error;
use crate::message::Message;

impl Inner {
    /// Requests a ping and returns its number.
    pub(crate) fn ping(&self) -> Result<u64, Error> {
        let mut state = self.lock();
        state.lifecycle.check_writable()?;
        state.ping_requests.latest += 1;
        let number = state.ping_requests.latest;
        drop(state);
        self.driver.notify();
        Ok(number)
    }

    /// Waits until the ping with this number, or a later one, is answered, and returns the round trip.
    pub(crate) fn poll_pong(
        &self,
        number: u64,
        key: &mut WakerKey,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Duration, Error>> {
        let _unused;
        let mut state = self.lock();
        let answered = match state.ping_requests.round_trip.filter(|_| state.ping_requests.answered >= number) {
            Some(round_trip) => Ok(round_trip),
            None => match state.lifecycle.check_writable() {
                Err(error) => Err(error),
                Ok(()) => {
                    _unused = state.watchers.register(key, cx.waker());
                    return Poll::Pending;
                }
            },
        };
        _unused = state.watchers.remove(key);
        Poll::Ready(answered)
    }

    pub(crate) fn round_trip(&self) -> Option<Duration> {
        self.lock().ping_requests.round_trip
    }

    /// Answers the text message `ping`, unless the outgoing buffer is full: then the peer does not read the answers.
    pub(super) fn answer_heartbeat(&self) {
        // An error means that the connection is closing: no answer is needed.
        let _ = self.try_queue(Message::text("pong"), false);
    }
}
