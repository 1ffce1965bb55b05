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
#[derive(Clone)]
pub struct Topic(Arc<TopicInner>);

/// Settings. They hold for all handles of the topic, for as long as there is one, or a member, or something in its history.
impl Topic {
    /// What is kept for members that come back. Nothing by default. See [`join_after`](Self::join_after).
    #[must_use]
    pub fn history(self, history: History) -> Self {
        self.0.set_history(history);
        self
    }

    /// How many publications may wait for a member that is slow, beside its outgoing buffer. 256 by default. See
    /// [`Overflow`].
    ///
    /// It holds for members that join afterwards. The publications themselves are shared: members that are slow together keep
    /// them once.
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

    /// How a publication and its position become the message that members get. By default it is the message that was
    /// published.
    ///
    /// It is called once for each publication, by the publisher, and must not use the topic itself. With a broker each server calls
    /// it for each publication; where it panics, that one is lost for this server's members: a gap.
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

    /// What a member is told when publications were dropped because it was slow: so many, right before the next one that it
    /// gets. By default nothing. It holds for members that join afterwards.
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

    /// What a member is told when publications are lost for it: in their place, before everything that comes behind them. By
    /// default nothing. See [`Recovered::Gap`] and [`History`]; with a broker also where that has lost something.
    ///
    /// It must not use the topic itself. Where it panics, nothing is told.
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

    /// Called whenever a member says who it is ([`join_as`](Self::join_as)), says something else, or leaves. The message that
    /// is returned, if any, is published to all members.
    ///
    /// It is called by whatever thread makes the change.
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
    ///     for who in room.presence() {
    ///         ws.send(format!("{who} is here")).await?;
    ///     }
    ///     let _seat = room.join_as(&ws, Overflow::Close, name)?;
    ///     while let Some(message) = ws.recv().await? {
    ///         room.publish(message)?;
    ///     }
    ///     Ok(())
    /// }
    /// ```
    #[must_use]
    pub fn on_presence(self, change: impl Fn(&PresenceChange) -> Option<Message> + Send + Sync + 'static) -> Self {
        self.0.set_on_presence(Arc::new(change));
        self
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

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Waits until the broker, if the hub has one, has said what it keeps of the topic. Where a member has joined that is so
    /// after a round trip to the broker; before that, this has it asked.
    ///
    /// From then on, members that come back are told at once what could be [`Recovered`], and what other servers publish
    /// reaches the members of this one. Without a broker it does not wait. It waits for as long as the broker is away.
    ///
    /// # Cancel safety
    ///
    /// A future that is dropped leaves nothing behind; the broker is asked all the same.
    pub async fn ready(&self) {
        self.0.wait_until_ready().await;
    }

    /// Makes a connection a member: it gets what is published from now on. What becomes of it while it is slow says
    /// `overflow`.
    ///
    /// # Errors
    ///
    /// The reason why the connection can send no more.
    pub fn join(&self, ws: &Manager, overflow: Overflow) -> Result<Seat, Error> {
        self.0.join(ws, overflow, Replay::Nothing).map(|(seat, _)| seat)
    }

    /// As [`join`](Self::join), for a member that says who it is: the value is in [`presence`](Self::presence) until it leaves.
    /// After [`resume`](Self::resume), [`Seat::set_presence`] does the same.
    ///
    /// # Errors
    ///
    /// As for [`join`](Self::join).
    pub fn join_as(&self, ws: &Manager, overflow: Overflow, value: impl Into<Message>) -> Result<Seat, Error> {
        let seat = self.join(ws, overflow)?;
        seat.set_presence(value);
        Ok(seat)
    }

    /// Makes a connection a member that comes back: it gets what was published after this position, and then what is
    /// published from now on, in order, each publication once. It stays until its connection ends, or until
    /// [`leave`](Self::leave); [`resume`](Self::resume) gives its [`Seat`].
    ///
    /// The topic needs a [`history`](Self::history), and its clients need to know positions: [`encode`](Self::encode) tells them.
    /// A client without a position, `None`, gets everything that is kept.
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
    ///         _ => println!("the client is told by `tell_gap`"),
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

    /// Ends all memberships of this connection in this topic, whether there are seats or not.
    pub fn leave(&self, ws: &Manager) {
        self.0.remove(ws.connection());
    }

    /// Sends a message to all members. It never waits for one.
    ///
    /// Of publishers that publish at the same time, one is first for all members. Outside of a tokio runtime the message is
    /// delivered before this returns, and else by a task.
    ///
    /// Where the hub has a broker, the message is handed to that, and reaches the members from there.
    ///
    /// # Errors
    ///
    /// None where the hub has no broker. With one [`ErrorKind::BudgetExceeded`](crate::ErrorKind::BudgetExceeded), when too
    /// much waits for it.
    #[doc(alias = "NewPreparedMessage")]
    #[doc(alias = "WritePreparedMessage")]
    #[doc(alias = "PreparedMessage")]
    pub fn publish(&self, message: impl Into<Message>) -> Result<(), Error> {
        self.send(Draft { message: message.into(), key: None, except: None, latest: false })
    }

    /// Sends a message to all members but one connection: its [`Seat`], its [`Manager`] or its [`ConnectionId`].
    ///
    /// Who comes back with another connection and [`join_after`](Self::join_after) is another.
    ///
    /// # Errors
    ///
    /// As for [`publish`](Self::publish).
    pub fn publish_except(&self, except: impl Into<ConnectionId>, message: impl Into<Message>) -> Result<(), Error> {
        let except = Some(except.into().get());
        self.send(Draft { message: message.into(), key: None, except, latest: false })
    }

    /// Sends a message that is a newer value of what this key stands for: members with [`Overflow::KeepLatest`] that are slow
    /// get the newest of each key. Publications without a key are one key of their own.
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
        self.send(Draft { message: message.into(), key: Some(key.as_ref().into()), except: None, latest: false })
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

    fn send(&self, draft: Draft) -> Result<(), Error> {
        self.0.backplane.publish(&self.0, draft)
    }

    /// The position of the last publication that this server knows of. With a broker it is `0-0` before
    /// [`ready`](Self::ready).
    #[must_use]
    pub fn position(&self) -> Position {
        self.0.lock().log.position()
    }

    /// How many members there are.
    #[must_use]
    pub fn members(&self) -> usize {
        self.0.lock().members.len()
    }

    /// Those members that say who they are, in the order in which they joined.
    #[must_use]
    pub fn presence(&self) -> Vec<Presence> {
        self.0.lock().present.list()
    }

    /// How many publications wait for the slowest member. Each member is visited.
    #[must_use]
    pub fn lag(&self) -> usize {
        let state = self.0.lock();
        let members = state.members.iter();
        let members: Vec<_> = members.map(|(feed, member)| (feed, member.connection.clone())).collect();
        drop(state);
        let statuses = members.iter().filter_map(|(feed, connection)| connection.feed_status(*feed));
        statuses.map(|status| status.waiting).max().unwrap_or(0)
    }

    /// What the topic has done so far.
    #[must_use]
    pub fn stats(&self) -> TopicStats {
        self.0.counters.stats(self.members())
    }
}

impl fmt::Debug for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
