//! Who waits for something to change.

use std::task::Waker;

/// Whoever waits is told at the next change. Who then still waits registers again, so a dropped future needs no care.
#[derive(Debug, Default)]
pub(super) struct Wakers {
    /// The connection's own handler, which its task polls: that takes no waker.
    handler: bool,
    others: Vec<Waker>,
}

impl Wakers {
    /// `is_handler`: it is the handler that waits, in the task of its connection.
    pub(super) fn register(&mut self, waker: &Waker, is_handler: bool) {
        if is_handler {
            self.handler = true;
        } else if !self.others.iter().any(|known| known.will_wake(waker)) {
            self.others.push(waker.clone());
        }
    }

    /// Wakes all others, and says whether the handler waits too.
    pub(super) fn wake(&mut self) -> bool {
        for waker in self.others.drain(..) {
            waker.wake();
        }
        std::mem::take(&mut self.handler)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::task::Poll;
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_task_that_waits_again_and_again_is_known_once() {
        let mut wakers = Wakers::default();
        for _ in 0..100 {
            poll_fn(|cx| {
                wakers.register(cx.waker(), false);
                Poll::Ready(())
            })
            .await;
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        assert_eq!(wakers.others.len(), 1);
    }

    #[test]
    fn the_handler_is_told_once_each_time_that_it_waits() {
        let mut wakers = Wakers::default();
        assert!(!wakers.wake());
        wakers.register(Waker::noop(), true);
        assert!(wakers.others.is_empty());
        assert!(wakers.wake());
        assert!(!wakers.wake());
    }
}
