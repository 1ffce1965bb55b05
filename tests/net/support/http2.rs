//! WebSockets over HTTP/2 (RFC 8441) for a scripted peer of either role.

use bytes::Bytes;
use h2::ext::Protocol;
use h2::{client, server};
use http::Response;
use tokio::io::{DuplexStream, duplex};

use super::over::Io;
use crate::shared::{handshake, join, websocket_request};

/// Opens a WebSocket as a client. What is not read holds the stream's window closed.
pub(super) async fn open(transport: impl Io + 'static) -> DuplexStream {
    let (mut sender, connection) = handshake(&client::Builder::new(), transport).await;
    // How it ends shows at the stream.
    tokio::spawn(async { connection.await.unwrap_or(()) });
    let request = websocket_request("http://localhost/").header("sec-websocket-version", "13").body(()).unwrap();
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
