//! The wakers of futures that wait for a change.

use std::num::NonZeroUsize;
use std::task::Waker;

use slab::Slab;

/// The wakers of futures that wait for the same thing. A future owns its entry until it removes it.
#[derive(Debug, Default)]
pub(super) struct WakerSet {
    /// Usually there is only one waiting future: its entry needs no allocation.
    first: Option<Entry>,
    rest: Option<Box<Slab<Entry>>>,
}

/// `None` after the waker was taken to be called.
type Entry = Option<Waker>;

/// A waker that is no longer needed. The caller drops it after releasing the lock: it may be the last reference to a task, whose
/// future may have handles of this connection.
pub(super) type Unused = Option<Waker>;

/// A future's entry in a [`WakerSet`], if it has one.
#[derive(Debug, Default)]
pub(crate) struct WakerKey(Option<NonZeroUsize>);

/// The key of `WakerSet::first`. The keys of `rest` begin with the next number.
const FIRST: NonZeroUsize = NonZeroUsize::MIN;

impl WakerKey {
    #[inline]
    pub(super) fn is_registered(&self) -> bool {
        self.0.is_some()
    }
}

impl WakerSet {
    /// Registers a waker, which is called at the next change. Returns the waker that it replaces.
    #[inline]
    pub(super) fn register(&mut self, key: &mut WakerKey, waker: &Waker) -> Unused {
        let entry = match key.0 {
            None if self.first.is_none() => {
                key.0 = Some(FIRST);
                self.first.insert(None)
            }
            Some(FIRST) => self.first.get_or_insert(None),
            None => self.insert(key),
            Some(number) => self.rest.as_mut()?.get_mut(number.get() - 2)?,
        };
        if entry.as_ref().is_some_and(|known| known.will_wake(waker)) {
            return None;
        }
        entry.replace(waker.clone())
    }

    /// Adds an entry for another future.
    fn insert(&mut self, key: &mut WakerKey) -> &mut Entry {
        let vacant = self.rest.get_or_insert_default().vacant_entry();
        key.0 = FIRST.checked_add(vacant.key() + 1);
        vacant.insert(None)
    }

    /// Removes the entry of a future, if it has one. Returns its waker.
    #[inline]
    pub(super) fn remove(&mut self, key: &mut WakerKey) -> Unused {
        // Usually it has none.
        if key.is_registered() { self.remove_entry(key) } else { None }
    }

    fn remove_entry(&mut self, key: &mut WakerKey) -> Unused {
        match key.0.take()? {
            FIRST => self.first.take().flatten(),
            number => {
                let rest = self.rest.as_mut()?;
                let waker = rest.try_remove(number.get() - 2).flatten();
                if rest.is_empty() && rest.capacity() > SPARE {
                    // Free the memory of many waiters.
                    self.rest = None;
                }
                waker
            }
        }
    }

    /// Moves all wakers into `wakers`. The entries stay until their futures remove them.
    #[inline]
    pub(super) fn take(&mut self, wakers: &mut Wakers) {
        // Usually there are none.
        if !self.is_empty() {
            self.take_all(wakers);
        }
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.first.is_none() && self.rest.is_none()
    }

    fn take_all(&mut self, wakers: &mut Wakers) {
        if let Some(waker) = self.first.as_mut().and_then(Option::take) {
            wakers.push(waker);
        }
        if let Some(rest) = &mut self.rest {
            wakers.rest.extend(rest.iter_mut().filter_map(|(_, entry)| entry.take()));
        }
    }
}

/// Wakers that are called after the lock is released. Usually there is one or none.
#[must_use = "the waiters are woken by them"]
#[derive(Debug, Default)]
pub(super) struct Wakers {
    first: Option<Waker>,
    rest: Vec<Waker>,
}

impl Wakers {
    #[inline]
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
        }
        if !self.rest.is_empty() {
            wake_all(self.rest);
        }
    }
}

#[cold]
fn wake_all(wakers: Vec<Waker>) {
    wakers.into_iter().for_each(Waker::wake);
}

/// Capacity for this many entries is kept while there are no waiters.
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
                drop(set.register(key, &waker));
                drop(set.register(key, &waker));
            }
            wake(&mut set);
            wake(&mut set);
            assert_eq!(count.0.load(Ordering::Relaxed), expected);
        }
        drop(set.register(&mut keys[0], &waker));
        drop(set.remove(&mut keys[0]));
        wake(&mut set);
        assert_eq!(count.0.load(Ordering::Relaxed), 6);
    }

    #[test]
    fn an_entry_that_was_woken_is_not_given_to_another_future() {
        let mut set = WakerSet::default();
        let (mut first, mut second) = (WakerKey::default(), WakerKey::default());
        drop(set.register(&mut first, Waker::noop()));
        wake(&mut set);
        drop(set.register(&mut second, Waker::noop()));
        assert_ne!(first.0, second.0);
    }

    #[test]
    fn removing_one_of_many_entries_keeps_the_others() {
        let (mut set, count) = (WakerSet::default(), Arc::new(Count::default()));
        let waker = Waker::from(count.clone());
        let mut keys: Vec<_> = (0..20).map(|_| WakerKey::default()).collect();
        keys.iter_mut().for_each(|key| drop(set.register(key, &waker)));
        assert!(keys.iter().all(WakerKey::is_registered));
        drop(set.remove(&mut keys[7]));
        assert!(!keys[7].is_registered());
        wake(&mut set);
        assert_eq!(count.0.load(Ordering::Relaxed), 19);
    }

    #[test]
    fn the_memory_of_many_waiters_is_freed() {
        let mut set = WakerSet::default();
        let mut keys: Vec<_> = (0..20_000).map(|_| WakerKey::default()).collect();
        for _ in 0..3 {
            keys.iter_mut().for_each(|key| drop(set.register(key, Waker::noop())));
            keys.iter_mut().for_each(|key| drop(set.remove(key)));
            assert!(set.first.is_none() && set.rest.is_none());
        }
    }
}
