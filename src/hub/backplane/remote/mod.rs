//! What all brokers have in common: the queue of publications, the topics that are followed, and reconnecting.
//!
//! ```text
//! publish ──► Outbox ──► session ──► broker ──► session ──► Follower ──► TopicInner
//! ```
//!
//! A broker stores a log of envelopes for each topic, and announces new ones. One task for each hub opens sessions ([`Connect`]),
//! one after the other; a [`Session`] publishes, reads logs, and receives announcements.

mod broker;
mod envelope;
mod follower;
mod link;
mod next;
mod outbox;
mod received;
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
