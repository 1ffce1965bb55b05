//! A session with a NATS server: what it publishes, and what it receives.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::publish::PublishAck;
use async_nats::jetstream::{self, ErrorCode};
use async_nats::{Client, Event, Message, Subscriber};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout_at};
use tokio_util::task::AbortOnDropHandle;

use super::RESPONSE_TIMEOUT;
use super::stream::{Stream, parse_message};
use crate::error::BoxError;
use crate::hub::backplane::remote::{Change, Followers, Link, Session, next};
use crate::hub::position::Position;
use crate::spare::shrink;

/// A connection, and the stream.
#[expect(missing_debug_implementations, reason = "the type is unreachable")]
pub struct NatsSession {
    client: Client,
    stream: Stream,
    ends: mpsc::UnboundedReceiver<Event>,
}

impl NatsSession {
    pub(super) fn new(client: Client, stream: Stream, ends: mpsc::UnboundedReceiver<Event>) -> Self {
        Self { client, stream, ends }
    }
}

impl Session for NatsSession {
    #[expect(private_interfaces, reason = "the trait is sealed by being unreachable")]
    async fn serve(mut self, link: &Link, followers: &mut Followers) -> Result<(), BoxError> {
        let mut epochs = self.client.subscribe(self.stream.subjects.epoch()).await?;
        let mut following =
            Following { client: &self.client, stream: &self.stream, link, followers, live: Live::new() };
        let stream = &self.stream;
        let served = async {
            // The log is read before anything is published: what the outbox has could displace unread publications from it.
            following.start().await?;
            tokio::select! {
                end = publish(stream, link) => end,
                end = following.run() => end,
            }
        };
        tokio::select! {
            biased;
            event = self.ends.recv() => Err(event.map_or("closed".to_owned(), |event| event.to_string()).into()),
            // First, so that no publication of the new epoch is read as one of the old epoch.
            () = another_epoch(&mut epochs, &self.stream) => Err("the stream has a new epoch".into()),
            end = served => end,
        }
    }
}

/// Waits until a server announces another epoch of the stream than the one that this session knows.
async fn another_epoch(epochs: &mut Subscriber, stream: &Stream) {
    let known = stream.epoch.description();
    while next(Pin::new(&mut *epochs)).await.is_some_and(|message| *message.payload == *known.as_bytes()) {}
}

/// Publishes what is in the outbox.
///
/// The server can refuse a publication for a while and accept a later one, for instance a smaller one. So that a topic keeps its
/// order, all answers of a batch are evaluated, also those that follow a failure.
async fn publish(stream: &Stream, link: &Link) -> Result<(), BoxError> {
    loop {
        let batch = link.batch().await;
        let mut answers = Vec::with_capacity(batch.len());
        for outgoing in &batch {
            answers.push(stream.publish(outgoing).await);
        }
        let deadline = Instant::now() + RESPONSE_TIMEOUT;
        let mut failure = None;
        let mut stored: Vec<(&str, u64)> = Vec::with_capacity(batch.len());
        for (outgoing, answer) in batch.iter().zip(answers) {
            let answer = match answer {
                Ok(answer) => match timeout_at(deadline, answer.into_future()).await {
                    Ok(answer) => answer,
                    Err(elapsed) => {
                        failure = Some(elapsed.into());
                        continue;
                    }
                },
                Err(error) => Err(error),
            };
            match answer {
                Ok(PublishAck { sequence, duplicate, .. }) => {
                    let topic = &*outgoing.topic;
                    // It was stored by an earlier session, after which this session has stored publications that precede it.
                    let overtook = duplicate && stored.iter().any(|earlier| earlier.0 == topic && earlier.1 > sequence);
                    if overtook {
                        stored.retain(|earlier| earlier.0 != topic);
                        link.overtook(outgoing.id);
                    } else {
                        stored.push((topic, sequence));
                        link.published(outgoing.id);
                    }
                }
                Err(error) if is_too_large(&error) => {
                    tracing::error!(topic = &*outgoing.topic, %error, "a publication is refused");
                    link.refused(outgoing.id);
                }
                Err(error) => failure = Some(error.into()),
            }
        }
        if let Some(error) = failure {
            return Err(error);
        }
    }
}

/// Whether the server or the stream refuses the publication because of its size, which is permanent.
fn is_too_large(error: &PublishError) -> bool {
    let source = std::error::Error::source(error).and_then(|source| source.downcast_ref::<jetstream::Error>());
    matches!(error.kind(), PublishErrorKind::MaxPayloadExceeded)
        || source.is_some_and(|error| error.error_code() == ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM)
}

/// Receives what is published to the followed topics.
struct Following<'a> {
    client: &'a Client,
    stream: &'a Stream,
    link: &'a Link,
    followers: &'a mut Followers,
    live: Live,
}

impl Following<'_> {
    /// Follows the topics of the session before.
    async fn start(&mut self) -> Result<(), BoxError> {
        self.check().await?;
        for name in self.followers.names() {
            self.follow(&name).await?;
        }
        Ok(())
    }

    async fn run(mut self) -> Result<(), BoxError> {
        let mut beats = interval(BEAT);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                requests = self.link.requests() => {
                    // All requests are applied to `followers` before anything can fail: the next session follows the rest.
                    let changes: Vec<_> = requests.into_iter().filter_map(|request| self.followers.change(request)).collect();
                    for change in changes {
                        match change {
                            Change::Follow(name) => self.follow(&name).await?,
                            Change::Read(name) => self.read(&name).await?,
                            Change::Unfollow(name) if self.followers.get_mut(&name).is_none() => self.live.remove(&name),
                            Change::Unfollow(_) => {}
                        }
                    }
                }
                message = self.live.next() => {
                    let (name, message) = message;
                    if let Some(follower) = self.followers.get_mut(&name) {
                        let entry = parse_message(self.stream.epoch, message.headers.as_ref(), message.payload)?;
                        if !follower.receive(self.link, entry) {
                            self.read(&name).await?;
                        }
                    }
                }
                // Fails if the stream was deleted, even if another server has created it again.
                _ = beats.tick() => drop(self.stream.info().await?),
            }
        }
    }

    /// Begins a new epoch, and fails, if the stream no longer has the last publication that this server has received. Otherwise a
    /// position would identify two publications.
    async fn check(&mut self) -> Result<(), BoxError> {
        let Some(newest) = self.followers.newest(self.stream.epoch.number) else { return Ok(()) };
        let sequence = newest.position.offset();
        let is_lost = self.stream.last_sequence < sequence
            || self.stream.get(sequence).await?.is_some_and(|envelope| !newest.is(&envelope));
        if is_lost {
            // The next session starts in the new epoch.
            self.stream.begin_epoch().await?;
            return Err("the stream has lost its end".into());
        }
        Ok(())
    }

    /// Subscribes to a topic, and then reads what was published before.
    async fn follow(&mut self, name: &Arc<str>) -> Result<(), BoxError> {
        let subscriber = self.client.subscribe(self.stream.subjects.live(name)).await?;
        // The server must have the subscription before the stream is read, or a publication in between would be missed.
        self.client.flush().await?;
        self.live.insert(name.clone(), subscriber);
        self.read(name).await
    }

    /// Reads what a topic has missed.
    async fn read(&mut self, name: &Arc<str>) -> Result<(), BoxError> {
        let epoch = self.stream.epoch;
        let Some(follower) = self.followers.get_mut(name) else { return Ok(()) };
        if follower.last().is_some_and(|last| last.position.epoch() != epoch.number) {
            follower.skip_to(Position::new(epoch.number, epoch.after));
        }
        match follower.last() {
            None => {
                let keeps = follower.topic().map_or(0, |topic| topic.replayable());
                let mut read = if keeps == 0 { self.stream.end().await? } else { self.stream.read(name, 0).await? };
                let excess = read.entries.len().saturating_sub(keeps);
                if let Some(last) = read.entries.drain(..excess).next_back() {
                    read.start = last.position;
                }
                follower.load(self.link, read.start, read.entries, read.position);
            }
            Some(last) => {
                // The end is read first: whatever the topic has up to there is then in what is read next.
                let end = if follower.is_awaited() { self.stream.end().await?.position } else { last.position };
                let newest = self.stream.last(name).await?.max(epoch.after);
                // A cheap check, which skips most topics after a reconnection.
                if newest > last.position.offset() {
                    let read = self.stream.read(name, last.position.offset()).await?;
                    let is_empty = read.entries.is_empty();
                    // `check` has compared the stream at the start of the session, so it has lost its end since. The next session
                    // checks again.
                    follower.catch_up(self.link, read.entries).map_err(|_| "the stream has diverged")?;
                    if is_empty && follower.is_awaited() && self.stream.last(name).await? == 0 {
                        // The topic was purged: nothing that is received will show that publications are lost.
                        follower.skip_to(Position::new(epoch.number, newest));
                    }
                }
                follower.caught_up_to(Position::new(epoch.number, newest), end);
            }
        }
        Ok(())
    }
}

/// The subscriptions, each to one topic, merged into one channel.
struct Live {
    topics: HashMap<Arc<str>, AbortOnDropHandle<()>>,
    sender: mpsc::Sender<(Arc<str>, Message)>,
    receiver: mpsc::Receiver<(Arc<str>, Message)>,
}

impl Live {
    fn new() -> Self {
        let (sender, receiver) = mpsc::channel(CAPACITY);
        Self { topics: HashMap::new(), sender, receiver }
    }

    fn insert(&mut self, name: Arc<str>, mut subscriber: Subscriber) {
        let sender = self.sender.clone();
        let topic = name.clone();
        let forwarding = tokio::spawn(async move {
            while let Some(message) = next(Pin::new(&mut subscriber)).await {
                if sender.send((topic.clone(), message)).await.is_err() {
                    return;
                }
            }
        });
        self.topics.insert(name, AbortOnDropHandle::new(forwarding));
    }

    fn remove(&mut self, name: &str) {
        self.topics.remove(name);
        shrink(&mut self.topics);
    }

    async fn next(&mut self) -> (Arc<str>, Message) {
        match self.receiver.recv().await {
            Some(message) => message,
            // Not reachable: `self.sender` keeps the channel open.
            None => std::future::pending().await,
        }
    }
}

/// How often the stream is checked.
const BEAT: Duration = Duration::from_secs(5);
/// How many messages the channel stores. More wait in the subscriptions.
const CAPACITY: usize = 256;
