//! Two connections: one for commands, and one that listens.

use std::sync::Arc;
use std::time::Duration;

use ::redis::aio::{MultiplexedConnection, PubSubSink, PubSubStream};
use ::redis::{RedisError, Value, pipe};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::RESPONSE_TIMEOUT;
use super::scripts::{Scripts, parse_message, parse_read};
use crate::error::BoxError;
use crate::hub::backplane::remote::{Entry, Followers, Link, Session, next};
use crate::hub::position::Position;

/// Both, and the streams.
#[expect(missing_debug_implementations, reason = "the type is unreachable")]
pub struct RedisSession {
    commands: MultiplexedConnection,
    subscriptions: PubSubSink,
    messages: PubSubStream,
    log: Log,
}

/// The streams.
#[derive(Clone)]
struct Log {
    prefix: String,
    scripts: Scripts,
}

impl RedisSession {
    pub(super) fn new(
        commands: MultiplexedConnection,
        subscriptions: PubSubSink,
        messages: PubSubStream,
        prefix: String,
        scripts: Scripts,
    ) -> Self {
        Self { commands, subscriptions, messages, log: Log { prefix, scripts } }
    }
}

impl Session for RedisSession {
    #[expect(private_interfaces, reason = "the trait is sealed by being unreachable")]
    async fn serve(self, link: &Link, followers: &mut Followers) -> Result<(), BoxError> {
        let Self { commands, subscriptions, messages, log } = self;
        let following = Following { commands: commands.clone(), subscriptions, log: log.clone(), link, followers };
        tokio::select! {
            end = log.publish(commands, link) => end,
            end = following.run(messages) => end,
        }
    }
}

impl Log {
    fn key(&self, topic: &str) -> String {
        format!("{}{topic}", self.prefix)
    }

    /// Publishes what waits.
    async fn publish(&self, mut commands: MultiplexedConnection, link: &Link) -> Result<(), BoxError> {
        loop {
            let batch = link.batch().await;
            let mut pipe = pipe();
            pipe.ignore_errors();
            for outgoing in &batch {
                pipe.add_command(self.scripts.publish(&self.key(&outgoing.topic), outgoing, outgoing.known_position()));
            }
            let answers: Vec<Value> = pipe.query_async(&mut commands).await?;
            for (outgoing, answer) in batch.iter().zip(answers) {
                if let Err(error) = answer.extract_error() {
                    if is_temporary(&error) {
                        return Err(error.into());
                    }
                    tracing::error!(topic = &*outgoing.topic, %error, "a publication is refused");
                }
                link.done();
            }
        }
    }
}

/// What the server will do later. All else it will never do.
fn is_temporary(error: &RedisError) -> bool {
    const CODES: [&str; 11] = [
        "BUSY",
        "CLUSTERDOWN",
        "LOADING",
        "MASTERDOWN",
        "MISCONF",
        "NOAUTH",
        "NOREPLICAS",
        "NOSCRIPT",
        "OOM",
        "READONLY",
        "TRYAGAIN",
    ];
    error.is_io_error() || error.code().is_none_or(|code| CODES.contains(&code))
}

/// The topics that are followed, and how they hear of what is published.
struct Following<'a> {
    commands: MultiplexedConnection,
    subscriptions: PubSubSink,
    log: Log,
    link: &'a Link,
    followers: &'a mut Followers,
}

impl Following<'_> {
    async fn run(mut self, mut messages: PubSubStream) -> Result<(), BoxError> {
        let known = self.followers.names();
        self.follow(&known).await?;
        let [mut beats, mut renewals] = [BEAT, RENEWAL].map(interval);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        renewals.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                requests = self.link.requests() => {
                    let changes: Vec<_> = requests.into_iter().filter_map(|request| self.followers.change(request)).collect();
                    let followed: Vec<_> = changes.iter().flatten().cloned().collect();
                    self.follow(&followed).await?;
                    for name in changes.into_iter().filter_map(Result::err) {
                        if self.followers.get_mut(&name).is_none() {
                            self.subscriptions.unsubscribe(self.log.key(&name)).await?;
                        }
                    }
                }
                message = next(Pin::new(&mut messages)) => {
                    let message = message.ok_or("the server has closed the connection")?;
                    let channel = message.get_channel_name().to_owned();
                    if let Some(name) = channel.strip_prefix(&self.log.prefix)
                        && let Some(follower) = self.followers.get_mut(name)
                    {
                        let entry = parse_message(message.get_payload()?)?;
                        if !follower.receive(self.link, entry) {
                            self.read(&[name.into()]).await?;
                        }
                    }
                }
                // Whether the server is there.
                _ = beats.tick() => drop(timeout(RESPONSE_TIMEOUT, self.subscriptions.ping::<Value>()).await??),
                _ = renewals.tick() => self.renew().await?,
            }
        }
    }

    /// Listens to these topics, and then reads what was published until then.
    async fn follow(&mut self, names: &[Arc<str>]) -> Result<(), BoxError> {
        for names in names.chunks(CHUNK) {
            let channels: Vec<_> = names.iter().map(|name| self.log.key(name)).collect();
            self.subscriptions.subscribe(channels).await?;
            self.read(names).await?;
        }
        Ok(())
    }

    /// Reads what these topics have missed.
    async fn read(&mut self, names: &[Arc<str>]) -> Result<(), BoxError> {
        let mut behind = names.to_vec();
        while !behind.is_empty() {
            let mut pipe = pipe();
            let mut asked = Vec::new();
            for name in behind.drain(..) {
                if let Some(follower) = self.followers.get_mut(&name)
                    && let Some(topic) = follower.topic()
                {
                    let count = topic.replayable();
                    pipe.add_command(self.log.scripts.read(
                        &self.log.key(&name),
                        follower.last(),
                        count,
                        topic.retention(),
                    ));
                    asked.push(name);
                }
            }
            if asked.is_empty() {
                return Ok(());
            }
            let answers: Vec<Value> = pipe.query_async(&mut self.commands).await?;
            for (name, answer) in asked.into_iter().zip(answers) {
                let mut read = parse_read(answer)?;
                let Some(follower) = self.followers.get_mut(&name) else { continue };
                if follower.last().is_none() {
                    read.entries.reverse();
                    let epoch = read.position.epoch();
                    read.entries.retain(|entry| entry.position.epoch() == epoch && !entry.envelope.is_empty());
                    let start = read.entries.first().map_or(read.position, Entry::before);
                    follower.load(self.link, start, read.entries, read.position);
                } else if follower.catch_up(self.link, read.entries).is_err() {
                    self.begin_epoch(&name).await?;
                } else if read.is_full {
                    behind.push(name);
                }
            }
        }
        Ok(())
    }

    /// The log has diverged from what this topic knows.
    async fn begin_epoch(&mut self, name: &Arc<str>) -> Result<(), BoxError> {
        let Some(follower) = self.followers.get_mut(name) else { return Ok(()) };
        let (Some(last), Some(topic)) = (follower.last(), follower.topic()) else { return Ok(()) };
        let key = self.log.key(name);
        let command = self.log.scripts.begin_epoch(&key, last.position.epoch(), topic.retention());
        let read = parse_read(command.query_async(&mut self.commands).await?)?;
        follower.skip_to(Position::new(read.position.epoch(), 0));
        // What others have published since.
        Box::pin(self.read(std::slice::from_ref(name))).await
    }

    /// Keeps the streams of quiet topics: reading does.
    async fn renew(&mut self) -> Result<(), BoxError> {
        for names in self.followers.names().chunks(CHUNK) {
            self.read(names).await?;
        }
        Ok(())
    }
}

/// How often the server is asked whether it is there.
const BEAT: Duration = Duration::from_secs(5);
/// A third of the shortest time for which it keeps a topic.
const RENEWAL: Duration = Duration::from_secs(40);
/// How many topics are asked for at once.
const CHUNK: usize = 128;
