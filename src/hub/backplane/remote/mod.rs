//! What all brokers have in common: what waits to be published, which topics are followed, and connecting again.
//!
//! ```text
//! publish ──► Outbox ──► session ──► broker ──► session ──► Follower ──► TopicInner
//! ```
//!
//! A broker is a log of envelopes for each topic, a way to hear of new ones, and a task for both: [`Broker`], [`Session`].

mod broker;
mod envelope;
mod follower;
mod link;
mod next;
mod outbox;
mod reconnect;
mod requests;

pub use self::broker::Broker;
pub(super) use self::broker::{Connect, Session};
pub(super) use self::envelope::Envelope;
pub(super) use self::follower::{Change, Entry, Followers, Last};
pub(super) use self::link::Link;
pub(in crate::hub) use self::link::Remote;
pub(super) use self::next::next;
pub(super) use self::outbox::Outgoing;
pub(super) use self::reconnect::{CONNECT_TIMEOUT, first_connection};
