//! A WebSocket over HTTP/2 (RFC 8441) as a stream of bytes.

use std::fmt::Write as _;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use bytes::Bytes;
use h2::client::Builder;
use h2::ext::Protocol;
use http::{Method, Request, Version};
use tokio::io::DuplexStream;

use super::h2_stream::join;

/// Asks for a WebSocket with these header lines and returns the head of the response, as HTTP/1.1 would write it. Where it
/// is accepted, its stream is joined with `peer`.
pub(super) async fn open(transport: DuplexStream, peer: DuplexStream, uri: &str, more: &str) -> String {
    let (mut sender, mut connection) = Builder::new().handshake::<_, Bytes>(transport).await.unwrap();
    poll_fn(|cx| {
        assert!(Pin::new(&mut connection).poll(cx).is_pending(), "the connection ends early");
        if sender.is_extended_connect_protocol_enabled() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    // How it ends shows at the stream.
    tokio::spawn(async { connection.await.unwrap_or(()) });

    let mut request = Request::builder().method(Method::CONNECT).uri(uri).version(Version::HTTP_2);
    for line in more.lines() {
        let (name, value) = line.split_once(": ").unwrap();
        request = request.header(name, value);
    }
    let request = request.header("sec-websocket-version", "13").extension(Protocol::from_static("websocket"));
    let (response, send) = sender.send_request(request.body(()).unwrap(), false).unwrap();
    let (head, receive) = response.await.unwrap().into_parts();
    if head.status == 200 {
        join(peer, send, receive);
    }
    let mut text = format!("HTTP/2 {}\r\n", head.status);
    for (name, value) in &head.headers {
        write!(text, "{name}: {}\r\n", value.to_str().unwrap()).unwrap();
    }
    text
}
