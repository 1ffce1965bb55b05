//! The handle to a connection.

use std::fmt;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::either::Either;

use crate::close::CloseFrame;
use crate::connection::{self, ConnectionConfig, Inner, Waiting, WakerKey};
use crate::error::Error;
use crate::handshake::StoredRequest;
use crate::message::Message;

/// A handle to one WebSocket.
///
/// Handles are cheap to clone, and every method takes `&self`: several tasks may send, and one or more may receive. The
/// connection's task answers pings, sends keepalive pings and does the closing handshake, whether or not a method is being
/// called.
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
/// A `Manager` is also a [`Stream`](futures_core::Stream) of messages and a [`Sink`](futures_sink::Sink) for them. All
/// handles of a connection receive from the same queue: each message goes to one of them. Each handle's stream yields the
/// error of a failed connection once and then ends. If a handle's stream has ended, so has that of a clone. Closing
/// the sink, which `StreamExt::forward` does at its end, closes the connection for all handles.
///
/// The connection of a handler closes when the handler returns. A connection from `Manager::connect`,
/// [`Manager::from_upgraded`] or [`testing::pair`](crate::testing::pair), closes when the last clone is dropped.
#[doc(alias = "SocketRef")]
#[doc(alias = "split")]
#[doc(alias = "SplitSink")]
#[doc(alias = "SplitStream")]
#[doc(alias = "WebSocket")]
#[doc(alias = "WebSocketStream")]
#[doc(alias = "Conn")]
pub struct Manager {
    pub(super) shared: Arc<Shared>,
    /// Boxed, because most handles are never polled, and handlers often have several.
    polled: Option<Box<Polled>>,
}

/// The state of a handle that is polled as a [`Stream`](futures_core::Stream), as a [`Sink`](futures_sink::Sink) or by a byte
/// adapter.
#[derive(Default)]
pub(super) struct Polled {
    /// The stream has returned its last item.
    pub(super) stream_ended: bool,
    /// The sink waits until everything up to this offset is written.
    pub(super) flushing: Option<u64>,
    /// The wakers of this handle in the connection.
    reading: WakerKey,
    writing: WakerKey,
    pub(super) closing: WakerKey,
}

/// What all handles of a connection share.
pub(super) struct Shared {
    pub(super) connection: Arc<Inner>,
    pub(super) request: StoredRequest,
    pub(super) subprotocol: Option<Box<str>>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.connection.drop_handles();
    }
}

/// The request of a connection, which is made compact after the handler was polled for the first time.
pub(crate) struct RequestToCompact(Weak<Shared>);

impl RequestToCompact {
    /// Makes the request compact, unless all handles were dropped: see [`StoredRequest::compact`].
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
        Self { shared, polled: None }
    }

    /// The connection, and the state of this handle for polling.
    pub(super) fn polled(&mut self) -> (&Inner, &mut Polled) {
        (&self.shared.connection, self.polled.get_or_insert_default())
    }

    /// A handle to a connection without a handler: it runs until its last handle is dropped.
    pub(crate) fn detached<Io>(
        transport: Io,
        config: ConnectionConfig<'_>,
        request: StoredRequest,
        subprotocol: Option<Box<str>>,
    ) -> Self
    where
        Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        request.compact();
        Self::new(connection::spawn(Either::Right(transport), config), request, subprotocol)
    }

    /// A weak reference to the request of this handle's connection.
    pub(crate) fn request_to_compact(&self) -> RequestToCompact {
        RequestToCompact(Arc::downgrade(&self.shared))
    }

    /// Queues a close frame after everything that was sent, and does not wait.
    pub(crate) fn start_close(&self, frame: CloseFrame) {
        self.shared.connection.close(frame);
    }

    /// The state that the handles share with the connection's task. It does not count as a handle.
    pub(crate) fn connection(&self) -> &Arc<Inner> {
        &self.shared.connection
    }
}

/// Handles are equal if they belong to the same connection.
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
        if self.polled.as_ref().is_some_and(|polled| polled.stream_ended) {
            clone.polled().1.stream_ended = true;
        }
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

/// Polling, for the stream, the sink and the byte adapters. Each handle waits for one reader and one writer at a time.
impl Manager {
    pub(crate) fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Message>, Error>> {
        let (connection, polled) = self.polled();
        connection.poll_recv(&mut polled.reading, cx)
    }

    pub(crate) fn poll_capacity(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let (connection, polled) = self.polled();
        connection.poll_ready(&mut polled.writing, cx)
    }

    /// Queues a message whether there is capacity or not. Returns the offset for [`poll_written`](Self::poll_written).
    pub(crate) fn start_send(&mut self, message: Message) -> Result<u64, Error> {
        self.shared.connection.queue(message, true)
    }

    pub(crate) fn poll_written(&mut self, offset: u64, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let (connection, polled) = self.polled();
        connection.poll_written(offset, &mut polled.writing, cx)
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        if let Some(polled) = &mut self.polled {
            let connection = &self.shared.connection;
            connection.deregister(Waiting::Reader, &mut polled.reading);
            connection.deregister(Waiting::Writer, &mut polled.writing);
            connection.deregister(Waiting::Watcher, &mut polled.closing);
        }
    }
}
