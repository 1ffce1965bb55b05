//! One open connection: its task, its handles, and what they share. The rules of the protocol are in `protocol`.
//!
//! What is true between two polls of the task:
//!
//! 1. Only the [`Driver`](driver::Driver) uses the transport, the parser and the timers. Everything that handles use too
//!    is in [`Inner`], protected by one lock that is never held across an await, a system call or a waker's call.
//! 2. The task sleeps only when it has seen all changes: each change is followed by a call of `DriverWaker::notify`, and the task
//!    checks for that before it sleeps. `driver_waker` describes how, and has a model that checks it.
//! 3. The handler is an ordinary future: it is polled when its waker was called, and waits for the connection
//!    through the same sets of wakers as a handle in another task.
//! 4. Every waiting future owns its entry in a `WakerSet` and removes it when it is ready or dropped.
//! 5. What a topic sends waits in `Feeds` while the outgoing buffer is full; the task moves it to the buffer. Feeds are dropped
//!    when nothing more can be sent.
//!
//! Who wakes whom: a message or the end of the connection wakes the readers; written bytes, or an end, wake the writers; a
//! pong, an end, or the last handle's drop wakes the watchers; sending, closing, pinging, and receiving below
//! [`Limits::incoming`](crate::Limits::incoming), wake the task.
//!
//! Functions that run for every message are marked `#[inline]`. The task is generic over the handler, so it is compiled in the
//! user's crate: without the attribute and without link-time optimisation, each would be a call into this crate
//! (`benches/echo.rs`: a fifteenth of the instructions of a burst).

mod config;
mod coop;
mod delivering;
mod driver;
mod driver_waker;
mod ending;
mod feeds;
mod future;
mod handler_waker;
mod inner;
mod panicked;
mod pings;
mod receiving;
mod sending;
mod state;
mod transport;
mod waiter;
mod waker_set;

pub(crate) use self::config::{ConnectionConfig, prepare, spawn};
pub(crate) use self::delivering::{FeedStatus, Joined};
pub(crate) use self::feeds::FeedId;
pub(crate) use self::future::{ConnectionFuture, OpenError};
pub(crate) use self::inner::Inner;
pub(crate) use self::state::Waiting;
pub(crate) use self::transport::{OtherTransport, Transport, limit_unsent, tcp_stream};
pub(crate) use self::waiter::Waiter;
pub(crate) use self::waker_set::WakerKey;
