//! A bound for the times of all settings.

use std::time::Duration;

/// As good as for ever, and far from what a clock can hold.
pub(crate) const LONGEST: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);
