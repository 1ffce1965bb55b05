//! The handle that users hold.

use std::fmt;
use std::future::{Future, poll_fn};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout};
use tokio_util::either::Either;
use tokio_util::sync::CancellationToken;

use crate::close::{CloseCode, CloseFrame};
use crate::connection::{self, ConnectionConfig, Inner, Waiter, Waiting, WakerKey};
use crate::error::{Error, ErrorKind};
use crate::handshake::StoredRequest;
use crate::message::Message;
use crate::stats::Stats;

/// A handle to one WebSocket.
///
/// Handles are cheap to clone, and every method takes `&self`: several tasks may send, and one or more may receive.
/// The connection itself answers pings, keeps the peer alive and closes; a handle only asks.
///
/// ```
/// use tower_websocket::{Error, Manager};
///
/// async fn echo(ws: Manager) -> Result<(), Error> {
///     while let Some(message) = ws.recv().await? {
///         ws.send(message).await?;
///     }
///     Ok(())
/// }
/// ```
///
/// A `Manager` is also a [`Stream`](futures_core::Stream) of messages and a [`Sink`](futures_sink::Sink) for them. The handles of one connection share its messages,
/// each of which goes to one of them; each handle's stream ends by itself, after one item with the error where there was one.
/// A clone goes on where the handle was: that of a stream that has ended has ended too. Closing the sink, which
/// `StreamExt::forward` does at its end, closes the connection for all handles.
///
/// Where it was handed to a handler, the connection closes when the handler returns. Where it came from
/// `Manager::connect`, [`Manager::from_upgraded`] or [`testing::pair`](crate::testing::pair), it closes when the last
/// clone is dropped.
#[doc(alias = "WebSocket")]
#[doc(alias = "WebSocketStream")]
#[doc(alias = "Conn")]
pub struct Manager {
    pub(super) shared: Arc<Shared>,
    /// As a [`Stream`](futures_core::Stream), it has returned the last item.
    pub(super) stream_over: bool,
    /// As a [`Sink`](futures_sink::Sink), it waits until everything up to this byte is written.
    pub(super) flushing: Option<u64>,
    /// What it waits for as a [`Stream`](futures_core::Stream) and as a [`Sink`](futures_sink::Sink).
    reading: WakerKey,
    writing: WakerKey,
    pub(super) closing: WakerKey,
}

/// What all handles of a connection share.
pub(super) struct Shared {
    pub(super) connection: Arc<Inner>,
    request: StoredRequest,
    subprotocol: Option<Box<str>>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.connection.drop_handles();
    }
}

/// A request that is to be made compact once its handler has had a turn.
pub(crate) struct RequestToCompact(Weak<Shared>);

impl RequestToCompact {
    /// Frees what the request keeps in memory beside itself, if it is still there.
    pub(crate) fn compact(self) {
        if let Some(shared) = self.0.upgrade() {
            shared.request.compact();
        }
    }
}

impl Manager {
    pub(crate) fn new(connection: Arc<Inner>, request: StoredRequest, subprotocol: Option<Box<str>>) -> Self {
        Self::of(Arc::new(Shared { connection, request, subprotocol }))
    }

    fn of(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            stream_over: false,
            flushing: None,
            reading: WakerKey::default(),
            writing: WakerKey::default(),
            closing: WakerKey::default(),
        }
    }

    /// A handle to a connection without a handler: it runs until its last handle is gone.
    pub(crate) fn detached<Io>(
        transport: Io,
        config: ConnectionConfig,
        request: StoredRequest,
        subprotocol: Option<Box<str>>,
    ) -> Self
    where
        Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        request.compact();
        Self::new(connection::spawn(Either::Right(transport), config), request, subprotocol)
    }

    /// The request of this handle's connection, for later. It does not keep the handle.
    pub(crate) fn request_to_compact(&self) -> RequestToCompact {
        RequestToCompact(Arc::downgrade(&self.shared))
    }

    /// Receives the next message, or `None` once the connection is closed.
    ///
    /// Messages come in order, each exactly once, to one caller. Pings and close frames are answered by the connection
    /// itself and are not returned.
    ///
    /// # Errors
    ///
    /// The reason why the connection failed, the same on every call.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing: the message is returned by the next call.
    #[doc(alias = "ReadMessage")]
    #[doc(alias = "ReadCh")]
    #[doc(alias = "next")]
    pub fn recv(&self) -> impl Future<Output = Result<Option<Message>, Error>> {
        // Without an async function's state around it, which a message would be moved through (`benches/echo.rs`).
        let mut waiter = Waiter::new(&self.shared.connection, Waiting::Reader);
        poll_fn(move |cx| waiter.poll(cx, Inner::poll_recv))
    }

    /// Receives the next message, or fails after `time`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::ReadTimeout`] when none arrives in time: nothing is lost and the connection stays usable.
    /// [`ErrorKind::Closed`] once the connection is closed.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    #[doc(alias = "SetReadDeadline")]
    pub async fn recv_timeout(&self, time: Duration) -> Result<Message, Error> {
        match timeout(time, self.recv()).await {
            Ok(Ok(Some(message))) => Ok(message),
            Ok(Ok(None)) => Err(self.closed_error()),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(Error::new(ErrorKind::ReadTimeout)),
        }
    }

    /// Drops the messages that arrive from now on, and the unread ones, until the connection ends: for handlers that only send.
    ///
    /// Reading goes on, so that the peer's close frame and the end of the transport are noticed at once.
    ///
    /// ```
    /// use tower_websocket::{Error, Manager};
    ///
    /// async fn push(ws: &Manager) -> Result<(), Error> {
    ///     ws.send("news").await
    /// }
    ///
    /// async fn handler(ws: Manager) -> Result<(), Error> {
    ///     tokio::select! {
    ///         pushed = push(&ws) => pushed,
    ///         end = ws.ignore_incoming() => end.map(drop),
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// The reason why the connection failed, if it did not end with a close frame.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped, messages that arrive afterwards can be received again.
    pub async fn ignore_incoming(&self) -> Result<CloseFrame, Error> {
        struct Ignoring<'a>(&'a Inner);

        impl Drop for Ignoring<'_> {
            fn drop(&mut self) {
                self.0.set_ignoring(false);
            }
        }

        self.shared.connection.set_ignoring(true);
        let _ignoring = Ignoring(&self.shared.connection);
        self.done().await
    }

    /// Receives the payload of the next message, text or binary, or fails after `time`.
    ///
    /// # Errors
    ///
    /// As for [`recv_timeout`](Self::recv_timeout).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    #[doc(alias = "ReadBinary")]
    pub async fn read_binary(&self, time: Duration) -> Result<Bytes, Error> {
        self.recv_timeout(time).await.map(Message::into_bytes)
    }

    /// Sends a message: puts it into the outgoing buffer, and waits only while that is full.
    ///
    /// Everything buffered is written before the connection's task next sleeps, so what is sent in one go leaves in one
    /// system call, and nothing waits for a timer.
    ///
    /// # Errors
    ///
    /// The reason why the connection is over; [`ErrorKind::Closed`] after a close frame in either direction.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped before it is ready, the message was not sent.
    #[doc(alias = "WriteMessage")]
    pub fn send(&self, message: impl Into<Message>) -> impl Future<Output = Result<(), Error>> {
        self.send_as(message.into(), true)
    }

    /// Sends a message without compressing it, for data that is compressed or secret already.
    ///
    /// Otherwise the same as [`send`](Self::send).
    ///
    /// # Errors
    ///
    /// As for [`send`](Self::send).
    ///
    /// # Cancel safety
    ///
    /// As for [`send`](Self::send).
    #[doc(alias = "EnableWriteCompression")]
    pub fn send_uncompressed(&self, message: impl Into<Message>) -> impl Future<Output = Result<(), Error>> {
        self.send_as(message.into(), false)
    }

    /// Sends a message and waits until the operating system has taken all of it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::WriteTimeout`] when that takes longer than `time`; a part may be on the wire by then, so the
    /// connection ends.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped, the message may have been sent or not.
    #[doc(alias = "WriteData")]
    pub async fn write_data(&self, message: impl Into<Message>, time: Duration) -> Result<(), Error> {
        let written = async {
            let offset = self.queue(message.into(), true).await?;
            self.written(offset).await
        };
        timeout(time, written).await.unwrap_or_else(|_| {
            let error = Error::new(ErrorKind::WriteTimeout);
            self.shared.connection.fail(error.clone());
            Err(error)
        })
    }

    /// Waits until the operating system has taken everything that was sent so far, by any clone.
    ///
    /// # Errors
    ///
    /// The reason why the connection ended before that.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future has no effect.
    pub async fn flush(&self) -> Result<(), Error> {
        self.written(self.shared.connection.bytes_queued()).await
    }

    /// Sends a ping (RFC 6455 §5.5.2), waits for its pong and returns the time between.
    ///
    /// The keepalive pings by itself; this is for measuring.
    ///
    /// # Errors
    ///
    /// The reason why the connection is over.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future has no effect on the connection.
    #[doc(alias = "WriteControl")]
    #[doc(alias = "SetPongHandler")]
    pub async fn ping(&self) -> Result<Duration, Error> {
        let number = self.shared.connection.ping()?;
        let mut waiter = Waiter::new(&self.shared.connection, Waiting::Watcher);
        poll_fn(|cx| waiter.poll(cx, |connection, key, cx| connection.poll_pong(number, key, cx))).await
    }

    /// The time between the last answered ping and its pong, if any was answered yet.
    #[must_use]
    pub fn round_trip(&self) -> Option<Duration> {
        self.shared.connection.round_trip()
    }

    /// Closes with code 1000. The same as [`close_with`](Self::close_with) without a reason.
    ///
    /// # Errors
    ///
    /// As for [`close_with`](Self::close_with).
    ///
    /// # Cancel safety
    ///
    /// As for [`close_with`](Self::close_with).
    #[doc(alias = "Close")]
    pub async fn close(&self) -> Result<(), Error> {
        self.close_with(CloseCode::NORMAL, "").await
    }

    /// Closes: writes what is buffered, sends a close frame, waits for the peer's (at most
    /// [`Limits::close_timeout`](crate::Limits::close_timeout), 5 s by default) and ends the transport (RFC 6455 §7.1.1).
    ///
    /// The first reason wins: on a connection that is closing already, this waits for the end and changes nothing.
    /// Messages that still arrive are discarded.
    ///
    /// # Errors
    ///
    /// The reason why the connection failed, if it did before it was closed.
    ///
    /// # Cancel safety
    ///
    /// Once polled, the connection closes whether or not the future is dropped.
    pub async fn close_with(&self, code: CloseCode, reason: impl Into<String>) -> Result<(), Error> {
        self.close_frame(CloseFrame::new(code, reason.into())).await
    }

    /// Closes with this frame. The same as [`close_with`](Self::close_with), for a frame that is there already, such as the
    /// one that another connection ended with: a frame without a code stays one.
    ///
    /// ```
    /// use tower_websocket::{CloseFrame, Error, Manager};
    ///
    /// async fn dismiss(ws: &Manager, why: CloseFrame) -> Result<(), Error> {
    ///     ws.close_frame(why).await
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`close_with`](Self::close_with).
    ///
    /// # Cancel safety
    ///
    /// As for [`close_with`](Self::close_with).
    pub async fn close_frame(&self, frame: impl Into<CloseFrame>) -> Result<(), Error> {
        self.start_close(frame.into());
        self.done().await.map(drop)
    }

    /// Waits for the end of the connection, and tells the close frame that ended it: the peer's or ours, whichever came
    /// first.
    ///
    /// It receives no messages. Once unread messages have reached [`Limits::incoming`](crate::Limits::incoming), reading stops:
    /// then the peer's close frame, a reset or the end of the transport go unseen, until a write fails, such as that of the
    /// keepalive's next ping. [`ignore_incoming`](Self::ignore_incoming) waits in the same way and reads on.
    ///
    /// # Errors
    ///
    /// The reason why the connection failed, if it ended in any other way.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future has no effect.
    #[doc(alias = "Done")]
    #[doc(alias = "SetCloseHandler")]
    pub async fn done(&self) -> Result<CloseFrame, Error> {
        let mut waiter = Waiter::new(&self.shared.connection, Waiting::Watcher);
        poll_fn(|cx| waiter.poll(cx, Inner::poll_ended)).await
    }

    /// Closes the connection with this frame at this time, unless it is over before: for sessions whose token expires.
    ///
    /// Another call replaces the deadline, so that a renewed token renews the session;
    /// [`clear_deadline`](Self::clear_deadline) takes it away. As after [`close_frame`](Self::close_frame), what is buffered is
    /// written first.
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    /// use tower_websocket::{CloseCode, CloseFrame, Error, Manager};
    ///
    /// async fn handler(ws: Manager) -> Result<(), Error> {
    ///     let expires = Instant::now() + Duration::from_secs(3600);
    ///     ws.set_deadline(expires, CloseFrame::new(CloseCode::POLICY_VIOLATION, "token expired"));
    ///     while let Some(message) = ws.recv().await? {
    ///         ws.send(message).await?;
    ///     }
    ///     Ok(())
    /// }
    /// ```
    pub fn set_deadline(&self, at: impl Into<Instant>, frame: CloseFrame) {
        self.shared.connection.set_deadline(Some((at.into(), frame)));
    }

    /// Takes the deadline of [`set_deadline`](Self::set_deadline) away.
    pub fn clear_deadline(&self) {
        self.shared.connection.set_deadline(None);
    }

    /// Whether nothing more can be sent: the connection is over, or its transport accepts no more data.
    ///
    /// Unread messages may still be [received](Self::recv).
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.shared.connection.is_closed()
    }

    /// Which connection this is: the same for all its handles, and for no other connection of the process.
    #[must_use]
    pub fn id(&self) -> ConnectionId {
        ConnectionId(self.shared.connection.id())
    }

    /// The reason why the connection is over for its users, or `None` while it is open.
    #[must_use]
    pub fn end(&self) -> Option<Result<CloseFrame, Error>> {
        self.shared.connection.close_reason()
    }

    /// A token that is cancelled when the connection ends, for tasks that live as long as it does.
    ///
    /// Cancelling it does not close the connection: each clone of the token is for listening.
    #[doc(alias = "Context")]
    #[must_use]
    pub fn context(&self) -> CancellationToken {
        // A child: cancelling what the user gets must not tell other users that the connection ended.
        self.shared.connection.context().child_token()
    }

    /// The request that opened the connection: method, URI, version, headers, and extensions, where outer layers put
    /// peer addresses and state.
    ///
    /// Over HTTP/2 the method is `CONNECT` and the URI is whole, scheme and host included. Cookies that came in several
    /// fields are joined, and `Host` is there, so that headers are what they are over HTTP/1.1.
    ///
    /// The URI is the one that reached the layer: in a nested router of axum it is without the router's prefix, and
    /// `axum::extract::OriginalUri`, in the extensions, is whole.
    ///
    /// It is kept for as long as the connection unless [`drop_request`](Self::drop_request) is called.
    #[must_use]
    pub fn request(&self) -> Arc<Parts> {
        self.shared.request.get()
    }

    /// Frees the memory of the request; from here on [`request`](Self::request) returns an empty one.
    ///
    /// A browser's headers take about 2 KiB.
    pub fn drop_request(&self) {
        self.shared.request.clear();
    }

    /// The subprotocol that was agreed upon (RFC 6455 §1.9).
    #[doc(alias = "Subprotocol")]
    #[doc(alias = "protocol")]
    #[must_use]
    pub fn subprotocol(&self) -> Option<&str> {
        self.shared.subprotocol.as_deref()
    }

    /// Whether permessage-deflate (RFC 7692) was agreed upon.
    ///
    /// Messages are then compressed as `Compression` says, which need not be each of them.
    #[must_use]
    pub fn is_compressed(&self) -> bool {
        self.shared.connection.is_compressed()
    }

    /// What the connection has carried so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.shared.connection.stats()
    }

    /// Asks for a close frame behind everything that was sent.
    pub(crate) fn start_close(&self, frame: CloseFrame) {
        self.shared.connection.close(frame);
    }

    /// What this handle's connection shares with its task. It is no handle.
    pub(crate) fn connection(&self) -> &Arc<Inner> {
        &self.shared.connection
    }

    fn send_as(&self, message: Message, compress: bool) -> impl Future<Output = Result<(), Error>> {
        let mut waiter = Waiter::new(&self.shared.connection, Waiting::Writer);
        let mut message = Some(message);
        poll_fn(move |cx| {
            let poll = waiter.poll(cx, |connection, key, cx| connection.poll_send(&mut message, compress, key, cx));
            poll.map_ok(drop)
        })
    }

    /// Sends a message, and says up to which byte must be written for it to be out.
    async fn queue(&self, message: Message, compress: bool) -> Result<u64, Error> {
        let mut waiter = Waiter::new(&self.shared.connection, Waiting::Writer);
        let mut message = Some(message);
        poll_fn(|cx| waiter.poll(cx, |connection, key, cx| connection.poll_send(&mut message, compress, key, cx))).await
    }

    /// Waits until everything up to this byte is written.
    async fn written(&self, offset: u64) -> Result<(), Error> {
        let mut waiter = Waiter::new(&self.shared.connection, Waiting::Writer);
        poll_fn(|cx| waiter.poll(cx, |connection, key, cx| connection.poll_written(offset, key, cx))).await
    }

    fn closed_error(&self) -> Error {
        match self.end() {
            Some(Err(error)) => error,
            Some(Ok(frame)) => Error::ended_by(frame),
            None => Error::new(ErrorKind::Closed),
        }
    }
}

/// Which connection a [`Manager`] belongs to, as a key for maps: made by [`Manager::id`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId(u64);

impl ConnectionId {
    pub(crate) fn of(connection: &Inner) -> Self {
        Self(connection.id())
    }

    pub(crate) fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Handles are equal where they belong to the same connection.
impl PartialEq for Manager {
    fn eq(&self, other: &Self) -> bool {
        self.id() == other.id()
    }
}

impl Eq for Manager {}

impl Clone for Manager {
    fn clone(&self) -> Self {
        let mut clone = Self::of(self.shared.clone());
        // A clone of an ended stream has ended too.
        clone.stream_over = self.stream_over;
        clone
    }
}

impl fmt::Debug for Manager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Manager")
            .field("subprotocol", &self.shared.subprotocol)
            .field("stats", &self.stats())
            .field("end", &self.end())
            .finish_non_exhaustive()
    }
}

/// For the byte adapters, which poll: what one task waits for at a time.
impl Manager {
    pub(crate) fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Message>, Error>> {
        self.shared.connection.poll_recv(&mut self.reading, cx)
    }

    pub(crate) fn poll_capacity(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.shared.connection.poll_ready(&mut self.writing, cx)
    }

    /// Sends a message whether there is capacity or not, and says up to which byte must be written for it to be out.
    pub(crate) fn start_send(&mut self, message: Message) -> Result<u64, Error> {
        self.shared.connection.queue(message, true)
    }

    pub(crate) fn poll_written(&mut self, offset: u64, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.shared.connection.poll_written(offset, &mut self.writing, cx)
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        let connection = &self.shared.connection;
        connection.deregister(Waiting::Reader, &mut self.reading);
        connection.deregister(Waiting::Writer, &mut self.writing);
        connection.deregister(Waiting::Watcher, &mut self.closing);
    }
}
