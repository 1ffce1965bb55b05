//! How a panic of the user's code ends its connection.

use std::any::Any;

use crate::close::{CloseCode, CloseFrame};
use crate::panic_payload::drop_payload;

/// Logs a panic, and returns the close frame for the peer. The panic's message was printed by the panic hook.
pub(super) fn panicked(payload: Box<dyn Any + Send>) -> CloseFrame {
    drop_payload(payload);
    tracing::error!("handler panicked");
    CloseFrame::new(CloseCode::INTERNAL_ERROR, "internal error")
}
