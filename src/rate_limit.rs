//! How much a peer may send in a second.

use std::time::Duration;

use crate::longest::LONGEST;

/// How many messages and bytes a peer may send per second, and what happens when it sends more.
///
/// [`Limits::rate_limit`](crate::Limits::rate_limit) sets it for each connection. By default there is no limit, and no
/// cost.
///
/// ```
/// use std::time::Duration;
/// use tower_websocket::{Excess, Limits, RateLimit, Upgrader};
///
/// let rate_limit = RateLimit::new().messages(50).bytes(64 * 1024).burst(Duration::from_secs(5));
/// let upgrader = Upgrader::new().limits(Limits::default().rate_limit(rate_limit));
/// // Or the connection ends:
/// let rate_limit = rate_limit.on_excess(Excess::Close);
/// ```
///
/// # What counts
///
/// Messages are data messages and pings, as each ping is answered. Bytes are those that are read from the transport:
/// compressed payload, frame headers and control frames, without the headers of HTTP/2 and TLS. A message in fragments
/// (RFC 6455 §5.4) counts once; its frames, and pongs, are limited as bytes only. Messages need not be evenly spaced: see
/// [`burst`](Self::burst).
///
/// # While reading is paused
///
/// With [`Excess::Pause`], nothing more is read until the rate allows it, and TCP or HTTP/2 flow control slows the peer
/// down. Control frames that arrive meanwhile (close, ping, pong) are not seen either. So the keepalive's timeout stops
/// while reading is paused, and [`Limits::message_timeout`](crate::Limits::message_timeout) does not count that time. A
/// peer that has vanished is noticed by the keepalive once all that it has sent before is read, at this rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct RateLimit {
    pub(crate) messages: Option<u32>,
    pub(crate) bytes: Option<u32>,
    pub(crate) burst: Duration,
    pub(crate) excess: Excess,
}

/// What happens to a peer that sends more than its [`RateLimit`] allows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Excess {
    /// The connection is closed with 1008, and ends with
    /// [`ErrorKind::RateLimitExceeded`](crate::ErrorKind::RateLimitExceeded). What had arrived before is still received,
    /// also from the same read.
    Close,
    /// Reading pauses until the rate allows more.
    #[default]
    Pause,
}

impl Default for RateLimit {
    fn default() -> Self {
        Self { messages: None, bytes: None, burst: Duration::from_secs(1), excess: Excess::default() }
    }
}

impl RateLimit {
    /// No limit yet.
    #[doc(alias = "Quota")]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many messages a peer may send per second. No limit by default.
    ///
    /// # Panics
    ///
    /// If it is zero.
    #[track_caller]
    pub fn messages(mut self, per_second: u32) -> Self {
        assert!(per_second > 0, "a rate of no messages would allow nothing");
        self.messages = Some(per_second);
        self
    }

    /// How many bytes a peer may send per second. No limit by default.
    ///
    /// # Panics
    ///
    /// If it is zero.
    #[track_caller]
    pub fn bytes(mut self, per_second: u32) -> Self {
        assert!(per_second > 0, "a rate of no bytes would allow nothing");
        self.bytes = Some(per_second);
        self
    }

    /// How much a peer that was silent may send at once: what the rate allows in this time, and always one message. 1 s by
    /// default; 30 years or more count as 30 years.
    pub fn burst(mut self, time: Duration) -> Self {
        self.burst = time.min(LONGEST);
        self
    }

    /// What happens when a peer sends more. [`Excess::Pause`] by default.
    pub fn on_excess(mut self, excess: Excess) -> Self {
        self.excess = excess;
        self
    }

    /// See [`messages`](Self::messages).
    #[must_use]
    pub fn get_messages(&self) -> Option<u32> {
        self.messages
    }

    /// See [`bytes`](Self::bytes).
    #[must_use]
    pub fn get_bytes(&self) -> Option<u32> {
        self.bytes
    }

    /// See [`burst`](Self::burst).
    #[must_use]
    pub fn get_burst(&self) -> Duration {
        self.burst
    }

    /// See [`on_excess`](Self::on_excess).
    #[must_use]
    pub fn get_excess(&self) -> Excess {
        self.excess
    }
}
