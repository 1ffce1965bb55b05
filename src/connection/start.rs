//! How a connection comes to be.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};

use super::assembler::Assembler;
use super::keepalive::Keepalive;
use super::running::Running;
use super::shared::Shared;
use super::socket::Socket;
use super::task::Task;
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

/// A connection without its transport.
#[derive(Debug)]
pub(crate) struct Prepared<Io> {
    // Boxed, or it would be copied at each step from here to its task (`benches/handshake.rs`).
    task: Box<Task<Io>>,
    /// How long the transport may take to come.
    handshake_time: Duration,
}

impl<Io: AsyncRead + AsyncWrite + Unpin> Prepared<Io> {
    /// What the connection's handles share with it.
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.task.shared
    }

    /// With room for a handler.
    pub(crate) fn into_running<H: Future<Output: HandlerOutput>>(self) -> Running<Io, H> {
        Running::new(self.task, self.handshake_time)
    }
}

/// Makes a connection, which then waits for its transport.
///
/// All that lives as long as the connection is made here, while what serves the handshake is still in memory: made later,
/// it would go into the holes which that leaves behind, and the next handshake would need new memory.
pub(crate) fn prepare<Io: AsyncRead + AsyncWrite + Unpin>(terms: Terms) -> Prepared<Io> {
    let Terms { role, limits, keepalive, read_to_end, deflate } = terms;
    let (deflater, inflater) = deflate.unzip();
    let shared = Shared::new(role, limits.outgoing, deflater);
    let socket = Socket::new(role, Wire::new(role, Assembler::new(&limits, inflater)));
    let task = Box::new(Task::new(socket, shared, &limits, keepalive, read_to_end));
    Prepared { task, handshake_time: limits.handshake_time }
}

/// Runs a connection over this transport in a task of its own, until its last handle is gone.
pub(crate) fn spawn<Io>(transport: Io, prepared: Prepared<Io>) -> Arc<Shared>
where
    Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let shared = prepared.shared().clone();
    let mut running = Box::pin(prepared.into_running());
    let handles = shared.clone();
    running.as_mut().open(transport, Bytes::new(), false, || async move { handles.abandoned().await });
    tokio::spawn(running);
    shared
}
