//! Who waits for something to change.

use std::task::Waker;

use slab::Slab;

/// The wakers of futures that wait for the same thing. A future owns its entry until it removes it.
#[derive(Debug, Default)]
pub(super) struct WakerSet(Slab<Option<Waker>>);

/// A future's entry in a [`WakerSet`], if it has one.
#[derive(Debug, Default)]
pub(crate) struct WakerKey(Option<usize>);

impl WakerKey {
    #[inline]
    pub(super) fn is_registered(&self) -> bool {
        self.0.is_some()
    }
}

impl WakerSet {
    /// Whether nobody waits.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Has this waker woken at the next change.
    #[inline]
    pub(super) fn register(&mut self, key: &mut WakerKey, waker: &Waker) {
        match key.0.and_then(|key| self.0.get_mut(key)) {
            Some(Some(known)) => known.clone_from(waker),
            Some(entry) => *entry = Some(waker.clone()),
            None => key.0 = Some(self.0.insert(Some(waker.clone()))),
        }
    }

    /// Removes an entry: its future waits no longer.
    #[inline]
    pub(super) fn remove(&mut self, key: &mut WakerKey) {
        if let Some(key) = key.0.take() {
            self.0.try_remove(key);
            if self.0.is_empty() && self.0.capacity() > SPARE {
                // A crowd of waiters leaves no memory behind.
                self.0 = Slab::new();
            }
        }
    }

    /// Takes the wakers of all who wait. The entries stay until their futures remove them.
    #[inline]
    pub(super) fn take(&mut self, wakers: &mut Wakers) {
        if !self.0.is_empty() {
            self.0.iter_mut().filter_map(|(_, entry)| entry.take()).for_each(|waker| wakers.push(waker));
        }
    }
}

/// Wakers to be called once the lock is released. Most often there is one or none.
#[must_use = "somebody waits for them"]
#[derive(Debug, Default)]
pub(super) struct Wakers {
    first: Option<Waker>,
    rest: Vec<Waker>,
}

impl Wakers {
    fn push(&mut self, waker: Waker) {
        if self.first.is_none() {
            self.first = Some(waker);
        } else {
            self.rest.push(waker);
        }
    }

    #[inline]
    pub(super) fn wake(self) {
        if let Some(waker) = self.first {
            waker.wake();
            self.rest.into_iter().for_each(Waker::wake);
        }
    }
}

/// Room for so many entries is kept while nobody waits.
const SPARE: usize = 4;

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn wake(set: &mut WakerSet) {
        let mut wakers = Wakers::default();
        set.take(&mut wakers);
        wakers.wake();
    }

    #[test]
    fn each_future_is_woken_once_for_each_time_it_waits() {
        let (mut set, count) = (WakerSet::default(), Arc::new(Count::default()));
        let waker = Waker::from(count.clone());
        let mut keys: Vec<_> = (0..3).map(|_| WakerKey::default()).collect();
        for expected in [3, 6] {
            for key in &mut keys {
                set.register(key, &waker);
                set.register(key, &waker);
            }
            wake(&mut set);
            wake(&mut set);
            assert_eq!(count.0.load(Ordering::Relaxed), expected);
        }
        set.register(&mut keys[0], &waker);
        set.remove(&mut keys[0]);
        wake(&mut set);
        assert_eq!(count.0.load(Ordering::Relaxed), 6);
    }

    #[test]
    fn an_entry_that_was_woken_is_not_given_to_another_future() {
        let mut set = WakerSet::default();
        let (mut first, mut second) = (WakerKey::default(), WakerKey::default());
        set.register(&mut first, Waker::noop());
        wake(&mut set);
        set.register(&mut second, Waker::noop());
        assert_ne!(first.0, second.0);
    }

    #[test]
    fn waiters_that_leave_leave_nothing_behind() {
        let mut set = WakerSet::default();
        let mut keys: Vec<_> = (0..20_000).map(|_| WakerKey::default()).collect();
        for _ in 0..3 {
            keys.iter_mut().for_each(|key| set.register(key, Waker::noop()));
            keys.iter_mut().for_each(|key| set.remove(key));
            assert!(set.0.is_empty() && set.0.capacity() <= SPARE);
        }
    }
}
