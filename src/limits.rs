//! The limits of one connection.

use std::time::Duration;

use crate::budget::Budget;
pub(crate) use crate::longest::LONGEST;
use crate::rate_limit::RateLimit;

/// Limits on the memory and the time of one connection.
///
/// | limit | default | what happens beyond it |
/// | --- | --- | --- |
/// | [`max_message_size`](Self::max_message_size) | 1 MiB | close 1009, [`ErrorKind::MessageTooBig`](crate::ErrorKind::MessageTooBig) |
/// | [`incoming`](Self::incoming) | 64 KiB, and always one message | reading stops |
/// | [`max_write_buffer_size`](Self::max_write_buffer_size) | 64 KiB | `send` waits |
/// | [`message_timeout`](Self::message_timeout) | 30 s | close 1008, [`ErrorKind::ReadTimeout`](crate::ErrorKind::ReadTimeout) |
/// | [`write_timeout`](Self::write_timeout) | 10 s | [`ErrorKind::WriteTimeout`](crate::ErrorKind::WriteTimeout) |
/// | [`close_timeout`](Self::close_timeout) | 5 s | the transport is dropped |
/// | [`min_data_rate`](Self::min_data_rate) | 1 KiB/s | a slower peer may time out |
/// | [`handshake_timeout`](Self::handshake_timeout) | 10 s | the handler never runs |
/// | [`max_lifetime`](Self::max_lifetime) | none | close 1001, [`ErrorKind::LifetimeExceeded`](crate::ErrorKind::LifetimeExceeded) |
/// | [`rate_limit`](Self::rate_limit) | none | reading pauses, or close 1008, [`ErrorKind::RateLimitExceeded`](crate::ErrorKind::RateLimitExceeded) |
/// | [`budget`](Self::budget) | 1 GiB for the process | close 1013, [`ErrorKind::BudgetExceeded`](crate::ErrorKind::BudgetExceeded) |
///
/// The number of connections is limited by [`Upgrader::max_connections`](crate::Upgrader::max_connections), in total, and
/// [`Upgrader::max_connections_per_key`](crate::Upgrader::max_connections_per_key), such as for each address.
///
/// ```
/// use std::time::Duration;
/// use tower_websocket::{Limits, Upgrader};
///
/// let limits = Limits::default().max_message_size(64 * 1024).max_lifetime(Duration::from_secs(3600));
/// assert_eq!(limits.get_max_message_size(), 64 * 1024);
/// let upgrader = Upgrader::new().limits(limits);
/// ```
///
/// A time of 30 years or more means that there is no such limit.
#[doc(alias = "read_buffer_size")]
#[doc(alias = "ReadBufferSize")]
#[derive(Clone, Debug)]
#[must_use]
pub struct Limits {
    pub(crate) message: usize,
    pub(crate) incoming: usize,
    pub(crate) outgoing: usize,
    pub(crate) message_time: Duration,
    pub(crate) write_time: Duration,
    pub(crate) close_time: Duration,
    pub(crate) handshake_time: Duration,
    pub(crate) min_data_rate: u32,
    pub(crate) lifetime: Option<Duration>,
    pub(crate) rate_limit: RateLimit,
    pub(crate) budget: Budget,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message: 1024 * 1024,
            incoming: 64 * 1024,
            outgoing: 64 * 1024,
            message_time: Duration::from_secs(30),
            write_time: Duration::from_secs(10),
            close_time: Duration::from_secs(5),
            handshake_time: Duration::from_secs(10),
            min_data_rate: 1024,
            lifetime: None,
            rate_limit: RateLimit::new(),
            budget: Budget::process(),
        }
    }
}

impl Limits {
    /// The largest incoming message in bytes, after inflating. 1 MiB by default. With zero, only empty messages are received.
    ///
    /// Memory grows with what has arrived, not with what a frame header announces.
    #[doc(alias = "SetReadLimit")]
    #[doc(alias = "max_frame_size")]
    pub fn max_message_size(mut self, bytes: usize) -> Self {
        self.message = bytes;
        self
    }

    /// How many bytes of arrived messages may wait for the handler before reading stops. 64 KiB by default. With zero, one
    /// message at a time is received.
    ///
    /// While less than this is waiting, one more message of any size is accepted, so the maximum is this plus one message.
    /// A message of less than 40 bytes counts as 40. Control frames among them (close, ping, pong) are handled at once.
    /// Beyond the limit nothing more is read, and TCP or HTTP/2 flow control slows the peer down. In a handler that only
    /// sends, use [`ignore_incoming`](crate::Manager::ignore_incoming).
    pub fn incoming(mut self, bytes: usize) -> Self {
        self.incoming = bytes;
        self
    }

    /// How many bytes may wait to be written before `send` waits. 64 KiB by default.
    ///
    /// While less than this is waiting, one more message of any size is accepted, so the maximum is this plus one message.
    /// What [topics](crate::Topic) send has a buffer of the same size.
    ///
    /// # Panics
    ///
    /// If it is zero: nothing could ever be sent.
    #[doc(alias = "WriteBufferSize")]
    #[doc(alias = "write_buffer_size")]
    #[doc(alias = "outgoing")]
    #[track_caller]
    pub fn max_write_buffer_size(mut self, bytes: usize) -> Self {
        assert!(bytes > 0, "a write buffer of zero bytes could never take a message");
        self.outgoing = bytes;
        self
    }

    /// How long a message may stay incomplete after its first frame's header has arrived. 30 s by default.
    ///
    /// # Panics
    ///
    /// If it is zero.
    #[track_caller]
    pub fn message_timeout(mut self, time: Duration) -> Self {
        assert!(
            !time.is_zero(),
            "a message timeout of zero would end every connection whose message comes in two parts"
        );
        self.message_time = time.min(LONGEST);
        self
    }

    /// How long the peer may accept no data. 10 s by default.
    ///
    /// The connection then ends without a close frame, as there is no way to send one.
    ///
    /// A slow peer, which has accepted data since writing was first blocked, has at least 5 s until it must accept more.
    /// Over TCP on Linux, where the kernel reports what the peer has acknowledged, it has the time that 384 KiB take at its
    /// measured rate, up to 29 s, because kernels open a closed window again in steps of that size. So a peer that vanishes
    /// on a slow or busy link is detected within 29 s.
    ///
    /// Over HTTP/2 a peer counts as accepting data when it opens its window again, which most do when half of it is free.
    ///
    /// # Panics
    ///
    /// If it is zero.
    #[doc(alias = "SetWriteDeadline")]
    #[track_caller]
    pub fn write_timeout(mut self, time: Duration) -> Self {
        assert!(!time.is_zero(), "a write timeout of zero would end every connection whose peer is busy");
        self.write_time = time.min(LONGEST);
        self
    }

    /// How long the closing handshake and the end of the transport may take. 5 s by default. With zero, the transport is dropped
    /// at once.
    pub fn close_timeout(mut self, time: Duration) -> Self {
        self.close_time = time.min(LONGEST);
        self
    }

    /// The lowest rate, in bytes per second, at which a peer may accept data. 1 KiB/s by default.
    ///
    /// Data that the operating system has accepted has not yet reached the peer: megabytes may be in the buffers of the
    /// kernel, of TLS and HTTP/2 and of proxies, and a ping or a close frame is sent after them. So the keepalive's timeout
    /// and [`close_timeout`](Self::close_timeout) are longer by the time that the bytes written since the peer's last frame
    /// need at this rate, up to 29 s in all.
    ///
    /// - Less than 64 KiB count until the next frame of the peer: from then on the keepalive's timeout is as usual.
    /// - 64 KiB or more count until a ping that was sent after them is answered, or for 29 s. Any other frame does not show
    ///   that the peer has received them.
    /// - While the transport accepts no data, [`write_timeout`](Self::write_timeout) applies instead. Once it accepts data
    ///   again, what was written before counts as 5 s at most.
    ///
    /// # Panics
    ///
    /// If it is zero.
    #[track_caller]
    pub fn min_data_rate(mut self, bytes_per_second: u32) -> Self {
        assert!(bytes_per_second > 0, "a data rate must be more than zero");
        self.min_data_rate = bytes_per_second;
        self
    }

    /// On a server, how long the HTTP server may need to send the response and hand over the upgraded transport. On a client,
    /// how long connecting may take. 10 s by default.
    ///
    /// # Panics
    ///
    /// If it is zero.
    #[doc(alias = "HandshakeTimeout")]
    #[doc(alias = "connect_timeout")]
    #[track_caller]
    pub fn handshake_timeout(mut self, time: Duration) -> Self {
        assert!(!time.is_zero(), "a handshake timeout of zero would let no connection open");
        self.handshake_time = time.min(LONGEST);
        self
    }

    /// The longest time that a connection may stay open. No limit by default.
    ///
    /// # Panics
    ///
    /// If it is zero.
    #[doc(alias = "max_connection_age")]
    #[track_caller]
    pub fn max_lifetime(mut self, time: Duration) -> Self {
        assert!(!time.is_zero(), "a lifetime of zero would end every connection at once");
        self.lifetime = Some(time.min(LONGEST));
        self
    }

    /// How many messages and bytes per second the peer may send. No limit by default.
    pub fn rate_limit(mut self, rate_limit: RateLimit) -> Self {
        self.rate_limit = rate_limit;
        self
    }

    /// The budget that memory for messages is charged to. 1 GiB shared by the whole process by default, which is
    /// [`Budget::process`]. [`Budget`] says what is charged.
    ///
    /// If it has no memory left for an incoming message, that connection is closed with 1013. Outgoing messages are charged
    /// too, but limited only by [`max_write_buffer_size`](Self::max_write_buffer_size).
    pub fn budget(mut self, budget: Budget) -> Self {
        self.budget = budget;
        self
    }
}

/// What was set, or the default. The names are those of the setters with `get_` before them, as in
/// [`std::process::Command`].
impl Limits {
    /// See [`max_message_size`](Self::max_message_size).
    #[must_use]
    pub fn get_max_message_size(&self) -> usize {
        self.message
    }

    /// See [`incoming`](Self::incoming).
    #[must_use]
    pub fn get_incoming(&self) -> usize {
        self.incoming
    }

    /// See [`max_write_buffer_size`](Self::max_write_buffer_size).
    #[must_use]
    pub fn get_max_write_buffer_size(&self) -> usize {
        self.outgoing
    }

    /// See [`message_timeout`](Self::message_timeout).
    #[must_use]
    pub fn get_message_timeout(&self) -> Duration {
        self.message_time
    }

    /// See [`write_timeout`](Self::write_timeout).
    #[must_use]
    pub fn get_write_timeout(&self) -> Duration {
        self.write_time
    }

    /// See [`close_timeout`](Self::close_timeout).
    #[must_use]
    pub fn get_close_timeout(&self) -> Duration {
        self.close_time
    }

    /// See [`min_data_rate`](Self::min_data_rate).
    #[must_use]
    pub fn get_min_data_rate(&self) -> u32 {
        self.min_data_rate
    }

    /// See [`handshake_timeout`](Self::handshake_timeout).
    #[must_use]
    pub fn get_handshake_timeout(&self) -> Duration {
        self.handshake_time
    }

    /// See [`max_lifetime`](Self::max_lifetime).
    #[must_use]
    pub fn get_max_lifetime(&self) -> Option<Duration> {
        self.lifetime
    }

    /// See [`rate_limit`](Self::rate_limit).
    pub fn get_rate_limit(&self) -> &RateLimit {
        &self.rate_limit
    }

    /// See [`budget`](Self::budget).
    #[must_use]
    pub fn get_budget(&self) -> &Budget {
        &self.budget
    }
}
