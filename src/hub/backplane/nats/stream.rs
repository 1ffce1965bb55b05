//! The stream that stores publications.

use std::time::{Duration, SystemTime};

use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::context::{Context, PublishAckFuture};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::{
    Config, Info, LastRawMessageErrorKind, RawMessageErrorKind, Republish, Stream as Handle,
};
use async_nats::jetstream::{self};
use async_nats::{Client, HeaderMap, header};
use bytes::Bytes;

use super::RESPONSE_TIMEOUT;
use super::epoch::Epoch;
use super::subjects::Subjects;
use crate::error::BoxError;
use crate::hub::backplane::remote::{Entry, Envelope, Outgoing, next};
use crate::hub::position::Position;

pub(super) struct Stream {
    client: Client,
    context: Context,
    handle: Handle,
    pub(super) subjects: Subjects,
    pub(super) epoch: Epoch,
    /// The last sequence number when the stream was opened.
    pub(super) last_sequence: u64,
}

/// The publications of a topic that the stream has.
#[derive(Debug)]
pub(super) struct Read {
    /// Publications up to this position may be missing.
    pub(super) start: Position,
    pub(super) entries: Vec<Entry>,
    /// Later publications come after this position.
    pub(super) position: Position,
}

impl Stream {
    /// Opens the stream, and creates it if it does not exist.
    pub(super) async fn open(client: &Client, subjects: Subjects) -> Result<Self, BoxError> {
        let mut context = jetstream::new(client.clone());
        context.set_timeout(RESPONSE_TIMEOUT);
        let existing = context.get_stream(&subjects.prefix).await;
        let is_new = existing.is_err();
        let handle = match existing {
            Ok(handle) => handle,
            Err(_) => context.get_or_create_stream(config(&subjects)).await?,
        };
        let info = handle.get_info().await?;
        let (epoch, last_sequence) = (epoch(&info), info.state.last_sequence);
        let stream = Self { client: client.clone(), context, handle, subjects, epoch, last_sequence };
        if is_new {
            // Other servers may still use a stream that was deleted.
            stream.announce_epoch(epoch).await?;
        }
        Ok(stream)
    }

    /// Publishes, unless it was published already.
    pub(super) async fn publish(
        &self,
        outgoing: &Outgoing,
    ) -> Result<PublishAckFuture, jetstream::context::PublishError> {
        let envelope = outgoing.envelope.clone();
        let id: String = envelope[Envelope::ID].iter().map(|byte| format!("{byte:02x}")).collect();
        let message = PublishMessage::build().payload(envelope).message_id(id);
        self.context.send_publish(self.subjects.log(&outgoing.topic), message).await
    }

    /// The envelope with this sequence number, if the stream still has it.
    pub(super) async fn get(&self, sequence: u64) -> Result<Option<Bytes>, BoxError> {
        match self.handle.get_raw_message(sequence).await {
            Ok(message) => Ok(Some(message.payload)),
            Err(error) if matches!(error.kind(), RawMessageErrorKind::NoMessageFound) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The sequence number of the last publication of a topic, or zero if there is none.
    pub(super) async fn last(&self, topic: &str) -> Result<u64, BoxError> {
        match self.handle.get_last_raw_message_by_subject(&self.subjects.log(topic)).await {
            Ok(message) => Ok(message.sequence),
            Err(error) if matches!(error.kind(), LastRawMessageErrorKind::NoMessageFound) => Ok(0),
            Err(error) => Err(error.into()),
        }
    }

    /// The sequence number of the first publication of a topic in this epoch that the stream still has.
    async fn oldest(&self, topic: &str) -> Result<Option<u64>, BoxError> {
        match self.handle.get_first_raw_message_by_subject(self.subjects.log(topic), self.epoch.after + 1).await {
            Ok(message) => Ok(Some(message.sequence)),
            Err(error) if matches!(error.kind(), RawMessageErrorKind::NoMessageFound) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Begins a new epoch, and announces it to all servers.
    pub(super) async fn begin_epoch(&self) -> Result<(), BoxError> {
        let info = self.handle.get_info().await?;
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_nanos();
        let number = u64::try_from(now)?.max(epoch(&info).number + 1);
        let next = Epoch { number, after: info.state.last_sequence };
        self.context.update_stream(Config { description: Some(next.description()), ..info.config }).await?;
        self.announce_epoch(next).await
    }

    /// Announces the epoch to all servers.
    async fn announce_epoch(&self, epoch: Epoch) -> Result<(), BoxError> {
        self.client.publish(self.subjects.epoch(), epoch.description().into()).await?;
        self.client.flush().await?;
        Ok(())
    }

    /// The state of the stream. Fails if it has a new epoch.
    pub(super) async fn info(&self) -> Result<Info, BoxError> {
        let info = self.handle.get_info().await?;
        if epoch(&info) == self.epoch { Ok(info) } else { Err("the stream has a new epoch".into()) }
    }

    /// The end of the stream, without any publication.
    pub(super) async fn end(&self) -> Result<Read, BoxError> {
        let last = self.info().await?.state.last_sequence;
        let position = Position::new(self.epoch.number, last.max(self.epoch.after));
        Ok(Read { start: position, entries: Vec::new(), position })
    }

    /// Reads the publications of a topic from this sequence number on.
    pub(super) async fn read(&self, topic: &str, from: u64) -> Result<Read, BoxError> {
        let Epoch { number, after } = self.epoch;
        let before = self.info().await?;
        let (mut entries, is_whole) = self.fetch(topic, from.max(after + 1)).await?;
        let info = self.info().await?;
        let limit = u64::try_from(info.config.max_messages_per_subject).unwrap_or(u64::MAX);
        let too_old = info.state.first_sequence.saturating_sub(1).max(after);
        let start = match self.oldest(topic).await? {
            // Nothing after `from` was removed while it was read.
            Some(oldest) if oldest <= from => from,
            Some(oldest) => {
                // Publications that the stream has removed meanwhile may be missing among the entries before the oldest one.
                let is_full = entries.len() as u64 >= limit
                    || entries.first().is_some_and(|first| first.position.offset() < oldest);
                entries.retain(|entry| entry.position.offset() >= oldest);
                if is_full { oldest - 1 } else { too_old.min(oldest - 1) }
            }
            None => {
                entries.clear();
                too_old
            }
        };
        if let Some(first) = entries.first_mut() {
            first.previous = start;
        }
        // A subscription may deliver entries again that were read here, but none that is missing here.
        let read = entries.last().map_or(0, |last| last.position.offset()).max(start);
        let last = if is_whole { read.max(before.state.last_sequence) } else { read };
        Ok(Read { start: Position::new(number, start), entries, position: Position::new(number, last) })
    }

    /// Fetches the publications of a topic from this sequence number on, and whether these are all that the stream had. The caller
    /// sets `previous` of the first entry.
    async fn fetch(&self, topic: &str, from: u64) -> Result<(Vec<Entry>, bool), BoxError> {
        let config = pull::Config {
            filter_subject: self.subjects.log(topic),
            deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: from },
            ack_policy: AckPolicy::None,
            inactive_threshold: RESPONSE_TIMEOUT,
            memory_storage: true,
            ..Default::default()
        };
        let consumer = self.handle.create_consumer(config).await?;
        let pending = usize::try_from(consumer.cached_info().num_pending)?;
        let mut entries: Vec<Entry> = Vec::with_capacity(pending);
        while entries.len() < pending {
            let batch = consumer.fetch().max_messages((pending - entries.len()).min(BATCH)).messages().await?;
            let mut batch = std::pin::pin!(batch);
            let mut is_empty = true;
            while let Some(message) = next(batch.as_mut()).await {
                is_empty = false;
                let message = message?;
                let info = message.info()?;
                let published = Duration::from_nanos(nanoseconds(info.published.unix_timestamp_nanos()));
                let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
                let position = Position::new(self.epoch.number, info.stream_sequence);
                let previous = entries.last().map_or(0, |last| last.position.offset());
                let age = now.saturating_sub(published);
                entries.push(Entry { position, previous, envelope: message.payload.clone(), age });
            }
            if is_empty {
                // The stream has removed the rest meanwhile, or it comes too late.
                break;
            }
        }
        self.handle.delete_consumer(&consumer.cached_info().name).await?;
        let is_whole = entries.len() >= pending;
        Ok((entries, is_whole))
    }
}

/// Parses a message that the stream has republished.
pub(super) fn parse_message(epoch: Epoch, headers: Option<&HeaderMap>, payload: Bytes) -> Result<Entry, BoxError> {
    let number = |name| -> Result<u64, BoxError> {
        let value = headers.and_then(|headers| headers.get(name)).ok_or("a message without its sequence number")?;
        Ok(value.as_str().parse()?)
    };
    let previous = number(header::NATS_LAST_SEQUENCE)?.max(epoch.after);
    let position = Position::new(epoch.number, number(header::NATS_SEQUENCE)?);
    Ok(Entry { position, previous, envelope: payload, age: Duration::ZERO })
}

fn config(subjects: &Subjects) -> Config {
    Config {
        name: subjects.prefix.clone(),
        subjects: vec![subjects.logs()],
        max_messages_per_subject: KEPT,
        max_age: KEPT_WITHIN,
        // How long the server recognises a publication that is sent again.
        duplicate_window: Duration::from_secs(120),
        republish: Some(Republish { source: subjects.logs(), destination: subjects.all_live(), headers_only: false }),
        ..Config::default()
    }
}

fn epoch(info: &Info) -> Epoch {
    Epoch::of(nanoseconds(info.created.unix_timestamp_nanos()), info.config.description.as_deref())
}

/// Converts a time of `async-nats`, which can be before 1970.
fn nanoseconds(time: i128) -> u64 {
    u64::try_from(time).unwrap_or(0)
}

/// How many publications of a topic are kept.
const KEPT: i64 = 1000;
/// How long publications are kept.
const KEPT_WITHIN: Duration = Duration::from_secs(300);
/// How many publications are read at once.
const BATCH: usize = 256;
