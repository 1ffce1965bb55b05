//! Nothing is counted: the feature `metrics` is off.

use std::time::Duration;

use tokio::time::Instant;

use crate::close::CloseFrame;
use crate::error::Error;
use crate::handshake::RejectionKind;
use crate::role::Role;
use crate::stats::{QueueSizes, Stats};

/// With the feature, what one connection adds to the process's metrics.
#[derive(Debug)]
pub(crate) struct ConnectionMetrics {}

impl ConnectionMetrics {
    pub(crate) fn new(_: Role) -> Self {
        Self {}
    }

    pub(crate) fn opened(&mut self, _: Instant) {}

    pub(crate) fn is_due(&self, _: Instant) -> bool {
        false
    }

    pub(crate) fn count(&mut self, _: Stats, _: QueueSizes, _: Instant) {}

    pub(crate) fn is_open(&self) -> bool {
        false
    }

    pub(crate) fn ended(&mut self, _: Stats, _: &Result<CloseFrame, Error>) {}

    pub(crate) fn round_trip(&self, _: Duration) {}
}

/// With the feature, how long a handler runs.
#[derive(Debug)]
pub(crate) struct HandlerTimer {}

impl HandlerTimer {
    pub(crate) fn start() -> Self {
        Self {}
    }
}

/// With the feature, what the process's budget is used for.
pub(crate) fn budget_changed(_: isize) {}

/// With the feature, how many opening handshakes are refused.
pub(crate) fn rejected(_: RejectionKind) {}

/// With the feature, what the topics of all hubs do.
pub(crate) mod hub {
    pub(crate) fn delivered(_: u64, _: u64) {}

    #[cfg(any(feature = "nats", feature = "redis"))]
    pub(crate) fn gap() {}

    pub(crate) fn joined() {}

    pub(crate) fn left() {}

    pub(crate) fn published() {}
}
