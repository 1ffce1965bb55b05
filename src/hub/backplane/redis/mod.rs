//! Redis: a stream for each topic, and a channel on which what is added to it is told.

mod scripts;
mod session;

use std::fmt;
use std::time::Duration;

use ::redis::{AsyncConnectionConfig, Client, IntoConnectionInfo};

use self::scripts::Scripts;
use self::session::RedisSession;
use super::remote::{Broker, CONNECT_TIMEOUT, Connect, first_connection};
use crate::error::{BoxError, Error, ErrorKind};

/// A Redis server, 5.0 or later, or one that speaks as it does (Valkey): it orders what is published, and keeps it. See
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
/// Each topic is a stream, whose key is a [prefix](Self::prefix) and the topic's name: of the last 1,000 publications, or as
/// many as the topic's [`History`](crate::History) keeps. The key expires once nobody has published or been a member for two
/// minutes, or as long as the history keeps publications. A script adds to the stream and tells the channel of the same name, in
/// one step. One connection publishes, and another listens.
///
/// A second key for each topic and server, with an expiry of an hour, has the number of the server's last publication: what is sent
/// again after a connection broke is published once.
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
    /// That it answers is seen here; when it does not later on, it is tried again for ever, each time a little later, up to some five
    /// seconds.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::InvalidSetting`] where it is no such URL.
    /// - [`ErrorKind::Connect`] where the server cannot be reached within 10 s, or refuses.
    ///
    /// # Cancel safety
    ///
    /// A future that is dropped leaves nothing behind.
    pub async fn connect(url: impl AsRef<str>) -> Result<Self, Error> {
        let invalid = |error| Error::with_source(ErrorKind::InvalidSetting, error);
        let info = url.as_ref().into_connection_info().map_err(invalid)?;
        let client = Client::open(info).map_err(invalid)?;
        let redis = Self { client, prefix: "tower-websocket:".to_owned(), scripts: Scripts::new() };
        first_connection(Connect::connect(&redis)).await?;
        Ok(redis)
    }

    /// What the names of its keys and channels begin with: `tower-websocket:` by default. Hubs of the same server and prefix are
    /// one hub.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
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

/// Within this time a server answers, or counts as gone.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(5);
