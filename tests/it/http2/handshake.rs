//! The opening handshake over HTTP/2 (RFC 8441).

use bytes::Bytes;
use http::{StatusCode, Version};
use tower_websocket::{Message, WebSocketLayer};

use super::peer::{CLOSE, Peer, RSV1, TEXT, VERSION, settle};
use crate::net::handed_over;
use crate::shared::{echo, quiet, websocket_request};
use crate::support::{deflate, inflate};

#[tokio::test(start_paused = true)]
async fn extended_connect_is_answered_with_200_and_no_key() {
    let (layer, mut handlers) = handed_over();
    let mut peer = Peer::connect(layer.upgrader(quiet().subprotocols(["chat"]))).await;
    let cookies = [("cookie", "theme=dark"), ("cookie", "session=1")];
    let headers = [&[("origin", "https://h"), ("sec-websocket-protocol", "chat"), VERSION], &cookies[..]].concat();
    let mut stream = peer.open("https://h/ws?id=1", &headers).await;
    assert_eq!(stream.response.status(), StatusCode::OK);
    assert_eq!(stream.response.headers()["sec-websocket-protocol"], "chat");
    for name in ["sec-websocket-accept", "connection", "upgrade", "content-length", "sec-websocket-extensions"] {
        assert!(!stream.response.headers().contains_key(name), "{name}");
    }
    let handler = handlers.recv().await.unwrap();
    assert_eq!(handler.request().version, Version::HTTP_2);
    // Chromium splits its cookies like this.
    assert_eq!(handler.request().headers["cookie"], "theme=dark; session=1");
    assert_eq!(handler.request().headers["host"], "h");
    stream.send(TEXT, b"hello");
    assert_eq!(handler.recv().await.unwrap(), Some(Message::text("hello")));
    handler.send("world").await.unwrap();
    stream.expect(TEXT, b"world").await;
}

#[tokio::test(start_paused = true)]
async fn refusals_have_a_status_and_a_body() {
    let mut peer = Peer::connect(WebSocketLayer::new(echo).path("/ws")).await;
    for (uri, headers, status, body) in [
        ("https://h/ws", &[("origin", "https://evil"), VERSION][..], 403, "pages of this origin"),
        ("https://h:1/ws", &[("origin", "null"), VERSION], 403, "pages of this origin"),
        ("https://h/ws", &[("origin", "https://localhost"), VERSION], 403, "pages of this origin"),
        ("https://h/ws", &[("sec-websocket-version", "8")], 426, "Sec-WebSocket-Version must be 13"),
        ("https://h/ws", &[], 426, "Sec-WebSocket-Version must be 13"),
        ("https://h/ws", &[("sec-websocket-protocol", "a b"), VERSION], 400, "must be a list of tokens"),
        ("https://h/ws", &[("sec-fetch-site", "cross-site"), VERSION], 403, ""),
        ("https://h/elsewhere", &[VERSION], 426, "only WebSocket connections"),
    ] {
        let mut stream = peer.open(uri, headers).await;
        assert_eq!(stream.response.status(), status, "{headers:?}");
        let text = stream.body().await;
        assert!(text.contains(body) && text.ends_with('\n'), "{headers:?}: {text}");
    }
    assert_eq!(peer.open("https://h/ws", &[("origin", "https://h:8443"), VERSION]).await.response.status(), 200);
}

/// The layer is never asked: the guide `incident` says so. When this fails, hyper has learnt to refuse the one request.
#[tokio::test(start_paused = true)]
async fn hyper_ends_the_connection_for_a_handshake_that_announces_a_body() {
    let mut peer = Peer::connect(WebSocketLayer::new(echo).upgrader(quiet())).await;
    let request = websocket_request("http://h/").header(VERSION.0, VERSION.1);
    assert!(peer.try_open(request.header("content-length", "5")).await.is_err());
    peer.connection.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_host_header_is_no_way_around_the_authority() {
    let mut peer = Peer::connect(WebSocketLayer::new(echo)).await;
    let headers = [("origin", "https://evil"), ("host", "evil"), VERSION];
    let stream = peer.open("https://h/", &headers).await;
    assert!(stream.response.status().is_client_error(), "{:?}", stream.response);
}

#[tokio::test(start_paused = true)]
async fn compression_is_agreed_on_and_used() {
    let mut peer = Peer::connect(WebSocketLayer::new(echo).upgrader(quiet())).await;
    let headers = [("sec-websocket-extensions", "permessage-deflate; client_max_window_bits"), VERSION];
    let mut stream = peer.open("https://h/", &headers).await;
    let agreed = stream.response.headers()["sec-websocket-extensions"].to_str().unwrap();
    assert!(agreed.starts_with("permessage-deflate"), "{agreed}");
    let text = "compressible ".repeat(100);
    let compressed = deflate(&text);
    stream.send(RSV1 | TEXT, &compressed);
    let [first, length] = stream.take(2).await[..] else { unreachable!("two bytes") };
    assert_eq!(first, 0x80 | RSV1 | TEXT);
    assert!(length < 100, "{length}");
    assert_eq!(inflate(&stream.take(length.into()).await), text.as_bytes());
}

#[tokio::test(start_paused = true)]
async fn no_more_than_max_connections_are_open() {
    let layer = WebSocketLayer::new(echo).path("/").max_connections(2).upgrader(quiet());
    let mut peer = Peer::connect(layer).await;
    let mut open = [peer.open("http://h/", &[VERSION]).await, peer.open("http://h/", &[VERSION]).await];
    let mut refused = peer.open("http://h/", &[VERSION]).await;
    assert_eq!(refused.response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(refused.response.headers().contains_key("retry-after"));
    assert_eq!(refused.body().await, "too many WebSocket connections are open\n");

    open[0].send(CLOSE, &1000_u16.to_be_bytes());
    open[0].expect(CLOSE, &1000_u16.to_be_bytes()).await;
    open[0].send.send_data(Bytes::new(), true).unwrap();
    settle().await;
    let mut next = peer.open("http://h/", &[VERSION]).await;
    for stream in [&mut next, &mut open[1]] {
        stream.send(TEXT, b"welcome");
        stream.expect(TEXT, b"welcome").await;
    }
}
