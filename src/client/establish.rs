//! The client's part of a handshake, without the transport of request and response.

use http::header::SEC_WEBSOCKET_EXTENSIONS;
use http::request::Parts;
use http::{Request, Response};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::error::{Error, ErrorKind};
use crate::handshake::{ClientHandshake, StoredRequest, copied};
use crate::manager::Manager;
use crate::role::Role;
use crate::upgrade::WebSocketConfig;

/// A handshake whose response has not arrived yet.
#[derive(Debug)]
pub(crate) struct PendingHandshake {
    opening: ClientHandshake,
    request: Parts,
    config: WebSocketConfig,
}

impl PendingHandshake {
    /// Makes a request into a handshake.
    pub(crate) fn new<B>(request: &mut Request<B>, config: WebSocketConfig) -> Self {
        let opening = ClientHandshake::new(request, config.offered().map(|compression| compression.offer()));
        Self { opening, request: copied(&*request), config }
    }

    /// Validates the response, and starts the connection over `transport`.
    pub(crate) fn finish<B, Io>(self, response: &Response<B>, transport: Io) -> Result<Manager, Error>
    where
        Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let subprotocol = self.opening.confirm(response)?;
        let negotiated = match self.config.offered() {
            Some(compression) => compression.confirm(response.headers())?,
            None if response.headers().contains_key(SEC_WEBSOCKET_EXTENSIONS) => {
                return Err(Error::with_source(
                    ErrorKind::Handshake,
                    "the server chose an extension that was not offered",
                ));
            }
            None => None,
        };
        let config = self.config.connection_config(Role::Client, negotiated);
        Ok(Manager::detached(transport, config, StoredRequest::new(self.request), subprotocol))
    }
}
