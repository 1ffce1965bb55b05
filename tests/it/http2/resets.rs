//! Resets and errors of HTTP/2 end a WebSocket at once.

#![expect(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

use std::error::Error as _;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use http::Response;
use tokio::io::duplex;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tower_websocket::{Connector, ErrorKind, Limits, Manager, Message};

use super::peer::{Peer, TEXT, VERSION, flood, settle};
use crate::net::handed_over;
use crate::shared::quiet;

#[tokio::test(start_paused = true)]
async fn a_reset_ends_the_connection_at_once() {
    for reason in [Reason::CANCEL, Reason::INTERNAL_ERROR, Reason::NO_ERROR, Reason::ENHANCE_YOUR_CALM] {
        let (layer, mut handlers) = handed_over();
        let mut peer = Peer::connect(layer.upgrader(quiet())).await;
        let mut stream = peer.open("http://h/", &[VERSION]).await;
        let handler = handlers.recv().await.unwrap();
        let start = Instant::now();
        stream.send.send_reset(reason);
        let error = handler.recv().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Disconnected, "{reason:?}");
        assert!(error.source().is_some(), "{reason:?}");
        assert_eq!(handler.done().await.unwrap_err().kind(), ErrorKind::Disconnected, "{reason:?}");
        assert_eq!(handler.send("x").await.unwrap_err().kind(), ErrorKind::Disconnected, "{reason:?}");
        assert_eq!(start.elapsed(), Duration::ZERO, "{reason:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_reset_also_ends_a_connection_that_waits_for_the_peer() {
    let full = Arc::new(AtomicUsize::new(0));
    let (layer, mut handlers) = handed_over();
    let mut peer = Peer::connect(layer.upgrader(quiet().without_compression())).await;
    let mut stream = peer.open("http://h/", &[VERSION]).await;
    let handler = handlers.recv().await.unwrap();
    let flooding = tokio::spawn(flood(handler.clone(), full.clone()));
    settle().await;
    let start = Instant::now();
    stream.send.send_reset(Reason::CANCEL);
    assert_eq!(flooding.await.unwrap().unwrap_err().kind(), ErrorKind::Disconnected);
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_http_connection_ends_its_websockets_at_once() {
    let (layer, mut handlers) = handed_over();
    let mut peer = Peer::connect(layer.upgrader(quiet())).await;
    let _streams = [peer.open("http://h/", &[VERSION]).await, peer.open("http://h/", &[VERSION]).await];
    let handlers = [handlers.recv().await.unwrap(), handlers.recv().await.unwrap()];
    let start = Instant::now();
    peer.connection.abort();
    for handler in handlers {
        assert_eq!(handler.done().await.unwrap_err().kind(), ErrorKind::Disconnected);
    }
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_reset_or_an_error_of_the_server_ends_a_client_at_once() {
    for end in [
        Ending::Reset(Reason::CANCEL),
        Ending::Reset(Reason::INTERNAL_ERROR),
        Ending::GoAway(Reason::INTERNAL_ERROR),
        Ending::GoAway(Reason::ENHANCE_YOUR_CALM),
    ] {
        let (ws, tell, _server) = client_of(end).await;
        let start = Instant::now();
        tell.send(()).unwrap();
        let error = ws.recv().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Disconnected, "{end:?}");
        assert!(error.source().is_some(), "{end:?}");
        assert_eq!(ws.done().await.unwrap_err().kind(), ErrorKind::Disconnected, "{end:?}");
        assert_eq!(start.elapsed(), Duration::ZERO, "{end:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_takes_no_more_streams_leaves_a_client_its_own() {
    let (ws, tell, _server) = client_of(Ending::Graceful).await;
    tell.send(()).unwrap();
    for _ in 0..3 {
        assert_eq!(ws.recv().await.unwrap(), Some(Message::text("hello")));
    }
    assert!(ws.end().is_none());
}

#[tokio::test(start_paused = true)]
async fn an_error_of_the_client_ends_the_servers_connection_at_once() {
    let (layer, mut handlers) = handed_over();
    let (mut peer, raw) = Peer::through_a_proxy(layer.upgrader(quiet())).await;
    let _stream = peer.open("http://h/", &[VERSION]).await;
    let handler = handlers.recv().await.unwrap();
    let start = Instant::now();
    raw.send(go_away(Reason::ENHANCE_YOUR_CALM)).unwrap();
    // RFC 9113 §5.4.1: who sends it for an error closes the transport.
    drop(raw);
    let error = handler.recv().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Disconnected);
    assert!(error.source().is_some());
    assert_eq!(handler.done().await.unwrap_err().kind(), ErrorKind::Disconnected);
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_opens_no_more_streams_keeps_its_own() {
    let (layer, mut handlers) = handed_over();
    let (mut peer, raw) = Peer::through_a_proxy(layer.upgrader(quiet())).await;
    let mut stream = peer.open("http://h/", &[VERSION]).await;
    let handler = handlers.recv().await.unwrap();
    raw.send(go_away(Reason::NO_ERROR)).unwrap();
    settle().await;
    stream.send(TEXT, b"still here");
    assert_eq!(handler.recv().await.unwrap(), Some(Message::text("still here")));
    handler.send("so am I").await.unwrap();
    stream.expect(TEXT, b"so am I").await;
}

/// What comes behind unread messages is not read, but the other direction tells of the reset.
#[tokio::test(start_paused = true)]
async fn a_reset_after_unread_messages_is_noticed_without_a_keepalive() {
    // One unread message is enough to stop reading, or none of these is.
    for (messages, incoming) in [0, 1, 2, 10].into_iter().flat_map(|messages| [(messages, 1), (messages, 64 * 1024)]) {
        let (layer, mut handlers) = handed_over();
        let upgrader = quiet().limits(Limits::default().incoming(incoming));
        let mut peer = Peer::connect(layer.upgrader(upgrader)).await;
        let mut stream = peer.open("http://h/", &[VERSION]).await;
        let handler = handlers.recv().await.unwrap();
        for _ in 0..messages {
            stream.send(TEXT, b"unread");
        }
        settle().await;
        let start = Instant::now();
        stream.send.send_reset(Reason::INTERNAL_ERROR);
        // Messages that were received whole are still for the handler, which is waited for: nothing can be sent all the same.
        while !handler.is_closed() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert!(start.elapsed() <= Duration::from_secs(1), "{:?} behind {messages} unread", start.elapsed());
        assert!(handler.send("too late").await.is_err());
        for _ in 0..messages {
            assert_eq!(handler.recv().await.unwrap(), Some(Message::text("unread")), "of {messages}");
        }
        assert_eq!(handler.recv().await.unwrap_err().kind(), ErrorKind::Disconnected, "{messages} unread");
        assert!(handler.done().await.is_err());
    }
}

/// A GOAWAY frame (RFC 9113 §6.8), which the `h2` crate's client never sends.
fn go_away(reason: Reason) -> Vec<u8> {
    let mut frame = vec![0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    frame.extend_from_slice(&u32::from(reason).to_be_bytes());
    frame
}

/// What a server does to its clients.
#[derive(Clone, Copy, Debug)]
enum Ending {
    GoAway(Reason),
    /// A GOAWAY without an error, then three messages.
    Graceful,
    Reset(Reason),
}

/// A client, and its server, which does this when it is told to.
async fn client_of(ending: Ending) -> (Manager, oneshot::Sender<()>, tokio::task::JoinHandle<()>) {
    let (near, far) = duplex(64 * 1024);
    let (tell, told) = oneshot::channel();
    let server = tokio::spawn(async move {
        let mut builder = h2::server::Builder::new();
        let mut connection = builder.enable_connect_protocol().handshake::<_, Bytes>(far).await.unwrap();
        let (_request, mut respond) = connection.accept().await.unwrap().unwrap();
        let mut stream = respond.send_response(Response::new(()), false).unwrap();
        tokio::select! {
            end = poll_fn(|cx| connection.poll_closed(cx)) => panic!("the client is gone: {end:?}"),
            told = told => told.unwrap(),
        }
        match ending {
            Ending::GoAway(reason) => connection.abrupt_shutdown(reason),
            Ending::Graceful => {
                connection.graceful_shutdown();
                for _ in 0..3 {
                    stream.send_data(Bytes::from_static(b"\x81\x05hello"), false).unwrap();
                }
            }
            Ending::Reset(reason) => stream.send_reset(reason),
        }
        // An error is what some of these are about.
        let _ = poll_fn(|cx| connection.poll_closed(cx)).await;
    });
    let connector = Connector::new().config(quiet().get_config().clone()).http2();
    (connector.connect_over(near, "ws://h/").await.unwrap(), tell, server)
}
