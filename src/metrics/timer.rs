//! How long a handler runs.

use tokio::time::Instant;

use super::handles::handler_ended;

/// Runs while the handler does. Dropped, it is counted.
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
