//! Forwarding messages between two connections.

use std::sync::OnceLock;

use crate::close::{CloseCode, CloseFrame};
use crate::error::Error;
use crate::manager::Manager;

impl Manager {
    /// Forwards messages between two connections, in both directions, until one of them ends; then closes the other.
    ///
    /// Neither side is read faster than the other accepts messages, so that the memory is bounded and a slow peer slows the
    /// other one down. Everything that one side sent before it closed is forwarded, and then its close frame: a frame
    /// without a code (1005) is sent without a code. If a side ends without a close frame, the other gets 1014 (bad
    /// gateway). Each side has its own pings and its own compression.
    ///
    /// ```no_run
    /// use tower_websocket::{CloseFrame, Error, Manager};
    ///
    /// // A reverse proxy: the whole handler.
    /// # #[cfg(feature = "client")]
    /// async fn proxy(ws: Manager) -> Result<CloseFrame, Error> {
    ///     let upstream = Manager::connect("ws://10.0.0.2:3000/ws").await?;
    ///     ws.join(&upstream).await
    /// }
    /// ```
    ///
    /// A proxy can connect to its upstream before it answers the handshake, and forward the subprotocols:
    ///
    /// ```
    /// # #[cfg(all(feature = "axum", feature = "client"))]
    /// # mod proxy {
    /// use axum::response::{IntoResponse, Response};
    /// use http::header::SEC_WEBSOCKET_PROTOCOL;
    /// use http::{HeaderMap, StatusCode};
    /// use tower_websocket::Connector;
    /// use tower_websocket::axum::WebSocketUpgrade;
    ///
    /// async fn proxy(ws: WebSocketUpgrade, headers: HeaderMap) -> Response {
    ///     let mut connector = Connector::new();
    ///     if let Some(offered) = headers.get(SEC_WEBSOCKET_PROTOCOL) {
    ///         connector = connector.header(SEC_WEBSOCKET_PROTOCOL, offered.clone());
    ///     }
    ///     match connector.connect("ws://10.0.0.2:3000/ws").await {
    ///         Ok(upstream) => {
    ///             let ws = ws.subprotocols(upstream.subprotocol());
    ///             ws.on_upgrade(async move |ws| ws.join(&upstream).await)
    ///         }
    ///         Err(_) => StatusCode::BAD_GATEWAY.into_response(),
    ///     }
    /// }
    /// # }
    /// ```
    ///
    /// It returns once both have ended, with the close frame of the one that ended first.
    ///
    /// # Errors
    ///
    /// The reason why the first of them ended, if it was not a close.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped, both connections stay open. A message that was received from one and not yet sent to the
    /// other is lost.
    #[doc(alias = "pipe")]
    #[doc(alias = "proxy")]
    #[doc(alias = "copy_bidirectional")]
    pub async fn join(&self, other: &Self) -> Result<CloseFrame, Error> {
        let first = OnceLock::new();
        tokio::join!(forward(self, other, &first), forward(other, self, &first));
        let (this, that) = tokio::join!(self.done(), other.done());
        first.into_inner().unwrap_or_else(|| this.and(that))
    }
}

/// Forwards what one side sends, and then its end. If the other side accepts no more messages, this returns: the opposite direction
/// reports why.
async fn forward(from: &Manager, to: &Manager, first: &OnceLock<Result<CloseFrame, Error>>) {
    let end = loop {
        match from.recv().await {
            Ok(Some(message)) => {
                if to.send(message).await.is_err() {
                    return;
                }
            }
            Ok(None) => break from.end().unwrap_or_else(|| Ok(CloseCode::NORMAL.into())),
            Err(error) => break Err(error),
        }
    };
    let frame = end.clone().unwrap_or_else(|_| CloseCode::BAD_GATEWAY.into());
    first.get_or_init(|| end);
    to.start_close(frame);
}
