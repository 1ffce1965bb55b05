//! A future that waits for a connection, and removes its waker when it is dropped.

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

    /// Polls a method of the connection, which registers the waker if it is pending.
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
        // Usually it was ready at once, and has no entry.
        if self.key.is_registered() {
            self.inner.deregister(self.waiting, &mut self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::task::Wake;

    use super::*;
    use crate::limits::Limits;
    use crate::role::Role;

    struct Nothing;

    impl Wake for Nothing {
        fn wake(self: Arc<Self>) {}
    }

    #[test]
    fn a_future_that_is_dropped_leaves_no_waker() {
        let inner = Inner::new(Role::Server, &Limits::default(), None);
        let wake = Arc::new(Nothing);
        let waker = wake.clone().into();
        let mut cx = Context::from_waker(&waker);
        let mut reader = Waiter::new(&inner, Waiting::Reader);
        assert!(reader.poll(&mut cx, Inner::poll_recv).is_pending());
        let mut writer = Waiter::new(&inner, Waiting::Writer);
        assert!(writer.poll(&mut cx, |inner, key, cx| inner.poll_written(1, key, cx)).is_pending());
        let mut watcher = Waiter::new(&inner, Waiting::Watcher);
        assert!(watcher.poll(&mut cx, Inner::poll_ended).is_pending());
        assert_eq!(Arc::strong_count(&wake), 2 + 3);
        drop((reader, writer, watcher));
        assert_eq!(Arc::strong_count(&wake), 2);
    }
}
