//! The duration of handlers.

use tokio::time::Instant;

use super::handles::handler_ended;

/// Measures how long a handler runs, and records it when it is dropped.
#[derive(Debug)]
pub(crate) struct HandlerTimer {
    start: Instant,
}

impl HandlerTimer {
    pub(crate) fn start() -> Self {
        Self { start: Instant::now() }
    }
}

impl Drop for HandlerTimer {
    fn drop(&mut self) {
        handler_ended(self.start.elapsed());
    }
}
