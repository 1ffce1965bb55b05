//! WebSockets over HTTP/2 (RFC 8441) for a scripted peer of either role.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use bytes::Bytes;
use h2::ext::Protocol;
use h2::{client, server};
use http::{Method, Request, Response, Version};
use tokio::io::{DuplexStream, duplex};

use super::h2_stream::join;
use super::over::Io;

/// Opens a WebSocket as a client. What is not read holds the stream's window closed.
pub(super) async fn open(transport: impl Io + 'static) -> DuplexStream {
    let (mut sender, mut connection) = client::Builder::new().handshake::<_, Bytes>(transport).await.unwrap();
    poll_fn(|cx| {
        assert!(Pin::new(&mut connection).poll(cx).is_pending(), "the connection ends early");
        if sender.is_extended_connect_protocol_enabled() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    // How it ends shows at the stream.
    tokio::spawn(async { connection.await.unwrap_or(()) });
    let request = Request::builder()
        .method(Method::CONNECT)
        .uri("http://localhost/")
        .version(Version::HTTP_2)
        .header("sec-websocket-version", "13")
        .extension(Protocol::from_static("websocket"))
        .body(())
        .unwrap();
    let (response, send) = sender.send_request(request, false).unwrap();
    let (head, receive) = response.await.unwrap().into_parts();
    assert_eq!(head.status, 200);
    joined(send, receive)
}

/// Accepts the first WebSocket as a server.
pub(super) async fn accept(transport: impl Io + 'static) -> DuplexStream {
    let mut connection =
        server::Builder::new().enable_connect_protocol().handshake::<_, Bytes>(transport).await.unwrap();
    let (request, mut respond) = connection.accept().await.unwrap().unwrap();
    assert_eq!(request.extensions().get::<Protocol>().unwrap().as_str(), "websocket");
    let send = respond.send_response(Response::new(()), false).unwrap();
    tokio::spawn(async move { while connection.accept().await.is_some() {} });
    joined(send, request.into_body())
}

fn joined(send: h2::SendStream<Bytes>, receive: h2::RecvStream) -> DuplexStream {
    let (near, far) = duplex(BUFFER);
    join(far, send, receive);
    near
}

/// Small, so that what is not read shows soon.
const BUFFER: usize = 4 * 1024;
