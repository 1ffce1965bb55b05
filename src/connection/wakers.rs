//! Who waits for something to change.

use std::task::Waker;

/// Tasks to be woken at the next change. Whoever still waits then registers again, so a dropped future needs no care.
#[derive(Debug, Default)]
pub(super) struct Wakers(Vec<Waker>);

impl Wakers {
    pub(super) fn register(&mut self, waker: &Waker) {
        if !self.0.iter().any(|known| known.will_wake(waker)) {
            self.0.push(waker.clone());
        }
    }

    /// Wakes all but the caller's own task, and says whether that one waits too.
    pub(super) fn wake_others(&mut self, own: &Waker) -> bool {
        let mut own_waits = false;
        for waker in self.0.drain(..) {
            if waker.will_wake(own) {
                own_waits = true;
            } else {
                waker.wake();
            }
        }
        own_waits
    }
}
