//! A future that waits for a connection, and leaves nothing behind.

use std::task::Context;

use super::inner::Inner;
use super::state::Waiting;
use super::waker_set::WakerKey;

/// The entry of one waiting future in a set of wakers. It is removed when this is dropped.
#[derive(Debug)]
pub(crate) struct Waiter<'a> {
    inner: &'a Inner,
    waiting: Waiting,
    key: WakerKey,
}

impl<'a> Waiter<'a> {
    #[inline]
    pub(crate) fn new(inner: &'a Inner, waiting: Waiting) -> Self {
        Self { inner, waiting, key: WakerKey::default() }
    }

    /// Polls a method of the connection, which registers the waker where it is pending.
    #[inline]
    pub(crate) fn poll<R>(
        &mut self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(&Inner, &mut WakerKey, &mut Context<'_>) -> R,
    ) -> R {
        poll(self.inner, &mut self.key, cx)
    }
}

impl Drop for Waiter<'_> {
    #[inline]
    fn drop(&mut self) {
        // Most often it was ready at once.
        if self.key.is_registered() {
            self.inner.deregister(self.waiting, &mut self.key);
        }
    }
}
