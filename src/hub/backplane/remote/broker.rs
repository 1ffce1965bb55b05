//! The traits that a broker implements.

use std::future::Future;

use super::{Followers, Link};
use crate::error::BoxError;

/// Orders and stores the publications of a hub on many servers: [`Redis`](crate::Redis) or [`Nats`](crate::Nats), with the
/// features of these names. See [`Hub::with`](crate::Hub::with).
///
/// This trait is sealed: its methods are not part of the public interface.
#[cfg_attr(docsrs, doc(cfg(any(feature = "nats", feature = "redis"))))]
pub trait Broker: Connect {}

/// Opens sessions, one after the other.
pub trait Connect: Send + Sync + 'static {
    /// An open session.
    type Session: Session;

    /// Connects to the broker.
    fn connect(&self) -> impl Future<Output = Result<Self::Session, BoxError>> + Send;
}

/// A connection to a broker.
pub trait Session: Send {
    /// Publishes what is in the outbox, and passes what is published to the followed topics, until something fails. Publications
    /// that the broker has not confirmed by then are published again by the next session.
    #[expect(private_interfaces, reason = "the trait is sealed by being unreachable")]
    fn serve(self, link: &Link, followers: &mut Followers) -> impl Future<Output = Result<(), BoxError>> + Send;
}
