//! Who waits for something to change.

use std::task::Waker;

/// Tasks to be woken at the next change. Whoever still waits then registers again, so a dropped future needs no care.
///
/// The connection's own handler is not among them: its task polls it after whatever it may wait for.
#[derive(Debug, Default)]
pub(super) struct Wakers(Vec<Waker>);

impl Wakers {
    pub(super) fn register(&mut self, waker: &Waker) {
        if !self.0.iter().any(|known| known.will_wake(waker)) {
            self.0.push(waker.clone());
        }
    }

    pub(super) fn wake(&mut self) {
        // Most often there is nobody.
        if !self.0.is_empty() {
            self.0.drain(..).for_each(Waker::wake);
        }
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
                wakers.register(cx.waker());
                Poll::Ready(())
            })
            .await;
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        assert_eq!(wakers.0.len(), 1);
    }
}
