//! How a panic of the user's code ends its connection.

use std::any::Any;

use crate::close::{CloseCode, CloseFrame};
use crate::panic_payload::drop_payload;

/// What the peer is told of a panic, which its own thread has reported.
pub(super) fn panicked(payload: Box<dyn Any + Send>) -> CloseFrame {
    drop_payload(payload);
    tracing::error!("handler panicked");
    CloseFrame::new(CloseCode::INTERNAL_ERROR, "internal error")
}
