//! The handler's waker, which is [`Inner`] itself: when it is called, the task polls the handler.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Wake, Waker};

use super::inner::Inner;

impl Inner {
    #[inline]
    pub(super) fn take_handler_woken(&self) -> bool {
        self.handler_woken.swap(false, Ordering::AcqRel)
    }

    #[inline]
    pub(super) fn is_handler_woken(&self) -> bool {
        self.handler_woken.load(Ordering::Acquire)
    }

    pub(super) fn handler_waker(self: &Arc<Self>) -> Waker {
        Waker::from(self.clone())
    }
}

impl Wake for Inner {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.handler_woken.swap(true, Ordering::AcqRel);
        self.driver.notify_without_lock();
    }
}
