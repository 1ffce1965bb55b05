//! How the values of [periodic updates](crate::Manager::periodic_write) are compared.
//!
//! These are type parameters of [`PeriodicWrite`](crate::PeriodicWrite), chosen by its methods. They are needed only to
//! name that type, for instance as a function's return type. They cannot be constructed.

/// Decides whether a value is sent.
pub trait Dedup<T> {
    /// Whether `current` equals `last`, so that it is not sent.
    fn is_same(&mut self, last: &T, current: &T) -> bool;
}

/// Values are compared as a whole: the default.
#[doc(alias = "DeepEqual")]
#[derive(Debug)]
pub struct ByValue(pub(super) ());

/// Values are compared by a function: [`dedup_by`](crate::PeriodicWrite::dedup_by).
#[derive(Debug)]
pub struct ByFn<S>(pub(super) S);

/// Values are compared by a key: [`dedup_by_key`](crate::PeriodicWrite::dedup_by_key).
#[derive(Debug)]
pub struct ByKey<S>(pub(super) S);

/// Values are not compared: [`without_dedup`](crate::PeriodicWrite::without_dedup).
#[derive(Debug)]
pub struct Never(pub(super) ());

impl<T: PartialEq> Dedup<T> for ByValue {
    fn is_same(&mut self, last: &T, current: &T) -> bool {
        last == current
    }
}

impl<T, S: FnMut(&T, &T) -> bool> Dedup<T> for ByFn<S> {
    fn is_same(&mut self, last: &T, current: &T) -> bool {
        (self.0)(last, current)
    }
}

impl<T, K: PartialEq, S: FnMut(&T) -> K> Dedup<T> for ByKey<S> {
    fn is_same(&mut self, last: &T, current: &T) -> bool {
        (self.0)(last) == (self.0)(current)
    }
}

impl<T> Dedup<T> for Never {
    fn is_same(&mut self, _: &T, _: &T) -> bool {
        false
    }
}
