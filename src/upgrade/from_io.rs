//! Connections whose opening handshake was done elsewhere.

use http::Request;
use tokio::io::{AsyncRead, AsyncWrite};

use super::config::WebSocketConfig;
use super::socket::set_nodelay;
use crate::handshake::StoredRequest;
use crate::manager::Manager;
use crate::role::Role;

impl Manager {
    /// A WebSocket over any transport, such as a Unix socket, a tunnel or another HTTP implementation. The opening
    /// handshake was done elsewhere, or there is none.
    ///
    /// No extension is agreed upon, so nothing is compressed, and the compression in `config` is ignored.
    /// [`request`](Self::request) is empty. The connection closes when the last clone is dropped.
    ///
    /// `TCP_NODELAY` is set on a `TcpStream` and, with the feature `rustls`, on one within a `TlsStream`. For other types
    /// set it before, or small messages wait for Nagle's algorithm.
    ///
    /// ```
    /// use tower_websocket::{Manager, Message, Role, WebSocketConfig};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), tower_websocket::Error> {
    /// let (near, far) = tokio::io::duplex(1024);
    /// let client = Manager::from_upgraded(near, Role::Client, &WebSocketConfig::new());
    /// let server = Manager::from_upgraded(far, Role::Server, &WebSocketConfig::new());
    /// client.send("hello").await?;
    /// assert_eq!(server.recv().await?, Some(Message::text("hello")));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    #[doc(alias = "accept_async")]
    #[doc(alias = "from_raw_socket")]
    #[doc(alias = "from_partially_read")]
    #[doc(alias = "NewConn")]
    #[must_use]
    pub fn from_upgraded<Io>(io: Io, role: Role, config: &WebSocketConfig) -> Self
    where
        Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        set_nodelay(&io);
        let (request, ()) = Request::new(()).into_parts();
        Self::detached(io, config.connection_config(role, None), StoredRequest::new(request), None)
    }
}
