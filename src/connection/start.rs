//! How a connection comes to be.

use std::future::Future;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};

use super::assembler::Assembler;
use super::keepalive::Keepalive;
use super::outgoing::Framing;
use super::shared::Shared;
use super::socket::Socket;
use super::task::Task;
use super::wire::Wire;
use crate::close::CloseFrame;
use crate::deflate::{Deflater, Inflater};
use crate::limits::Limits;
use crate::role::Role;

/// A connection whose opening handshake is done. It lives while it [`run`](Self::run)s.
pub(crate) struct Connection<Io> {
    task: Task<Io>,
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
    pub(crate) async fn new(transport: Io, terms: Terms) -> Self {
        let Terms { role, limits, keepalive, deflate } = terms;
        let (deflater, inflater) = deflate.unzip();
        let framing = Framing { role, vectored: transport.is_write_vectored() };
        let shared = Shared::new(framing, limits.outgoing, deflater);
        let socket = Socket::new(role, Wire::new(role, Assembler::new(&limits, inflater))).await;
        let task = Task::new(transport, socket, shared.clone(), &limits, keepalive);
        Self { task, shared }
    }

    /// What its handles share with it.
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Runs until the transport and the handler have both ended. What the handler returns is the close frame to send.
    pub(crate) async fn run(self, handler: impl Future<Output = CloseFrame>) {
        self.task.run(handler).await;
    }
}
