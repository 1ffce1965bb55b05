//! The handle to a topic.

use std::fmt;
use std::sync::Arc;

use super::history::{Gap, History, Recovered};
use super::members::Replay;
use super::position::Position;
use super::presence::{Presence, PresenceChange};
use super::publication::Draft;
use super::seat::Seat;
use super::stats::TopicStats;
use super::topic_inner::TopicInner;
use crate::error::Error;
use crate::manager::{ConnectionId, Manager};
use crate::message::Message;
use crate::protocol::Overflow;

/// A handle to one topic of a [`Hub`](crate::Hub); made by [`Hub::topic`](crate::Hub::topic). Cheap to clone.
///
/// ```
/// use tower_websocket::{Error, Hub, Manager, Overflow};
///
/// async fn news(ws: Manager, hub: Hub) -> Result<(), Error> {
///     let _seat = hub.topic("news").join(&ws, Overflow::DropOldest)?; // leaves the topic when it is dropped
///     ws.ignore_incoming().await.map(drop)
/// }
///
/// fn publish(hub: &Hub, headline: &str) -> Result<(), Error> {
///     hub.topic("news").publish(headline) // to all members
/// }
/// ```
#[doc(alias = "Room")]
#[doc(alias = "channel")]
#[derive(Clone)]
pub struct Topic(Arc<TopicInner>);

/// Membership.
impl Topic {
    /// Makes a connection a member: it gets what is published from now on. `overflow` says what happens while it is slow.
    ///
    /// # Errors
    ///
    /// If nothing more can be sent on the connection: the error that [`Manager::send`] returns then.
    #[doc(alias = "subscribe")]
    pub fn join(&self, ws: &Manager, overflow: Overflow) -> Result<Seat, Error> {
        self.0.join(ws, overflow, Replay::Nothing).map(|(seat, _)| seat)
    }

    /// As [`join`](Self::join), with a presence value, such as a name, which is in [`presence`](Self::presence) until the
    /// member leaves. After [`resume`](Self::resume), use [`Seat::set_presence`].
    ///
    /// # Errors
    ///
    /// As for [`join`](Self::join).
    pub fn join_as(&self, ws: &Manager, overflow: Overflow, value: impl Into<Message>) -> Result<Seat, Error> {
        let seat = self.join(ws, overflow)?;
        seat.set_presence(value);
        Ok(seat)
    }

    /// Makes a connection a member again: it gets what was published after this position, and then what is published from
    /// now on, in order, each publication once. It stays until its connection ends, or until [`leave`](Self::leave);
    /// [`resume`](Self::resume) returns a [`Seat`].
    ///
    /// The topic needs a [`history`](Self::history), and its clients must know positions: put them into the messages with
    /// [`encode`](Self::encode). With `None` the client gets everything that is kept.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_websocket::{Error, History, Hub, Manager, Overflow, Position, Recovered};
    ///
    /// async fn chat(ws: Manager, hub: Hub, position: Option<Position>) -> Result<(), Error> {
    ///     let chat = hub.topic("chat").history(History::last(50).within(Duration::from_secs(120)));
    ///     let chat = chat.tell_gap(|_| "some messages are lost".into());
    ///     match chat.join_after(&ws, position, Overflow::Close)? {
    ///         Recovered::All(missed) => println!("{missed} messages are sent again"),
    ///         _ => println!("if messages are lost, `tell_gap` reports it to the client"),
    ///     }
    ///     while let Some(message) = ws.recv().await? {
    ///         chat.publish(message)?;
    ///     }
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`join`](Self::join).
    pub fn join_after(
        &self,
        ws: &Manager,
        position: impl Into<Option<Position>>,
        overflow: Overflow,
    ) -> Result<Recovered, Error> {
        let (seat, recovered) = self.resume(ws, position, overflow)?;
        seat.stay();
        Ok(recovered)
    }

    /// As [`join_after`](Self::join_after), for a member that leaves when its seat is dropped.
    ///
    /// # Errors
    ///
    /// As for [`join`](Self::join).
    pub fn resume(
        &self,
        ws: &Manager,
        position: impl Into<Option<Position>>,
        overflow: Overflow,
    ) -> Result<(Seat, Recovered), Error> {
        self.0.join(ws, overflow, position.into().map_or(Replay::All, Replay::After))
    }

    /// Ends all memberships of this connection in this topic, also those with a [`Seat`].
    #[doc(alias = "unsubscribe")]
    pub fn leave(&self, ws: &Manager) {
        self.0.remove(ws.connection());
    }
}

/// Publishing.
impl Topic {
    /// Sends a message to all members. This never waits for a slow member.
    ///
    /// If several tasks publish at the same time, all members get the messages in the same order. Outside of a tokio
    /// runtime the message is delivered before this returns, otherwise by a task of this runtime.
    ///
    /// If the hub has a broker, the message is sent to the broker, and from there to the members.
    ///
    /// # Errors
    ///
    /// None without a broker. With a broker [`ErrorKind::BudgetExceeded`](crate::ErrorKind::BudgetExceeded), if more than
    /// 16 MiB of publications wait to be sent to it, or if the hub's [`Budget`](crate::Budget) is used up.
    #[doc(alias = "broadcast")]
    #[doc(alias = "emit")]
    #[doc(alias = "NewPreparedMessage")]
    #[doc(alias = "WritePreparedMessage")]
    #[doc(alias = "PreparedMessage")]
    pub fn publish(&self, message: impl Into<Message>) -> Result<(), Error> {
        self.send(Draft::new(message.into()))
    }

    /// Sends a message to all members but one connection: its [`Seat`], its [`Manager`] or its [`ConnectionId`].
    ///
    /// A client that reconnects has another connection, which is not excluded.
    ///
    /// # Errors
    ///
    /// As for [`publish`](Self::publish).
    pub fn publish_except(&self, except: impl Into<ConnectionId>, message: impl Into<Message>) -> Result<(), Error> {
        let except = Some(except.into().get());
        self.send(Draft { except, ..Draft::new(message.into()) })
    }

    /// Sends a message that replaces earlier ones with the same key: slow members with [`Overflow::KeepLatest`] get only
    /// the newest of each key. All publications without a key count as one key.
    ///
    /// ```
    /// # use tower_websocket::{Error, Hub};
    /// # fn example(hub: &Hub) -> Result<(), Error> {
    /// hub.topic("prices").publish_keyed("EUR/USD", "EUR/USD 1.0875")?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`publish`](Self::publish).
    pub fn publish_keyed(&self, key: impl AsRef<str>, message: impl Into<Message>) -> Result<(), Error> {
        let key = Some(key.as_ref().into());
        self.send(Draft { key, ..Draft::new(message.into()) })
    }

    /// Sends a value as JSON to all members.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::Encode`](crate::ErrorKind::Encode) when the value cannot be serialised. Nothing was sent.
    /// - As for [`publish`](Self::publish).
    #[cfg(feature = "json")]
    #[cfg_attr(docsrs, doc(cfg(feature = "json")))]
    pub fn publish_json<T: serde::Serialize + ?Sized>(&self, value: &T) -> Result<(), Error> {
        self.publish(Message::json(value)?)
    }
}

/// Settings. They apply to all handles of the topic, and last as long as the topic has a handle, a member or a publication
/// in its history.
impl Topic {
    /// Which publications are kept for members that reconnect. None by default. See [`join_after`](Self::join_after).
    #[must_use]
    pub fn history(self, history: History) -> Self {
        self.0.set_history(history);
        self
    }

    /// How many publications may wait for a member that is slow, beside its outgoing buffer. 256 by default. See
    /// [`Overflow`].
    ///
    /// It applies to members that join afterwards. The publications themselves are shared: slow members that wait for the
    /// same ones keep them once.
    ///
    /// # Panics
    ///
    /// If it is zero.
    #[must_use]
    #[track_caller]
    pub fn capacity(self, publications: usize) -> Self {
        assert!(publications > 0, "a queue of no publications could never take one");
        self.0.set_capacity(publications);
        self
    }

    /// What was set with [`history`](Self::history).
    #[must_use]
    pub fn get_history(&self) -> Option<History> {
        self.0.lock().log.history()
    }

    /// What was set with [`capacity`](Self::capacity), or the default.
    #[must_use]
    pub fn get_capacity(&self) -> usize {
        self.0.lock().capacity
    }

    /// Makes the message that members get from a publication and its position. By default that is the published message.
    ///
    /// It is called once for each publication, by the publisher, and must not use the topic itself. If it panics, so does the
    /// publisher, and nothing is published. With a broker, each server calls it for each publication; if it panics, that
    /// publication is lost for the members of this server: a gap.
    ///
    /// ```
    /// use tower_websocket::{Hub, Message};
    ///
    /// let chat = Hub::new().topic("chat").encode(|message, position| {
    ///     Message::text(format!("{position} {}", message.as_text().unwrap_or_default()))
    /// });
    /// ```
    #[must_use]
    pub fn encode(self, encode: impl Fn(Message, Position) -> Message + Send + Sync + 'static) -> Self {
        self.0.set_encode(Arc::new(encode));
        self
    }

    /// Makes a message for a member that was slow, from the number of publications that were dropped for it. It is sent
    /// right before the next publication. None by default. It applies to members that join afterwards.
    ///
    /// ```
    /// use tower_websocket::{Hub, Message};
    ///
    /// let ticker = Hub::new().topic("ticker").tell_dropped(|count| Message::text(format!("{count} are left out")));
    /// ```
    #[must_use]
    pub fn tell_dropped(self, notice: impl Fn(u64) -> Message + Send + Sync + 'static) -> Self {
        self.0.set_dropped_notice(Arc::new(notice));
        self
    }

    /// Makes a message for a member for which publications are lost. It is sent in their place, before all later
    /// publications. None by default. See [`Recovered::Gap`] and [`History`]; with a broker, it is also sent if the broker
    /// has lost publications.
    ///
    /// It must not use the topic itself. If it panics, no message is sent.
    ///
    /// ```
    /// use tower_websocket::{Hub, Message};
    ///
    /// let chat = Hub::new().topic("chat").tell_gap(|gap| Message::text(format!("lost: {} to {}", gap.after(), gap.up_to())));
    /// ```
    #[must_use]
    pub fn tell_gap(self, notice: impl Fn(Gap) -> Message + Send + Sync + 'static) -> Self {
        self.0.set_gap_notice(Arc::new(notice));
        self
    }

    /// Sets a function that is called when a member sets ([`join_as`](Self::join_as)) or changes its presence value, or
    /// leaves. The message that it returns, if any, is published to all members.
    ///
    /// That message is a publication like any other: a [`history`](Self::history) keeps it, and members that resume get it
    /// again. If the history is to contain other messages only, use a second topic for presence.
    ///
    /// It is called in the thread that makes the change. With a broker, it is called for members of this server, and its
    /// message reaches the members at all servers; if a server is killed, nothing is published of its members.
    ///
    /// ```
    /// use tower_websocket::{Error, Hub, Manager, Message, Overflow, PresenceChange};
    ///
    /// async fn room(ws: Manager, hub: Hub, name: String) -> Result<(), Error> {
    ///     let room = hub.topic("room").on_presence(|change| match change {
    ///         PresenceChange::Joined(who) => Some(Message::text(format!("{who} joins"))),
    ///         PresenceChange::Left(who) => Some(Message::text(format!("{who} leaves"))),
    ///         _ => None,
    ///     });
    ///     let _seat = room.join_as(&ws, Overflow::Close, name)?;
    ///     while let Some(message) = ws.recv().await? {
    ///         room.publish(message)?;
    ///     }
    ///     Ok(())
    /// }
    /// ```
    ///
    /// The guide [`rooms`](crate::guide::rooms#presence-who-is-here) shows how to send a list of the members first.
    #[must_use]
    pub fn on_presence(self, change: impl Fn(&PresenceChange) -> Option<Message> + Send + Sync + 'static) -> Self {
        self.0.set_on_presence(Arc::new(change));
        self
    }
}

/// About the topic.
impl Topic {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Waits until this server has loaded what the broker keeps of the topic. This takes a round trip to the broker, unless
    /// another call or a member that joined has done it already. Without a broker it returns at once.
    ///
    /// From then on [`join_after`](Self::join_after) returns [`Recovered::Pending`] only to a client that knows a later
    /// position than this server, and what other servers publish reaches the members at this one.
    ///
    /// There is no timeout: while the broker cannot be reached, this waits.
    ///
    /// # Cancel safety
    ///
    /// This is cancel safe. The request to the broker is made even if the future is dropped.
    pub async fn ready(&self) {
        self.0.wait_until_ready().await;
    }

    /// The position of the last publication that this server knows. With a broker it is `0-0` until [`ready`](Self::ready)
    /// has returned.
    #[must_use]
    pub fn position(&self) -> Position {
        self.0.lock().log.position()
    }

    /// The number of members. With a broker, only the members at this server count.
    #[must_use]
    pub fn members(&self) -> usize {
        self.0.lock().members.len()
    }

    /// The members that have a presence value, in the order in which they joined.
    ///
    /// With a broker, these are the members at this server only. The guide
    /// [`brokers`](crate::guide::brokers#who-is-here-at-all-servers) shows how to list those at all servers.
    #[must_use]
    pub fn presence(&self) -> Vec<Presence> {
        self.0.lock().present.list()
    }

    /// The number of publications that wait for the slowest member. The cost is proportional to the number of members.
    #[must_use]
    pub fn lag(&self) -> usize {
        let state = self.0.lock();
        let members = state.members.iter();
        let members: Vec<_> = members.map(|(feed, member)| (feed, member.connection.clone())).collect();
        drop(state);
        let statuses = members.iter().filter_map(|(feed, connection)| connection.feed_status(*feed));
        statuses.map(|status| status.waiting).max().unwrap_or(0)
    }

    /// Counters of the topic.
    #[must_use]
    pub fn stats(&self) -> TopicStats {
        self.0.counters.stats(self.members())
    }
}

impl Topic {
    pub(super) fn new(inner: Arc<TopicInner>) -> Self {
        Self(inner)
    }

    #[cfg(feature = "json")]
    pub(super) fn inner(&self) -> &Arc<TopicInner> {
        &self.0
    }

    fn send(&self, draft: Draft) -> Result<(), Error> {
        self.0.backplane.publish(&self.0, draft)
    }
}

impl fmt::Debug for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
