//! How a connection comes to be.

use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};

use super::assembler::Assembler;
use super::keepalive::Keepalive;
use super::running::Running;
use super::shared::Shared;
use super::socket::Socket;
use super::task::Task;
use super::transport::Transport;
use super::wire::Wire;
use crate::deflate::{Deflater, Inflater};
use crate::handler::HandlerOutput;
use crate::limits::Limits;
use crate::role::Role;

/// What a connection needs to know before its first frame.
#[derive(Debug)]
pub(crate) struct Terms {
    pub(crate) role: Role,
    pub(crate) limits: Limits,
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
pub(crate) fn prepare<Io, H>(terms: Terms) -> (Running<Io, H>, Arc<Shared>)
where
    Io: AsyncRead + AsyncWrite + Unpin,
    H: Future<Output: HandlerOutput>,
{
    let Terms { role, limits, keepalive, read_to_end, deflate } = terms;
    let (deflater, inflater) = deflate.unzip();
    let shared = Shared::new(role, limits.outgoing, deflater);
    let socket = Socket::new(role, Wire::new(role, Assembler::new(&limits, inflater)));
    let task = Task::new(socket, shared.clone(), &limits, keepalive, read_to_end);
    (Running::new(task, limits.handshake_time), shared)
}

/// Runs a connection over this transport in a task of its own, until its last handle is gone.
pub(crate) fn spawn<Io>(transport: Transport<Io>, terms: Terms) -> Arc<Shared>
where
    Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (running, shared) = prepare(terms);
    let mut running = Box::pin(running);
    let handles = shared.clone();
    running.as_mut().open(transport, Bytes::new(), || async move { handles.abandoned().await });
    tokio::spawn(running);
    shared
}
