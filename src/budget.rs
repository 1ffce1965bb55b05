//! A shared bound on memory.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use crate::metrics::budget_changed;

/// A number of bytes that many operations share.
///
/// Clones are the same budget. Each connection charges a message while it is received or inflated if it needs more than
/// 64 KiB, all of its unread messages if they are more than 4 KiB, and all that it has yet to write if that is more than
/// 4 KiB: small messages never access the shared counter. [Topics](crate::Topic) charge each publication. Their histories are
/// dropped once more than half of the budget is in use, so that the other half is left for connections.
///
/// ```
/// use tower_websocket::{Budget, Limits, Upgrader};
///
/// // The connections of this endpoint have their own budget. All others share 1 GiB.
/// let budget = Budget::new(64 * 1024 * 1024);
/// let upgrader = Upgrader::new().limits(Limits::default().budget(budget.clone()));
/// assert_eq!(budget.used(), 0);
/// assert_eq!(Budget::process().limit(), 1024 * 1024 * 1024);
/// ```
#[derive(Clone)]
pub struct Budget(Arc<Counter>);

struct Counter {
    limit: usize,
    used: AtomicUsize,
    /// It is the process's, whose usage is a metric.
    is_process: bool,
}

impl Budget {
    /// A budget of this many bytes. With zero, only messages that are not counted are received.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        Self(Arc::new(Counter { limit: bytes, used: AtomicUsize::new(0), is_process: false }))
    }

    /// The budget of 1 GiB that all connections of the process share unless they are given another.
    #[must_use]
    pub fn process() -> Self {
        static PROCESS: OnceLock<Budget> = OnceLock::new();
        let counter = || Counter { limit: 1024 * 1024 * 1024, used: AtomicUsize::new(0), is_process: true };
        PROCESS.get_or_init(|| Self(Arc::new(counter()))).clone()
    }

    /// The bytes in use now.
    #[must_use]
    pub fn used(&self) -> usize {
        self.0.used.load(Ordering::Relaxed)
    }

    /// The bytes that may be in use.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.0.limit
    }

    /// Whether more than half of it is in use.
    pub(crate) fn is_scarce(&self) -> bool {
        self.used() > self.0.limit / 2
    }

    /// A charge of zero bytes, which [`Charge::raise`] increases.
    pub(crate) fn charge(&self) -> Charge {
        Charge { budget: self.clone(), bytes: 0 }
    }
}

impl Counter {
    /// Reports a change of the bytes in use to the metrics.
    #[inline]
    fn changed(&self, bytes: isize) {
        if self.is_process {
            budget_changed(bytes);
        }
    }
}

impl fmt::Debug for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Budget").field("used", &self.used()).field("limit", &self.limit()).finish()
    }
}

/// Bytes that are charged to a budget, and given back on drop.
#[derive(Debug)]
pub(crate) struct Charge {
    budget: Budget,
    bytes: usize,
}

impl Charge {
    /// Charges up to `bytes` in all, or changes nothing and returns `false`.
    pub(crate) fn raise(&mut self, bytes: usize) -> bool {
        let more = bytes.saturating_sub(self.bytes);
        if more == 0 {
            return true;
        }
        let Counter { limit, used, .. } = &*self.budget.0;
        let taken = used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
            used.checked_add(more).filter(|sum| sum <= limit)
        });
        if taken.is_ok() {
            self.bytes = bytes;
            self.budget.0.changed(more as isize);
        }
        taken.is_ok()
    }

    /// Charges `bytes` in all, more or less than now. As these bytes are in memory already, the budget may exceed its limit:
    /// returns `false` then.
    #[inline]
    pub(crate) fn raise_or_exceed(&mut self, bytes: usize) -> bool {
        // Usually zero, as before.
        bytes == self.bytes || self.change(bytes)
    }

    fn change(&mut self, bytes: usize) -> bool {
        self.lower(bytes);
        if self.raise(bytes) {
            return true;
        }
        let more = bytes - self.bytes;
        self.budget.0.used.fetch_add(more, Ordering::Relaxed);
        self.budget.0.changed(more as isize);
        self.bytes = bytes;
        false
    }

    /// Charges no more than `bytes`.
    #[inline]
    pub(crate) fn lower(&mut self, bytes: usize) {
        if self.bytes > bytes {
            self.give_back(self.bytes - bytes);
        }
    }

    // Not inlined: most charges of connections are zero when they are lowered.
    #[inline(never)]
    fn give_back(&mut self, less: usize) {
        self.budget.0.used.fetch_sub(less, Ordering::Relaxed);
        self.budget.0.changed(-(less as isize));
        self.bytes -= less;
    }

    /// The number of bytes that are charged now.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Gives everything back.
    pub(crate) fn release(&mut self) {
        self.lower(0);
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.release();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_charge_beyond_the_limit_changes_nothing() {
        let budget = Budget::new(100);
        let mut first = budget.charge();
        assert!(first.raise(60));
        let mut second = budget.charge();
        assert!(!second.raise(41));
        assert!(second.raise(40));
        assert_eq!(budget.used(), 100);
        drop(first);
        assert_eq!(budget.used(), 40);
    }
}
