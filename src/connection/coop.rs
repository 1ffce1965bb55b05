//! Cooperative scheduling: tokio's budget for a task that receives or sends and never has to wait.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use tokio::task::coop::consume_budget;

use super::inner::Inner;

impl Inner {
    /// Consumes tokio's budget, as receiving from and sending to tokio's channels does. A task in which the loop never has to wait,
    /// because the driver runs on another thread meanwhile, would otherwise starve the timeouts around it and other tasks.
    ///
    /// The handler has to wait soon, because its driver waits for it. A future that is polled once with a waker that does nothing
    /// (`now_or_never`) has no task that could yield.
    #[inline]
    pub(super) fn poll_budget(&self, cx: &mut Context<'_>) -> Poll<()> {
        let waker = cx.waker();
        if self.is_handler(waker) || waker.data().is_null() { Poll::Ready(()) } else { consume(cx) }
    }

    /// Whether this is the handler's waker.
    #[inline]
    fn is_handler(&self, waker: &Waker) -> bool {
        // The data of a waker that was made of an `Arc` is what the `Arc` points to.
        std::ptr::eq(waker.data(), std::ptr::from_ref(self).cast())
    }
}

#[cold]
#[inline(never)]
fn consume(cx: &mut Context<'_>) -> Poll<()> {
    pin!(consume_budget()).poll(cx)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures_util::FutureExt;
    use futures_util::task::noop_waker_ref;

    use super::*;
    use crate::limits::Limits;
    use crate::role::Role;

    #[test]
    fn the_handlers_waker_is_distinguished_from_others() {
        let [inner, other]: [Arc<Inner>; 2] = [0; 2].map(|_| Inner::new(Role::Server, &Limits::default(), None));
        let waker = inner.handler_waker();
        assert!(inner.is_handler(&waker) && inner.is_handler(&waker.clone()));
        assert!(!other.is_handler(&waker) && !inner.is_handler(Waker::noop()));
    }

    /// Polls so often at once that any budget is used up. Returns whether each poll was ready.
    async fn is_always_ready(inner: &Inner, waker: Option<&Waker>) -> bool {
        std::future::poll_fn(|cx| {
            let waker = waker.unwrap_or(cx.waker());
            let mut polls = (0..10_000).map(|_| inner.poll_budget(&mut Context::from_waker(waker)));
            Poll::Ready(polls.all(|poll| poll.is_ready()))
        })
        .await
    }

    #[tokio::test]
    async fn only_other_tasks_use_up_their_budget() {
        let inner = Inner::new(Role::Server, &Limits::default(), None);
        for waker in [&inner.handler_waker(), Waker::noop(), noop_waker_ref()] {
            assert!(is_always_ready(&inner, Some(waker)).await);
        }
        assert!(!is_always_ready(&inner, None).await);
        // Without a runtime there is no budget.
        let outside = std::thread::spawn(move || is_always_ready(&inner, None).now_or_never());
        assert_eq!(outside.join().unwrap(), Some(true));
    }
}
