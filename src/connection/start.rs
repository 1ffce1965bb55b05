//! How a connection comes to be.

use std::future::Future;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};

use super::assembler::Assembler;
use super::keepalive::Keepalive;
use super::outgoing::Framing;
use super::shared::Shared;
use super::socket::Socket;
use super::task::{Running, Task};
use super::wire::Wire;
use crate::deflate::{Deflater, Inflater};
use crate::handler::HandlerOutput;
use crate::limits::Limits;
use crate::role::Role;

/// A connection whose opening handshake is done.
#[derive(Debug)]
pub(crate) struct Connection<Io> {
    transport: Io,
    wire: Wire,
    role: Role,
    limits: Limits,
    keepalive: Keepalive,
    shared: Arc<Shared>,
}

/// What a connection needs to know before its first frame.
#[derive(Debug)]
pub(crate) struct Terms {
    pub(crate) role: Role,
    pub(crate) limits: Limits,
    pub(crate) keepalive: Keepalive,
    /// permessage-deflate, where it was agreed upon.
    pub(crate) deflate: Option<(Deflater, Inflater)>,
}

impl<Io: AsyncRead + AsyncWrite + Unpin> Connection<Io> {
    pub(crate) fn new(transport: Io, terms: Terms) -> Self {
        let Terms { role, limits, keepalive, deflate } = terms;
        let (deflater, inflater) = deflate.unzip();
        let framing = Framing { role, vectored: transport.is_write_vectored() };
        let shared = Shared::new(framing, limits.outgoing, deflater);
        let wire = Wire::new(role, Assembler::new(&limits, inflater));
        Self { transport, wire, role, limits, keepalive, shared }
    }

    /// What its handles share with it.
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// The future that runs until the transport and the handler have both ended. Only what it needs is in it, as it is
    /// most of the memory of an idle connection.
    pub(crate) async fn start<H: Future<Output: HandlerOutput>>(self, handler: H) -> Running<Io, H> {
        let socket = Socket::new(self.role, self.wire).await;
        let task = Task::new(self.transport, socket, self.shared, &self.limits, self.keepalive);
        Running::new(task, handler)
    }

    /// Runs in a task of its own until the last handle is gone, for connections without a handler.
    pub(crate) fn spawn(self)
    where
        Io: Send + 'static,
    {
        let shared = self.shared.clone();
        tokio::spawn(async move {
            let running = self.start(async move { shared.abandoned().await }).await;
            tokio::spawn(running);
        });
    }
}
