//! Redis: a stream for each topic, and a channel on which its new entries are published.

mod scripts;
mod session;

use std::fmt;
use std::time::Duration;

use ::redis::{AsyncConnectionConfig, Client, IntoConnectionInfo};

use self::scripts::Scripts;
use self::session::RedisSession;
use super::remote::{Broker, CONNECT_TIMEOUT, Connect, first_connection};
use crate::error::{BoxError, Error, ErrorKind};

/// A Redis server, 5.0 or later, or a compatible one (Valkey), which orders and stores what is published. See
/// [`Hub::with`](crate::Hub::with).
///
/// ```no_run
/// use tower_websocket::{Error, Hub, Redis};
///
/// # async fn example() -> Result<(), Error> {
/// let hub = Hub::with(Redis::connect("redis://127.0.0.1/").await?);
/// # Ok(())
/// # }
/// ```
///
/// # What it keeps
///
/// Each topic is a stream, whose key is a [prefix](Self::prefix) and the topic's name. It keeps the last 1,000
/// publications, or as many as the topic's [`History`](crate::History) if these are more. The key expires when there were no
/// publications and members for two minutes, or for as long as the history keeps publications if that is longer. A script
/// adds to the stream and publishes to the channel of the same name in one step. One connection publishes, another one is
/// subscribed.
///
/// A second key for each topic and server, which expires after an hour, has the number of the server's last publication, so
/// that a publication that is sent again after a lost connection is published once.
///
/// # `rediss://`
///
/// URLs with TLS work in programs that turn on a TLS feature of the `redis` crate.
pub struct Redis {
    client: Client,
    prefix: String,
    scripts: Scripts,
}

impl Redis {
    /// Connects to the server at a URL: `redis://[[user]:password@]host[:port][/database]`, or `redis+unix:///path`.
    ///
    /// The first connection is made here. If it is lost later, it is made again, without a limit on attempts, after growing
    /// delays of up to five seconds.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::InvalidSetting`] if the URL has another form.
    /// - [`ErrorKind::Connect`] if the server cannot be reached within 10 s, or refuses.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, so is the connection.
    pub async fn connect(url: impl AsRef<str>) -> Result<Self, Error> {
        let invalid = |error| Error::with_source(ErrorKind::InvalidSetting, error);
        let info = url.as_ref().into_connection_info().map_err(invalid)?;
        let client = Client::open(info).map_err(invalid)?;
        let redis = Self { client, prefix: "tower-websocket:".to_owned(), scripts: Scripts::new() };
        first_connection(Connect::connect(&redis)).await?;
        Ok(redis)
    }

    /// The first part of the names of keys and channels: `tower-websocket:` by default. Hubs with the same server and
    /// prefix are one hub.
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
}

impl Broker for Redis {}

impl Connect for Redis {
    type Session = RedisSession;

    async fn connect(&self) -> Result<RedisSession, BoxError> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(Some(RESPONSE_TIMEOUT));
        let mut commands = self.client.get_multiplexed_async_connection_with_config(&config).await?;
        self.scripts.load(&mut commands).await?;
        let (subscriptions, messages) = self.client.get_async_pubsub().await?.split();
        Ok(RedisSession::new(commands, subscriptions, messages, self.prefix.clone(), self.scripts.clone()))
    }
}

impl fmt::Debug for Redis {
    /// Without the URL, which may have a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

/// If a server does not answer within this time, the session ends.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(5);
