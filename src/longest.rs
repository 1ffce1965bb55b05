//! The upper limit for the times of all settings.

use std::time::Duration;

/// 30 years, which cannot overflow an `Instant`.
pub(crate) const LONGEST: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);
