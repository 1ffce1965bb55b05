//! A session with a Redis server: one connection for commands, and one for subscriptions.

use std::sync::Arc;
use std::time::Duration;

use ::redis::aio::{MultiplexedConnection, PubSubSink, PubSubStream};
use ::redis::{RedisError, Value, pipe};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::RESPONSE_TIMEOUT;
use super::scripts::{Scripts, parse_message, parse_read};
use crate::error::BoxError;
use crate::hub::backplane::remote::{Change, Entry, Followers, Link, Session, next};
use crate::hub::position::Position;

/// Both connections, and the streams.
#[expect(missing_debug_implementations, reason = "the type is unreachable")]
pub struct RedisSession {
    commands: MultiplexedConnection,
    subscriptions: PubSubSink,
    messages: PubSubStream,
    log: Log,
}

/// The streams of the topics.
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
        let mut following = Following { commands: commands.clone(), subscriptions, log: log.clone(), link, followers };
        // The logs are read before anything is published: what the outbox has could displace unread publications from them.
        following.start().await?;
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

    /// Publishes what is in the outbox.
    async fn publish(&self, mut commands: MultiplexedConnection, link: &Link) -> Result<(), BoxError> {
        loop {
            let batch = link.batch().await;
            // In one transaction: a temporary error then concerns all of them, so that none is stored before an earlier one.
            let mut pipe = pipe();
            pipe.atomic().ignore_errors();
            for outgoing in &batch {
                pipe.add_command(self.scripts.publish(&self.key(&outgoing.topic), outgoing, outgoing.known_position()));
            }
            let answers: Vec<Value> = pipe.query_async(&mut commands).await?;
            for (outgoing, answer) in batch.iter().zip(answers) {
                match answer.extract_error() {
                    Ok(_) => link.published(outgoing.id),
                    Err(error) if is_temporary(&error) => return Err(error.into()),
                    Err(error) => {
                        tracing::error!(topic = &*outgoing.topic, %error, "a publication is refused");
                        link.refused(outgoing.id);
                    }
                }
            }
        }
    }
}

/// Whether the same command can succeed later.
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
    let is_temporary = |code| match code {
        // Before version 7, the code of a command's error in a script is within the text of the script's error.
        "ERR" => CODES.iter().any(|code| error.to_string().contains(&format!("-{code} "))),
        code => CODES.contains(&code),
    };
    error.is_io_error() || error.code().is_none_or(is_temporary)
}

/// Receives what is published to the followed topics.
struct Following<'a> {
    commands: MultiplexedConnection,
    subscriptions: PubSubSink,
    log: Log,
    link: &'a Link,
    followers: &'a mut Followers,
}

impl Following<'_> {
    /// Follows the topics of the session before.
    async fn start(&mut self) -> Result<(), BoxError> {
        let known = self.followers.names();
        self.follow(&known).await
    }

    async fn run(mut self, mut messages: PubSubStream) -> Result<(), BoxError> {
        let [mut beats, mut renewals] = [BEAT, RENEWAL].map(interval);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        renewals.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                requests = self.link.requests() => {
                    let changes: Vec<_> = requests.into_iter().filter_map(|request| self.followers.change(request)).collect();
                    self.change(changes).await?;
                }
                message = next(std::pin::Pin::new(&mut messages)) => {
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
                // Fails if the server does not answer any more.
                _ = beats.tick() => drop(timeout(RESPONSE_TIMEOUT, self.subscriptions.ping::<Value>()).await??),
                _ = renewals.tick() => self.renew().await?,
            }
        }
    }

    async fn change(&mut self, changes: Vec<Change>) -> Result<(), BoxError> {
        let (mut followed, mut read, mut unfollowed) = (Vec::new(), Vec::new(), Vec::new());
        for change in changes {
            match change {
                Change::Follow(name) => followed.push(name),
                Change::Read(name) => read.push(name),
                Change::Unfollow(name) => unfollowed.push(name),
            }
        }
        self.follow(&followed).await?;
        for names in read.chunks(CHUNK) {
            self.read(names).await?;
        }
        for name in unfollowed {
            if self.followers.get_mut(&name).is_none() {
                timeout(RESPONSE_TIMEOUT, self.subscriptions.unsubscribe(self.log.key(&name))).await??;
            }
        }
        Ok(())
    }

    /// Subscribes to these topics, and then reads what was published before.
    async fn follow(&mut self, names: &[Arc<str>]) -> Result<(), BoxError> {
        for names in names.chunks(CHUNK) {
            let channels: Vec<_> = names.iter().map(|name| self.log.key(name)).collect();
            timeout(RESPONSE_TIMEOUT, self.subscriptions.subscribe(channels)).await??;
            self.read(names).await?;
        }
        Ok(())
    }

    /// Reads what these topics have missed.
    async fn read(&mut self, names: &[Arc<str>]) -> Result<(), BoxError> {
        let mut unfinished = names.to_vec();
        while !unfinished.is_empty() {
            unfinished = self.read_page(unfinished).await?;
        }
        Ok(())
    }

    /// Reads the next page of what each of these topics has missed, and returns the topics that may have missed more.
    async fn read_page(&mut self, names: Vec<Arc<str>>) -> Result<Vec<Arc<str>>, BoxError> {
        let mut unfinished = Vec::new();
        let mut pipe = pipe();
        pipe.ignore_errors();
        let mut asked = Vec::new();
        for name in names {
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
            return Ok(unfinished);
        }
        let answers: Vec<Value> = pipe.query_async(&mut self.commands).await?;
        for (name, answer) in asked.into_iter().zip(answers) {
            let read = answer.extract_error().map_err(BoxError::from).and_then(parse_read);
            let mut read = match read {
                Ok(read) => read,
                Err(error) if error.downcast_ref().is_some_and(is_temporary) => return Err(error),
                Err(error) => {
                    tracing::error!(topic = &*name, %error, "the log of a topic cannot be read");
                    continue;
                }
            };
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
                unfinished.push(name);
            } else {
                follower.caught_up(read.position);
            }
        }
        Ok(unfinished)
    }

    /// Begins a new epoch of a topic, whose log has diverged from what was received.
    async fn begin_epoch(&mut self, name: &Arc<str>) -> Result<(), BoxError> {
        let Some(follower) = self.followers.get_mut(name) else { return Ok(()) };
        let (Some(last), Some(topic)) = (follower.last(), follower.topic()) else { return Ok(()) };
        let key = self.log.key(name);
        let command = self.log.scripts.begin_epoch(&key, last.position.epoch(), topic.retention());
        let read = parse_read(command.query_async(&mut self.commands).await?)?;
        follower.skip_to(Position::new(read.position.epoch(), 0));
        // Others may have published since. Boxed, because reading can begin an epoch: the two functions call each other.
        Box::pin(self.read(std::slice::from_ref(name))).await
    }

    /// Keeps the streams of topics without publications from expiring: reading them does.
    async fn renew(&mut self) -> Result<(), BoxError> {
        for names in self.followers.names().chunks(CHUNK) {
            // One page is enough: the channel announces what is published.
            self.read_page(names.to_vec()).await?;
        }
        Ok(())
    }
}

/// How often a ping is sent to the server.
const BEAT: Duration = Duration::from_secs(5);
/// A third of the shortest time for which it keeps a topic.
const RENEWAL: Duration = Duration::from_secs(40);
/// How many topics are read with one pipeline.
const CHUNK: usize = 128;

#[cfg(test)]
mod tests {
    use ::redis::parse_redis_value;

    use super::*;

    #[test]
    fn temporary_errors_are_distinguished_from_permanent_ones() {
        for (answer, expected) in [
            ("-OOM command not allowed when used memory > 'maxmemory'.", true),
            ("-NOSCRIPT No matching script. Please use EVAL.", true),
            ("-ERR Error running script (call to f_0a): @user_script:7: -OOM command not allowed when", true),
            ("-ERR Error running script (call to f_0a): @user_script:7: -READONLY You can't write", true),
            ("-ERR Error running script (call to f_0a): @user_script:7: WRONGTYPE Operation against a key", false),
            ("-WRONGTYPE Operation against a key holding the wrong kind of value", false),
            ("-ERR value is out of range", false),
        ] {
            let error = parse_redis_value(format!("{answer}\r\n").as_bytes()).unwrap().extract_error().unwrap_err();
            assert_eq!(is_temporary(&error), expected, "{answer}");
        }
    }
}
