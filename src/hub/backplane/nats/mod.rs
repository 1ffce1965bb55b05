//! NATS: one stream of JetStream for all topics, and subjects to which its new messages are republished.

mod epoch;
mod session;
mod stream;
mod subjects;

use std::fmt;
use std::io;
use std::time::Duration;

use async_nats::{ConnectOptions, Event, ServerAddr};
use tokio::sync::mpsc;

use self::session::NatsSession;
use self::stream::Stream;
use self::subjects::Subjects;
use super::remote::{Broker, CONNECT_TIMEOUT, Connect, first_connection};
use crate::error::{BoxError, Error, ErrorKind};

/// A NATS server, 2.9 or later, with JetStream, which orders and stores what is published. See
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
/// One stream, named as the [prefix](Self::prefix), has all topics, each as a subject. If it does not exist it is created:
/// in files, with the last 1,000 publications of each topic, none older than five minutes. If a [`History`](crate::History)
/// keeps more, only the servers that have followed the topic have the rest. To use other limits or replicas, create the
/// stream in advance, and let it republish the subjects `prefix.log.*` to `prefix.live.{{wildcard(1)}}`.
///
/// The offset of a position is the sequence number in the stream, which counts the publications of all topics.
///
/// The server takes messages of up to its `max_payload`, 1 MiB by default. A larger publication is lost, and logged at
/// level error. If a stream of your own is full and discards new messages, publications wait; one that is refused while a
/// later one of its topic is taken is lost, and reported as a gap.
///
/// Publications that the server has taken without its answer having arrived are sent again, and the server recognises them
/// for two minutes (the stream's `duplicate_window`). After that, or after a restart of a server version that does not store
/// them, the stream may have them twice. They are still delivered once, unless there is a gap between both, 64 other hubs
/// have published to the topic since, or a hub has received only the second one.
///
/// # `tls://`
///
/// URLs with TLS work, with the operating system's certificates.
pub struct Nats {
    servers: Vec<ServerAddr>,
    prefix: String,
}

impl Nats {
    /// Connects to the server at a URL: `nats://[user:password@]host[:port]`, or several with commas between them.
    ///
    /// The first connection is made here. If it is lost later, it is made again, without a limit on attempts, after growing
    /// delays of up to five seconds.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::InvalidSetting`] if the URL has another form.
    /// - [`ErrorKind::Connect`] if no server can be reached within 10 s, or if it refuses.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, so is the connection.
    pub async fn connect(url: impl Into<String>) -> Result<Self, Error> {
        let servers: Result<_, _> = url.into().split(',').map(|url| server(url.trim())).collect();
        let servers = servers.map_err(|error| Error::with_source(ErrorKind::InvalidSetting, error))?;
        let nats = Self { servers, prefix: "tower-websocket".to_owned() };
        first_connection(nats.client()).await?;
        Ok(nats)
    }

    /// The name of the stream, and the first part of its subjects: `tower-websocket` by default. Hubs with the same server
    /// and prefix are one hub. Characters that NATS does not allow in them are escaped.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// See [`prefix`](Self::prefix).
    #[must_use]
    pub fn get_prefix(&self) -> &str {
        &self.prefix
    }

    /// A client for one session, and a channel whose first event ends the session.
    async fn client(&self) -> Result<(async_nats::Client, mpsc::UnboundedReceiver<Event>), BoxError> {
        let (events, ends) = mpsc::unbounded_channel();
        let options = ConnectOptions::new()
            .connection_timeout(CONNECT_TIMEOUT)
            .request_timeout(Some(RESPONSE_TIMEOUT))
            .ping_interval(PING_INTERVAL)
            // One attempt for each server: each session has a client of its own, and `reconnect::run` makes the next attempt.
            .max_reconnects(self.servers.len())
            .event_callback(move |event| {
                // Messages may have been missed, for instance while the client reconnected: the next session reads the log.
                if !matches!(event, Event::Connected) {
                    let _ = events.send(event);
                }
                std::future::ready(())
            });
        Ok((options.connect(&self.servers).await?, ends))
    }
}

/// Parses a URL, and refuses an empty host, which the library accepts.
fn server(url: &str) -> io::Result<ServerAddr> {
    let server: ServerAddr = url.parse()?;
    if server.host().is_empty() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "a NATS server URL names a host"));
    }
    Ok(server)
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

/// If a server does not answer within this time, the session ends.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(5);
/// The client ends the connection after two pings without an answer.
const PING_INTERVAL: Duration = Duration::from_secs(4);
