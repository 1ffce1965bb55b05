//! Clients of HTTP/2 by the crate `h2`, which do only what they are told.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use bytes::Bytes;
use h2::client::{Builder, Connection, SendRequest};
use h2::ext::Protocol;
use http::{Method, Request, Version, request};
use tokio::io::{AsyncRead, AsyncWrite};

/// Opens a connection, and waits until the server has offered WebSockets over it (RFC 8441 §3).
pub(crate) async fn handshake<Io>(builder: &Builder, transport: Io) -> (SendRequest<Bytes>, Connection<Io, Bytes>)
where
    Io: AsyncRead + AsyncWrite + Unpin,
{
    let (sender, mut connection) = builder.handshake(transport).await.unwrap();
    poll_fn(|cx| {
        assert!(Pin::new(&mut connection).poll(cx).is_pending(), "the connection ends early");
        if sender.is_extended_connect_protocol_enabled() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    (sender, connection)
}

/// An extended CONNECT that asks for a WebSocket. `Sec-WebSocket-Version` is not set yet.
pub(crate) fn websocket_request(uri: &str) -> request::Builder {
    Request::builder()
        .method(Method::CONNECT)
        .uri(uri)
        .version(Version::HTTP_2)
        .extension(Protocol::from_static("websocket"))
}
