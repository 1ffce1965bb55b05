//! How handles queue messages, and wait until they are written.

use std::sync::{MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use super::ending::poll_after_end;
use super::inner::Inner;
use super::state::State;
use super::waker_set::{Unused, WakerKey};
use crate::error::Error;
use crate::message::Message;
use crate::protocol::{give_buffer, take_buffer};

impl Inner {
    /// Waits for capacity for another message.
    pub(crate) fn poll_ready(&self, key: &mut WakerKey, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.poll_capacity(key, cx).map_ok(|(_unused, state)| drop(state))
    }

    #[inline]
    fn poll_capacity(&self, key: &mut WakerKey, cx: &mut Context<'_>) -> Poll<Result<Capacity<'_>, Error>> {
        ready!(self.poll_budget(cx));
        let _unused;
        let mut state = self.lock();
        if state.lifecycle.is_writable() && !state.sender.has_capacity() {
            _unused = state.writers.register(key, cx.waker());
            return Poll::Pending;
        }
        let unused = state.writers.remove(key);
        if !state.lifecycle.is_writable()
            && let Err(error) = state.lifecycle.check_writable()
        {
            _unused = unused;
            drop(state);
            ready!(poll_after_end(cx));
            return Poll::Ready(Err(error));
        }
        Poll::Ready(Ok((unused, state)))
    }

    /// Queues the message once there is capacity, and returns the offset of its end: when everything up to it is
    /// [written](Self::poll_written), so is the message.
    #[inline]
    pub(crate) fn poll_send(
        &self,
        message: &mut Option<Message>,
        compress: bool,
        key: &mut WakerKey,
        cx: &mut Context<'_>,
    ) -> Poll<Result<u64, Error>> {
        let (_unused, mut state) = ready!(self.poll_capacity(key, cx))?;
        if let Some(message) = message.take_if(|_| self.is_compressed && compress) {
            drop(state);
            return Poll::Ready(self.queue(message, true));
        }
        let Some(queued) = message else { return Poll::Ready(Ok(state.sender.bytes_queued())) };
        let offset = state.sender.push(queued);
        drop(state);
        self.driver.notify();
        // Dropped after the lock is released: its payload may be a user's type.
        *message = None;
        Poll::Ready(Ok(offset))
    }

    /// Queues the message whether there is capacity or not.
    pub(crate) fn queue(&self, message: Message, compress: bool) -> Result<u64, Error> {
        let offset = if self.is_compressed && compress {
            self.queue_compressed(message, Source::Handle)?
        } else {
            let mut state = self.lock();
            state.lifecycle.check_writable()?;
            state.sender.push(&message)
        };
        self.driver.notify();
        Ok(offset)
    }

    /// Queues a message of a topic that this connection encodes itself.
    pub(super) fn queue_for_topic(&self, message: Message) -> Result<(), Error> {
        self.queue_compressed(message, Source::Topic)?;
        self.driver.notify();
        Ok(())
    }

    /// Compresses and queues a message. Without permessage-deflate, it is queued uncompressed.
    fn queue_compressed(&self, message: Message, source: Source) -> Result<u64, Error> {
        // Locked until the frame is queued: see `Inner::deflater`.
        let mut slot = self.deflater.lock().unwrap_or_else(PoisonError::into_inner);
        let mut compressed = take_buffer();
        let smaller = slot.as_mut().is_some_and(|deflater| deflater.deflate(message.as_bytes(), &mut compressed));
        let mut state = self.lock();
        let before = state.sender.bytes_queued();
        let queued = state.lifecycle.check_writable().map(|()| {
            if smaller { state.sender.push_compressed(&message, &compressed) } else { state.sender.push(&message) }
        });
        if source == Source::Topic {
            state.sender.count_as_topic(before);
        }
        if !state.lifecycle.is_writable() {
            // The task could not free the compressor, because this function had locked it.
            *slot = None;
        }
        drop(slot);
        drop(state);
        give_buffer(compressed);
        queued
    }

    /// Queues the message if there is capacity. Otherwise returns it, with an error if nothing can be sent any more.
    pub(crate) fn try_queue(&self, message: Message, compress: bool) -> Result<(), (Message, Option<Error>)> {
        let mut state = self.lock();
        if let Err(error) = state.lifecycle.check_writable() {
            return Err((message, Some(error)));
        }
        if !state.sender.has_capacity() {
            return Err((message, None));
        }
        if self.is_compressed && compress {
            drop(state);
            // Cloning copies at most 64 bytes of payload.
            return self.queue(message.clone(), true).map(drop).map_err(|error| (message, Some(error)));
        }
        state.sender.push(&message);
        drop(state);
        self.driver.notify();
        Ok(())
    }

    /// The offset of the end of everything that was queued.
    pub(crate) fn bytes_queued(&self) -> u64 {
        self.lock().sender.bytes_queued()
    }

    /// Waits until everything up to `offset` is written.
    pub(crate) fn poll_written(
        &self,
        offset: u64,
        key: &mut WakerKey,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Error>> {
        let _unused;
        let mut state = self.lock();
        let written = if state.sender.is_written(offset) {
            Ok(())
        } else if let Some(error) = state.lifecycle.write_error() {
            Err(error)
        } else {
            _unused = state.writers.register(key, cx.waker());
            return Poll::Pending;
        };
        _unused = state.writers.remove(key);
        Poll::Ready(written)
    }
}

/// The locked state, and a waker that the caller drops after releasing the lock.
type Capacity<'a> = (Unused, MutexGuard<'a, State>);

/// Whose capacity a message uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Handle,
    Topic,
}
