//! NATS: one stream of JetStream for all topics, and subjects on which what is added to it is told.

mod epoch;
mod session;
mod stream;
mod subjects;

use std::fmt;
use std::time::Duration;

use async_nats::{ConnectOptions, Event};
use tokio::sync::mpsc;

use self::session::NatsSession;
use self::stream::Stream;
use self::subjects::Subjects;
use super::remote::{Broker, CONNECT_TIMEOUT, Connect, first_connection};
use crate::error::{BoxError, Error};

/// A NATS server, 2.9 or later, with JetStream: it orders what is published, and keeps it. See
/// [`Hub::with`](crate::Hub::with).
///
/// ```no_run
/// use tower_websocket::{Error, Hub, Nats};
///
/// # async fn example() -> Result<(), Error> {
/// let hub = Hub::with(Nats::connect("nats://127.0.0.1:4222").await?);
/// # Ok(())
/// # }
/// ```
///
/// # What it keeps
///
/// One stream, named as the [prefix](Self::prefix), has all topics, each as a subject. Where there is none it is made: in files, with
/// the last 1,000 publications of each topic, none older than five minutes. A [`History`](crate::History) that keeps more than that has it
/// on the servers that have been following the topic. Who makes the stream in advance, with other limits or replicas, has to have
/// the subjects `prefix.log.*` republished to `prefix.live.{{wildcard(1)}}`.
///
/// The offset of a position is the sequence number in the stream: it counts the publications of all topics.
///
/// The server takes messages of up to its `max_payload`, 1 MiB by default. What is larger is lost, and logged at `error`.
///
/// # `tls://`
///
/// URLs with TLS work, with the operating system's certificates.
pub struct Nats {
    url: String,
    prefix: String,
}

impl Nats {
    /// Connects to the server at a URL: `nats://[user:password@]host[:port]`, or several with commas between them.
    ///
    /// That it answers is seen here; when it does not later on, it is tried again for ever, each time a little later, up to some five
    /// seconds.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Connect`] where it is no such URL, where the server cannot be reached within 10 s, or where it refuses.
    ///
    /// # Cancel safety
    ///
    /// A future that is dropped leaves nothing behind.
    pub async fn connect(url: impl Into<String>) -> Result<Self, Error> {
        let nats = Self { url: url.into(), prefix: "tower-websocket".to_owned() };
        first_connection(nats.client()).await?;
        Ok(nats)
    }

    /// The name of its stream, and what its subjects begin with: `tower-websocket` by default. Hubs of the same server and
    /// prefix are one hub. Characters that neither may have are written in another way.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// A client for one session, and what ends that.
    async fn client(&self) -> Result<(async_nats::Client, mpsc::UnboundedReceiver<Event>), BoxError> {
        let (events, ends) = mpsc::unbounded_channel();
        let options = ConnectOptions::new()
            .connection_timeout(CONNECT_TIMEOUT)
            .request_timeout(Some(RESPONSE_TIMEOUT))
            .ping_interval(PING_INTERVAL)
            // One round of the servers is enough, as each session has a client of its own: none is to try for ever by itself.
            .max_reconnects(self.url.split(',').count())
            .event_callback(move |event| {
                // What it did not tell meanwhile, nothing else tells: the session ends, and the next one reads the log.
                if !matches!(event, Event::Connected) {
                    let _ = events.send(event);
                }
                std::future::ready(())
            });
        Ok((options.connect(&*self.url).await?, ends))
    }
}

impl Broker for Nats {}

impl Connect for Nats {
    type Session = NatsSession;

    async fn connect(&self) -> Result<NatsSession, BoxError> {
        let (client, ends) = self.client().await?;
        let subjects = Subjects::new(&self.prefix);
        let stream = Stream::open(&client, subjects).await?;
        Ok(NatsSession::new(client, stream, ends))
    }
}

impl fmt::Debug for Nats {
    /// Without the URL, which may have a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nats").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

/// Within this time a server answers, or counts as gone.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(5);
/// After two of them without an answer the server counts as gone.
const PING_INTERVAL: Duration = Duration::from_secs(4);
