//! What a panic of the user's code leaves behind.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Drops what something has panicked with. That may panic too, and what that panics with is not even dropped.
pub(crate) fn drop_payload(payload: Box<dyn Any + Send>) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(payload);
    }
}
