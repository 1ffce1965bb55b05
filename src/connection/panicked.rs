//! How a panic of the user's code ends its connection.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::close::{CloseCode, CloseFrame};

/// What the peer is told of a panic, which its own thread has reported.
pub(super) fn panicked(payload: Box<dyn Any + Send>) -> CloseFrame {
    // Dropping what the handler panicked with may panic too, and what that panics with is not even dropped.
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(payload);
    }
    tracing::error!("handler panicked");
    CloseFrame::new(CloseCode::INTERNAL_ERROR, "internal error")
}
