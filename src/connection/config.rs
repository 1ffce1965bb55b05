//! How a connection comes to be.

use std::future::{Future, poll_fn};
use std::sync::Arc;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};

use super::driver::Driver;
use super::future::ConnectionFuture;
use super::inner::Inner;
use super::state::Waiting;
use super::transport::Transport;
use super::waiter::Waiter;
use crate::close::{CloseCode, CloseFrame};
use crate::debug::with_debug_output;
use crate::deflate::{Deflater, Inflater};
use crate::limits::Limits;
use crate::protocol::{Assembler, Keepalive};
use crate::role::Role;

/// What a connection needs to know before its first frame.
#[derive(Debug)]
pub(crate) struct ConnectionConfig<'a> {
    pub(crate) role: Role,
    pub(crate) limits: &'a Limits,
    pub(crate) keepalive: Keepalive,
    /// Whether the transport is read to its end after the closing handshake: it is a stream of HTTP/2.
    pub(crate) read_to_end: bool,
    /// permessage-deflate, where it was agreed upon.
    pub(crate) deflate: Option<(Deflater, Inflater)>,
}

/// Makes a connection that waits for its transport, and what its handles share with it.
///
/// All that lives as long as the connection is made here, while what serves the handshake is still in memory: made later,
/// it would go into the holes which that leaves behind, and the next handshake would need new memory.
#[inline]
pub(crate) fn prepare<Io, H>(mut config: ConnectionConfig<'_>) -> (ConnectionFuture<Io, H>, Arc<Inner>)
where
    Io: AsyncRead + AsyncWrite + Unpin,
    H: Future<Output = CloseFrame>,
{
    let (deflater, inflater) = config.deflate.take().unzip();
    let inner = Inner::new(config.role, config.limits, deflater);
    let assembler = Assembler::new(config.limits, inflater);
    let handshake_time = config.limits.handshake_time;
    let driver = Driver::new(inner.clone(), config, assembler);
    (ConnectionFuture::new(driver, handshake_time), inner)
}

/// Runs a connection over this transport in a task of its own, until its last handle is dropped.
pub(crate) fn spawn<Io>(transport: Transport<Io>, config: ConnectionConfig<'_>) -> Arc<Inner>
where
    Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (connection, inner) = prepare(config);
    let mut connection = Box::pin(connection);
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
