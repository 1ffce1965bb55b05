//! Everything about time: when to ping, when a peer has been silent for too long, and the limits of [`Limits`](crate::Limits).

mod backlog;
mod deadlines;
mod due;
mod keepalive;
mod liveness;
mod rate_limiter;
mod send_queue;
#[cfg(test)]
mod tests;
#[expect(clippy::module_inception, reason = "the type that the folder is named after")]
mod timers;
mod unanswered_pings;

pub(crate) use self::due::Due;
pub use self::keepalive::Keepalive;
pub(crate) use self::timers::Timers;
