//! How many connections may be open: in total, and for each key.

use std::any::Any;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use http::request::Parts;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::handshake::{Head, RejectionKind, copied};
use crate::spare::shrink;

/// The limits on the connections of an endpoint. Clones share the counts.
#[derive(Clone, Debug, Default)]
pub(super) struct ConnectionLimits {
    pub(super) total: Option<Total>,
    pub(super) per_key: Option<PerKey>,
}

/// How many connections may be open, and how many more may be opened now.
#[derive(Clone, Debug)]
pub(super) struct Total {
    pub(super) max: usize,
    free: Arc<Semaphore>,
}

/// How many connections with the same key may be open.
#[derive(Clone)]
pub(super) struct PerKey {
    pub(super) max: usize,
    count: Arc<Count>,
}

/// The permits of one connection, which are given back when this is dropped.
#[derive(Debug, Default)]
pub(crate) struct Permits {
    total: Option<OwnedSemaphorePermit>,
    key: KeyPermit,
}

/// Counts a connection with this request. `None` if the limit of its key is reached.
type Count = dyn Fn(&Parts) -> Option<KeyPermit> + Send + Sync;

/// The permit for a key, which is given back when this is dropped. `None` if the request has no key.
type KeyPermit = Option<Box<dyn Any + Send + Sync>>;

impl ConnectionLimits {
    /// Counts one more connection. Fails with the limit that is reached.
    pub(super) fn admit(&self, head: Head<'_>) -> Result<Permits, RejectionKind> {
        let key = match &self.per_key {
            Some(per_key) => (per_key.count)(&copied(head)).ok_or(RejectionKind::TooManyConnectionsPerKey)?,
            None => None,
        };
        let total = match &self.total {
            Some(total) => {
                let permit = total.free.clone().try_acquire_owned();
                Some(permit.map_err(|_| RejectionKind::TooManyConnections)?)
            }
            None => None,
        };
        Ok(Permits { total, key })
    }
}

impl Permits {
    /// Whether a limit counts the connection.
    pub(super) fn is_some(&self) -> bool {
        self.total.is_some() || self.key.is_some()
    }
}

impl Total {
    pub(super) fn new(max: usize) -> Self {
        Self { max, free: Arc::new(Semaphore::new(max.min(Semaphore::MAX_PERMITS))) }
    }
}

impl PerKey {
    pub(super) fn new<K: Eq + Hash + Clone + Send + Sync + 'static>(
        max: usize,
        key: impl Fn(&Parts) -> Option<K> + Send + Sync + 'static,
    ) -> Self {
        let counts = Arc::new(Counts::default());
        let count = move |request: &Parts| match key(request) {
            Some(key) => Counts::admit(&counts, key, max).map(|counted| Some(Box::new(counted) as _)),
            None => Some(None),
        };
        Self { max, count: Arc::new(count) }
    }
}

impl fmt::Debug for PerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PerKey").field("max", &self.max).finish_non_exhaustive()
    }
}

/// How many connections each key has. Keys without connections are removed.
struct Counts<K>(Mutex<HashMap<K, usize>>);

/// One connection of a key.
struct Counted<K: Eq + Hash> {
    counts: Arc<Counts<K>>,
    key: K,
}

impl<K> Default for Counts<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash + Clone> Counts<K> {
    fn admit(this: &Arc<Self>, key: K, max: usize) -> Option<Counted<K>> {
        let mut counts = this.0.lock().unwrap_or_else(PoisonError::into_inner);
        match counts.entry(key.clone()) {
            Entry::Occupied(mut count) if *count.get() < max => *count.get_mut() += 1,
            Entry::Vacant(count) if max > 0 => _ = count.insert(1),
            Entry::Occupied(_) | Entry::Vacant(_) => return None,
        }
        drop(counts);
        Some(Counted { counts: this.clone(), key })
    }
}

impl<K: Eq + Hash> Drop for Counted<K> {
    fn drop(&mut self) {
        let mut counts = self.counts.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(count) = counts.get_mut(&self.key) else { return };
        *count -= 1;
        if *count == 0 {
            counts.remove(&self.key);
            shrink(&mut counts);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(counts: &Arc<Counts<u32>>) -> usize {
        counts.0.lock().unwrap().len()
    }

    #[test]
    fn a_key_has_its_own_count_and_vanishes_with_its_last_connection() {
        let counts = Arc::new(Counts::default());
        let first = Counts::admit(&counts, 1, 2).unwrap();
        let second = Counts::admit(&counts, 1, 2).unwrap();
        assert!(Counts::admit(&counts, 1, 2).is_none());
        let other = Counts::admit(&counts, 2, 2).unwrap();
        drop(first);
        assert_eq!(counted(&counts), 2);
        drop((second, other));
        assert_eq!(counted(&counts), 0);
        assert!(Counts::admit(&counts, 1, 0).is_none());
        assert_eq!(counted(&counts), 0);
    }

    #[test]
    fn what_many_keys_took_is_given_back() {
        let counts = Arc::new(Counts::default());
        let many: Vec<_> = (0..100_000).map(|key| Counts::admit(&counts, key, 1).unwrap()).collect();
        drop(many);
        assert!(counts.0.lock().unwrap().capacity() < 10_000);
    }
}
