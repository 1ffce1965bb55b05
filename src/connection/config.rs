//! How a connection is created.

use std::future::poll_fn;
use std::sync::Arc;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};

use super::future::ConnectionFuture;
use super::inner::Inner;
use super::state::Waiting;
use super::transport::Transport;
use super::waiter::Waiter;
use crate::close::{CloseCode, CloseFrame};
use crate::debug::with_debug_output;
use crate::deflate::{Deflater, Inflater};
use crate::limits::Limits;
use crate::protocol::Keepalive;
use crate::role::Role;

/// The settings of a connection, and what the opening handshake has negotiated.
#[derive(Debug)]
pub(crate) struct ConnectionConfig<'a> {
    pub(crate) role: Role,
    pub(crate) limits: &'a Limits,
    pub(crate) keepalive: Keepalive,
    /// Whether the transport is read to its end after the closing handshake: it is a stream of HTTP/2.
    pub(crate) read_to_end: bool,
    /// `Some`, like the inflater, if permessage-deflate was negotiated.
    pub(crate) deflater: Option<Deflater>,
    pub(crate) inflater: Option<Inflater>,
}

/// Creates what a connection shares with its handles; [`ConnectionFuture::new`] creates the rest.
///
/// Both allocate before the handshake's own memory is freed. Otherwise the allocator would put these long-lived objects into the
/// gaps that the handshake leaves, and the next handshake would need new memory.
pub(crate) fn prepare(config: &mut ConnectionConfig<'_>) -> Arc<Inner> {
    Inner::new(config.role, config.limits, config.deflater.take())
}

/// Runs a connection over this transport in a task of its own, until its last handle is dropped.
pub(crate) fn spawn<Io>(transport: Transport<Io>, mut config: ConnectionConfig<'_>) -> Arc<Inner>
where
    Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let inner = prepare(&mut config);
    let mut connection = Box::pin(ConnectionFuture::new(inner.clone(), config));
    connection.as_mut().open(transport, &Bytes::new(), || until_handles_are_dropped(inner.clone()));
    tokio::spawn(with_debug_output(connection));
    inner
}

/// The handler of a connection that has none.
async fn until_handles_are_dropped(inner: Arc<Inner>) -> CloseFrame {
    let mut waiter = Waiter::new(&inner, Waiting::Watcher);
    poll_fn(|cx| waiter.poll(cx, Inner::poll_handles_dropped)).await;
    CloseCode::NORMAL.into()
}
