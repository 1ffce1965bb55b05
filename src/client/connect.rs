//! Opening connections to servers: over HTTP/2 if that was set and the server supports it, otherwise over HTTP/1.1.

use std::error::Error as _;

use http::{StatusCode, Version};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::connector::Connector;
use super::dial::dial;
use super::establish::PendingHandshake;
use super::exchange::{Declined, HandshakeResponse, over_http1, over_http2};
use super::failed::no_transport;
use super::response::UnexpectedResponse;
use super::target::Target;
use super::tasks::ClientTransport;
use crate::error::{Error, ErrorKind};
use crate::layer::EmptyBody;
use crate::manager::Manager;
use crate::upgrade::prepare;

/// Opening connections.
impl Connector {
    /// Opens a WebSocket. It closes when the last clone of the [`Manager`] is dropped.
    ///
    /// The target is a `ws://` or, with the feature `rustls`, `wss://` URL, or an [`http::Request`] with headers of its
    /// own: see [`Target`].
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::InvalidSetting`] if the target is not a WebSocket URL, or its host is not valid in TLS; no connection
    ///   was attempted
    /// - [`ErrorKind::Connect`] if the transport or TLS fails, or there is no response within
    ///   [`Limits::handshake_timeout`](crate::Limits::handshake_timeout); the source is an [`io::Error`](std::io::Error),
    ///   which is [`ConnectionReset`](std::io::ErrorKind::ConnectionReset) if a server or a proxy closes or resets the
    ///   connection without a response
    /// - [`ErrorKind::Handshake`] if the server refuses, and then [`Error::response`] is its response, or if its response
    ///   is not valid
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, so is the connection.
    #[doc(alias = "DialContext")]
    #[doc(alias = "connect_async_with_config")]
    #[doc(alias = "connect_async_tls_with_config")]
    pub async fn connect<T>(&self, target: T) -> Result<Manager, Error>
    where
        T: TryInto<Target, Error: Into<Error>>,
    {
        let target = self.target(target)?;
        let (handshake, answer) = self.in_time(self.dial(&target)).await?;
        finish(handshake, answer).await
    }

    /// Opens a WebSocket over an existing transport, such as a Unix socket or a tunnel.
    ///
    /// The target is the URL of the request; with `wss://`, TLS runs over the transport. `TCP_NODELAY` is set on a
    /// `TcpStream`.
    ///
    /// # Errors
    ///
    /// As for [`connect`](Self::connect). With [`http2`](Self::http2), if the server does not support WebSockets over
    /// HTTP/2 or demands HTTP/1.1, [`ErrorKind::Handshake`], as there is no second transport to fall back to.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, so is the connection.
    #[doc(alias = "NetDial")]
    #[doc(alias = "client_async_with_config")]
    #[doc(alias = "client_async_tls")]
    #[doc(alias = "client_async")]
    pub async fn connect_over<T, Io>(&self, io: Io, target: T) -> Result<Manager, Error>
    where
        T: TryInto<Target, Error: Into<Error>>,
        Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let target = self.target(target)?;
        let (handshake, answer) =
            self.in_time(async { self.attempt(io, &target, self.http2).await?.map_err(declined) }).await?;
        finish(handshake, answer).await
    }

    fn target<T: TryInto<Target, Error: Into<Error>>>(&self, target: T) -> Result<Target, Error> {
        let target = target.try_into().map_err(Into::into)?;
        target.check_host(&self.headers)?;
        if target.is_secure() {
            #[cfg(feature = "rustls")]
            super::tls::server_name(target.host())?;
            #[cfg(not(feature = "rustls"))]
            return Err(Error::with_source(ErrorKind::InvalidSetting, "wss:// needs the feature `rustls`"));
        }
        Ok(target)
    }

    async fn in_time<T>(&self, connect: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        timeout(self.config.get_limits().handshake_time, connect)
            .await
            .unwrap_or_else(|_| Err(Error::with_source(ErrorKind::Connect, "the server did not answer in time")))
    }

    async fn dial(&self, target: &Target) -> Result<(PendingHandshake, HandshakeResponse), Error> {
        let dial = || self.transport(target);
        let why = match self.attempt(dial().await?, target, self.http2).await? {
            Ok(answered) => return Ok(answered),
            // A user who sets HTTP/2 for ws:// knows that the server supports it, perhaps only that: do not fall back.
            Err(Declined::NoExtendedConnect) if !target.is_secure() => {
                return Err(declined(Declined::NoExtendedConnect));
            }
            Err(why) => why,
        };
        tracing::debug!(?why, "no WebSockets over HTTP/2 here: connecting over HTTP/1.1");
        match self.attempt(dial().await?, target, false).await {
            Ok(answered) => answered.map_err(declined),
            // The second connection was lost: another attempt may succeed.
            Err(error) if error.is_retryable() => Err(error),
            Err(error) => Err(fallback_failed(why, &error)),
        }
    }

    /// Opens a transport to the server, directly or through a proxy.
    async fn transport(&self, target: &Target) -> Result<TcpStream, Error> {
        #[cfg(feature = "proxy")]
        if let Some(proxy) = &self.proxy
            && let Some(route) = proxy.intercept(target.host(), target.port(), target.is_secure())?
        {
            return route.connect().await.map_err(|error| Error::with_source(ErrorKind::Connect, error));
        }
        dial(target.host(), target.port()).await.map_err(no_transport)
    }

    /// Does one handshake over a transport, with TLS if the URL requires it.
    async fn attempt<Io>(&self, io: Io, target: &Target, http2: bool) -> Result<Attempt, Error>
    where
        Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        prepare(&io);
        #[cfg(feature = "rustls")]
        if target.is_secure() {
            let name = super::tls::server_name(target.host())?;
            let secured = super::tls::secure(io, name, self.tls.as_ref(), http2).await;
            let (stream, http2) = secured.map_err(no_transport)?;
            return self.exchange(stream, target, http2).await;
        }
        self.exchange(io, target, http2).await
    }

    async fn exchange<Io>(&self, io: Io, target: &Target, http2: bool) -> Result<Attempt, Error>
    where
        Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let version = if http2 { Version::HTTP_2 } else { Version::HTTP_11 };
        let mut request = target.request::<EmptyBody>(version, &self.headers);
        let handshake = PendingHandshake::new(&mut request, self.config.clone());
        let answer = if http2 { over_http2(io, request).await? } else { Ok(over_http1(io, request).await?) };
        Ok(answer.map(|answer| (handshake, answer)))
    }
}

/// Starts the connection if the server has accepted the handshake, or returns the refusal.
async fn finish(handshake: PendingHandshake, (mut response, guard): HandshakeResponse) -> Result<Manager, Error> {
    let is_accepted = match response.version() {
        // RFC 8441 §5. Another 2xx does not open a tunnel.
        Version::HTTP_2 => response.status() == StatusCode::OK,
        _ => response.status() == StatusCode::SWITCHING_PROTOCOLS,
    };
    if !is_accepted {
        return Err(UnexpectedResponse::read(response).await.into());
    }
    let upgraded = hyper::upgrade::on(&mut response).await;
    let upgraded = upgraded.map_err(|error| Error::with_source(ErrorKind::Handshake, error))?;
    handshake.finish(&response, ClientTransport::new(upgraded, guard))
}

/// A response, or why there is none over HTTP/2.
type Attempt = Result<(PendingHandshake, HandshakeResponse), Declined>;

fn declined(why: Declined) -> Error {
    Error::with_source(ErrorKind::Handshake, reason(why))
}

/// The error if the handshake has failed over HTTP/2, and then over HTTP/1.1.
fn fallback_failed(why: Declined, fallback: &Error) -> Error {
    let cause = fallback.source().map_or_else(|| fallback.to_string(), ToString::to_string);
    Error::with_source(ErrorKind::Handshake, format!("{}; over HTTP/1.1: {cause}", reason(why)))
}

fn reason(why: Declined) -> &'static str {
    match why {
        Declined::DemandsHttp1 => "the server demands HTTP/1.1 (HTTP_1_1_REQUIRED, RFC 9113 section 7)",
        Declined::NoExtendedConnect => {
            "the server's HTTP/2 has no WebSockets: extended CONNECT is off (RFC 8441 section 3)"
        }
    }
}

impl Manager {
    /// Opens a WebSocket to a server, with the default settings of a [`Connector`].
    ///
    /// The target is a `ws://` or, with the feature `rustls`, `wss://` URL, or an [`http::Request`] with headers of its
    /// own. The connection closes when the last clone is dropped.
    ///
    /// ```no_run
    /// use http::Request;
    /// use tower_websocket::{Manager, Message};
    ///
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let ws = Manager::connect("ws://localhost:3000/ws").await?;
    /// ws.send("hello").await?;
    /// assert_eq!(ws.recv().await?, Some(Message::text("hello")));
    /// ws.close().await?;
    ///
    /// let request = Request::get("ws://localhost:3000/ws").header("authorization", "Bearer secret").body(())?;
    /// let ws = Manager::connect(request).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`Connector::connect`].
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, so is the connection.
    #[doc(alias = "connect_async")]
    #[doc(alias = "Dial")]
    #[cfg_attr(docsrs, doc(cfg(feature = "client")))]
    pub async fn connect<T>(target: T) -> Result<Self, Error>
    where
        T: TryInto<Target, Error: Into<Error>>,
    {
        Connector::default().connect(target).await
    }
}
