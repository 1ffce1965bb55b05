//! A WebSocket over HTTP/2 (RFC 8441) as a stream of bytes.

use std::fmt::Write as _;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use bytes::Bytes;
use h2::client::Builder;
use h2::ext::Protocol;
use h2::{RecvStream, SendStream};
use http::{Method, Request, Version};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf, split};

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
        let (sent, received) = split(peer);
        tokio::spawn(pass_out(sent, send));
        tokio::spawn(pass_in(receive, received));
    }
    let mut text = format!("HTTP/2 {}\r\n", head.status);
    for (name, value) in &head.headers {
        write!(text, "{name}: {}\r\n", value.to_str().unwrap()).unwrap();
    }
    text
}

/// What the peer sends, to its end.
async fn pass_out(mut sent: ReadHalf<DuplexStream>, mut stream: SendStream<Bytes>) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(len @ 1..) = sent.read(&mut buffer).await {
        let mut rest = &buffer[..len];
        while !rest.is_empty() {
            stream.reserve_capacity(rest.len());
            let Some(Ok(room)) = poll_fn(|cx| stream.poll_capacity(cx)).await else { return };
            let (now, later) = rest.split_at(room.min(rest.len()));
            if stream.send_data(Bytes::copy_from_slice(now), false).is_err() {
                return;
            }
            rest = later;
        }
    }
    // The stream may be over.
    let _ = stream.send_data(Bytes::new(), true);
}

/// What the peer receives, to its end. What it does not read holds the server up. A reset is no end: it cuts the peer off
/// in the middle of a frame.
async fn pass_in(mut stream: RecvStream, mut received: WriteHalf<DuplexStream>) {
    while let Some(data) = stream.data().await {
        let Ok(data) = data else {
            // The peer may be gone.
            let _ = received.write_all(b"\xffreset").await;
            break;
        };
        if received.write_all(&data).await.is_err() || stream.flow_control().release_capacity(data.len()).is_err() {
            return;
        }
    }
    let _ = received.shutdown().await;
}
