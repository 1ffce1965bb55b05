//! A WebSocket over HTTP/2 (RFC 8441) as a stream of bytes.

use std::fmt::Write as _;

use h2::client::Builder;
use tokio::io::DuplexStream;

use crate::shared::{handshake, join, websocket_request};

/// Asks for a WebSocket with these header lines and returns the head of the response, as HTTP/1.1 would write it. Where it
/// is accepted, its stream is joined with `peer`.
pub(super) async fn open(transport: DuplexStream, peer: DuplexStream, uri: &str, more: &str) -> String {
    let (mut sender, connection) = handshake(&Builder::new(), transport).await;
    // How it ends shows at the stream.
    tokio::spawn(async { connection.await.unwrap_or(()) });

    let mut request = websocket_request(uri);
    for line in more.lines() {
        let (name, value) = line.split_once(": ").unwrap();
        request = request.header(name, value);
    }
    let request = request.header("sec-websocket-version", "13");
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
