//! WebSockets over HTTP/2 (RFC 8441), with the `h2` crate as a peer that does as it is told.

#![expect(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

use std::error::Error as _;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use h2::client::{Builder, SendRequest};
use h2::ext::Protocol;
use h2::{Reason, RecvStream, SendStream};
use http::{Method, Request, Response, StatusCode, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncWriteExt, DuplexStream, copy_bidirectional, duplex};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_io_timeout::TimeoutWriter;
use tower_websocket::{
    CloseCode, Connector, Error, ErrorKind, HandlerOutput, Keepalive, Limits, Manager, Message, Shutdown, Upgrader,
    WebSocketLayer,
};

use crate::net::{echo, handed_over, http_server, serve_stream};
use crate::support::{deflate, inflate};

/// An HTTP/2 connection to a server.
struct Peer {
    sender: SendRequest<Bytes>,
    connection: tokio::task::JoinHandle<()>,
}

/// One stream of it.
struct Stream {
    response: Response<()>,
    send: SendStream<Bytes>,
    receive: RecvStream,
    received: BytesMut,
}

impl Peer {
    async fn connect<H, F>(layer: WebSocketLayer<H>) -> Self
    where
        H: Fn(Manager) -> F + Send + Sync + 'static,
        F: Future<Output: HandlerOutput> + Send + 'static,
    {
        let (near, far) = duplex(1024 * 1024);
        tokio::spawn(serve_stream(far, layer.into_service()));
        Self::over(near).await
    }

    /// Also returns where bytes go to the server between what this peer sends. Dropped, it ends the connection.
    async fn through_a_proxy<H, F>(layer: WebSocketLayer<H>) -> (Self, mpsc::UnboundedSender<Vec<u8>>)
    where
        H: Fn(Manager) -> F + Send + Sync + 'static,
        F: Future<Output: HandlerOutput> + Send + 'static,
    {
        let (near, mut client) = duplex(1024 * 1024);
        let (mut server, far) = duplex(1024 * 1024);
        tokio::spawn(serve_stream(far, layer.into_service()));
        let (raw, mut more) = mpsc::unbounded_channel::<Vec<u8>>();
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = copy_bidirectional(&mut client, &mut server) => return,
                    bytes = more.recv() => match bytes {
                        Some(bytes) => server.write_all(&bytes).await.unwrap(),
                        None => return,
                    },
                }
            }
        });
        (Self::over(near).await, raw)
    }

    async fn over(near: DuplexStream) -> Self {
        let mut builder = Builder::new();
        builder.initial_connection_window_size(1024 * 1024);
        let (sender, mut connection) = builder.handshake(near).await.unwrap();
        poll_fn(|cx| {
            assert!(std::pin::Pin::new(&mut connection).poll(cx).is_pending());
            if sender.is_extended_connect_protocol_enabled() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        let connection = tokio::spawn(async { connection.await.unwrap_or(()) });
        Self { sender, connection }
    }

    /// Sends an extended CONNECT with these headers and waits for the answer.
    async fn open(&mut self, uri: &str, headers: &[(&str, &str)]) -> Stream {
        let mut request = Request::builder().method(Method::CONNECT).uri(uri).version(Version::HTTP_2);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.try_open(request).await.unwrap()
    }

    async fn try_open(&mut self, request: http::request::Builder) -> Result<Stream, h2::Error> {
        let request = request.extension(Protocol::from_static("websocket")).body(()).unwrap();
        let (response, send) = self.sender.send_request(request, false)?;
        let (parts, receive) = response.await?.into_parts();
        Ok(Stream { response: Response::from_parts(parts, ()), send, receive, received: BytesMut::new() })
    }

    /// Waits until the server has answered everything that was sent before.
    async fn catch_up(&mut self) {
        assert_eq!(self.open("http://h/nowhere", &[]).await.response.status(), StatusCode::UPGRADE_REQUIRED);
    }
}

impl Stream {
    fn send(&mut self, opcode: u8, payload: &[u8]) {
        let mut frame = vec![0x80 | opcode, 0x80 | payload.len() as u8, 0, 0, 0, 0];
        frame.extend_from_slice(payload);
        self.send.send_data(frame.into(), false).unwrap();
    }

    /// The next bytes, exactly these, without masks.
    async fn expect(&mut self, opcode: u8, payload: &[u8]) {
        let mut frame = vec![0x80 | opcode, payload.len() as u8];
        frame.extend_from_slice(payload);
        assert_eq!(self.take(frame.len()).await, frame);
    }

    /// The next so many bytes.
    async fn take(&mut self, length: usize) -> BytesMut {
        while self.received.len() < length {
            let data = self.receive.data().await.expect("the stream goes on").unwrap();
            self.receive.flow_control().release_capacity(data.len()).unwrap();
            self.received.extend_from_slice(&data);
        }
        self.received.split_to(length)
    }

    /// END_STREAM comes next.
    async fn expect_end(&mut self) {
        assert!(self.received.is_empty());
        let end = self.receive.data().await.map(|data| data.map(|data| data.len()));
        assert!(matches!(end, None | Some(Ok(0))), "{end:?}");
        assert!(self.receive.is_end_stream());
    }

    /// The reset that has arrived, if one has.
    async fn reset(&mut self) -> Option<Reason> {
        poll_fn(|cx| match self.send.poll_reset(cx) {
            Poll::Ready(reset) => Poll::Ready(reset.ok()),
            Poll::Pending => Poll::Ready(None),
        })
        .await
    }

    async fn body(&mut self) -> String {
        while let Some(data) = self.receive.data().await {
            self.received.extend_from_slice(&data.unwrap());
        }
        String::from_utf8(self.received.to_vec()).unwrap()
    }
}

/// Settings for a peer that answers no pings.
fn without_keepalive() -> Upgrader {
    Upgrader::new().keepalive(Keepalive::disabled())
}

#[tokio::test(start_paused = true)]
async fn extended_connect_is_answered_with_200_and_no_key() {
    let (layer, mut handlers) = handed_over();
    let mut peer = Peer::connect(layer.upgrader(without_keepalive().subprotocols(["chat"]))).await;
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

/// The layer is never asked: the README says so. When this fails, hyper has learnt to refuse the one request.
#[tokio::test(start_paused = true)]
async fn hyper_ends_the_connection_for_a_handshake_that_announces_a_body() {
    let mut peer = Peer::connect(WebSocketLayer::new(echo).upgrader(without_keepalive())).await;
    let request = Request::connect("http://h/").version(Version::HTTP_2).header(VERSION.0, VERSION.1);
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
    let mut peer = Peer::connect(WebSocketLayer::new(echo).upgrader(without_keepalive())).await;
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
    let layer = WebSocketLayer::new(echo).path("/").max_connections(2).upgrader(without_keepalive());
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

#[tokio::test(start_paused = true)]
async fn a_shutdown_closes_all_streams_and_keeps_its_deadline() {
    let shutdown = Shutdown::new();
    let layer = WebSocketLayer::new(echo).path("/").shutdown(&shutdown).upgrader(without_keepalive());
    let mut peer = Peer::connect(layer).await;
    let mut polite = peer.open("http://h/", &[VERSION]).await;
    let mut silent = peer.open("http://h/", &[VERSION]).await;
    let start = Instant::now();
    let closing = tokio::spawn({
        let shutdown = shutdown.clone();
        async move { shutdown.close_all(CloseCode::GOING_AWAY, "", Duration::from_secs(2)).await }
    });
    for stream in [&mut polite, &mut silent] {
        stream.expect(CLOSE, &1001_u16.to_be_bytes()).await;
    }
    polite.send(CLOSE, &1001_u16.to_be_bytes());
    polite.expect_end().await;
    polite.send.send_data(Bytes::new(), true).unwrap();

    let mut refused = peer.open("http://h/", &[VERSION]).await;
    assert_eq!(refused.response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(refused.response.headers().contains_key("retry-after"));
    assert!(!refused.response.headers().contains_key("connection"));
    assert_eq!(refused.body().await, "the server is shutting down\n");

    assert_eq!(closing.await.unwrap(), 1);
    assert_eq!(start.elapsed().as_secs(), 2);
    // The silent one is dropped; what is no WebSocket goes on.
    assert!(!matches!(silent.receive.data().await, Some(Ok(data)) if !data.is_empty()));
    peer.catch_up().await;
    assert_eq!(start.elapsed().as_secs(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_goes_away_lets_its_websockets_end() {
    let (layer, mut handlers) = handed_over();
    let (near, far) = duplex(1024 * 1024);
    let service = TowerToHyperService::new(layer.upgrader(without_keepalive()).into_service());
    let (stop, stopped) = oneshot::channel();
    let server = tokio::spawn(async move {
        let http = http_server();
        let mut connection = pin!(http.serve_connection_with_upgrades(TokioIo::new(far), service));
        tokio::select! {
            _ = stopped => connection.as_mut().graceful_shutdown(),
            _ = connection.as_mut() => panic!("the connection is in use"),
        }
        connection.await.is_ok()
    });
    let mut peer = Peer::over(near).await;
    let mut stream = peer.open("http://h/", &[VERSION]).await;
    let handler = handlers.recv().await.unwrap();
    stop.send(()).unwrap();
    settle().await;

    let request = Request::connect("http://h/").version(Version::HTTP_2).header(VERSION.0, VERSION.1);
    assert!(peer.try_open(request).await.is_err());
    stream.send(TEXT, b"still here");
    assert_eq!(handler.recv().await.unwrap(), Some(Message::text("still here")));
    handler.send("so am I").await.unwrap();
    stream.expect(TEXT, b"so am I").await;
    assert!(!server.is_finished());

    let closing = tokio::spawn(async move { handler.close().await });
    stream.expect(CLOSE, &1000_u16.to_be_bytes()).await;
    stream.send(CLOSE, &1000_u16.to_be_bytes());
    stream.expect_end().await;
    stream.send.send_data(Bytes::new(), true).unwrap();
    closing.await.unwrap().unwrap();
    assert!(server.await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn the_stream_ends_politely_when_the_peer_closes() {
    let (layer, mut handlers) = handed_over();
    let mut peer = Peer::connect(layer.path("/").upgrader(without_keepalive())).await;
    let mut stream = peer.open("http://h/", &[VERSION]).await;
    let handler = handlers.recv().await.unwrap();
    stream.send(CLOSE, &1001_u16.to_be_bytes());
    stream.expect(CLOSE, &1001_u16.to_be_bytes()).await;
    stream.expect_end().await;
    stream.send.send_data(Bytes::new(), true).unwrap();
    assert_eq!(handler.done().await.unwrap().code(), CloseCode::GOING_AWAY);
    peer.catch_up().await;
    assert_eq!(stream.reset().await, None);
}

#[tokio::test(start_paused = true)]
async fn the_stream_ends_politely_when_the_handler_closes() {
    let (layer, mut handlers) = handed_over();
    let mut peer = Peer::connect(layer.path("/").upgrader(without_keepalive())).await;
    let mut stream = peer.open("http://h/", &[VERSION]).await;
    let handler = handlers.recv().await.unwrap();
    let closing = tokio::spawn(async move { handler.close().await });
    stream.expect(CLOSE, &1000_u16.to_be_bytes()).await;
    // As RFC 8441 §5 has it, END_STREAM does as TCP's FIN: only behind both close frames.
    peer.catch_up().await;
    assert!(!stream.receive.is_end_stream());
    stream.send(CLOSE, &1000_u16.to_be_bytes());
    stream.expect_end().await;
    stream.send.send_data(Bytes::new(), true).unwrap();
    closing.await.unwrap().unwrap();
    peer.catch_up().await;
    assert_eq!(stream.reset().await, None);
}

#[tokio::test(start_paused = true)]
async fn a_reset_ends_the_connection_at_once() {
    for reason in [Reason::CANCEL, Reason::INTERNAL_ERROR, Reason::NO_ERROR, Reason::ENHANCE_YOUR_CALM] {
        let (layer, mut handlers) = handed_over();
        let mut peer = Peer::connect(layer.upgrader(without_keepalive())).await;
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
    let mut peer = Peer::connect(layer.upgrader(without_keepalive().without_compression())).await;
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
    let mut peer = Peer::connect(layer.upgrader(without_keepalive())).await;
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
    let (mut peer, raw) = Peer::through_a_proxy(layer.upgrader(without_keepalive())).await;
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
    let (mut peer, raw) = Peer::through_a_proxy(layer.upgrader(without_keepalive())).await;
    let mut stream = peer.open("http://h/", &[VERSION]).await;
    let handler = handlers.recv().await.unwrap();
    raw.send(go_away(Reason::NO_ERROR)).unwrap();
    settle().await;
    stream.send(TEXT, b"still here");
    assert_eq!(handler.recv().await.unwrap(), Some(Message::text("still here")));
    handler.send("so am I").await.unwrap();
    stream.expect(TEXT, b"so am I").await;
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
    let connector = Connector::new().config(without_keepalive().get_config().clone()).http2();
    (connector.connect_over(near, "ws://h/").await.unwrap(), tell, server)
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_not_read_stops_no_other_and_stays_small() {
    let taken = Arc::new(AtomicUsize::new(0));
    let (layer, mut handlers) = handed_over();
    let mut peer = Peer::connect(layer.upgrader(without_keepalive().without_compression())).await;
    let mut stalled = peer.open("http://h/", &[VERSION]).await;
    let handler = handlers.recv().await.unwrap();
    let start = Instant::now();
    let flooding = tokio::spawn(flood(handler.clone(), taken.clone()));
    let mut busy = Vec::new();
    for _ in 0..5 {
        let stream = peer.open("http://h/", &[VERSION]).await;
        let handler = handlers.recv().await.unwrap();
        tokio::spawn(echo(handler));
        busy.push(stream);
    }
    for round in 0_u8..200 {
        for stream in &mut busy {
            stream.send(BINARY, &[round; 100]);
            stream.expect(BINARY, &[round; 100]).await;
        }
    }
    assert_eq!(start.elapsed(), Duration::ZERO);
    settle().await;
    let taken = taken.load(Ordering::Relaxed);
    assert!(taken < 512 * 1024, "{taken} bytes for a peer that reads nothing");

    assert_eq!(flooding.await.unwrap().unwrap_err().kind(), ErrorKind::WriteTimeout);
    assert_eq!(start.elapsed().as_secs(), WRITE_TIME.as_secs());
    assert_eq!(handler.done().await.unwrap_err().kind(), ErrorKind::WriteTimeout);
    for stream in &mut busy {
        stream.send(BINARY, b"still here");
        stream.expect(BINARY, b"still here").await;
    }
    // hyper (1.12) has no way to reset an upgraded stream: what it holds stays until the peer reads it, resets the stream or
    // leaves. Then the stream ends as a TCP connection would, without a close frame.
    settle().await;
    assert_eq!(stalled.reset().await, None);
    let mut rest = 0;
    while let Some(data) = stalled.receive.data().await {
        rest += data.as_ref().unwrap().len();
        stalled.receive.flow_control().release_capacity(data.unwrap().len()).unwrap();
    }
    assert!(rest <= taken + 4096, "{rest} bytes after the end, of {taken}");
}

/// hyper takes as much as it is given, whatever the peer's window.
#[tokio::test(start_paused = true)]
async fn of_a_large_message_only_a_part_waits_in_hyper() {
    let (layer, mut handlers) = handed_over();
    let mut peer = Peer::connect(layer.upgrader(without_keepalive().without_compression())).await;
    let _unread = peer.open("http://h/", &[VERSION]).await;
    let handler = handlers.recv().await.unwrap();
    let error = handler.write_data(vec![0; 8 * 1024 * 1024], Duration::from_secs(1)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WriteTimeout);
    let sent = handler.stats().wire_sent;
    assert!(sent <= 64 * 1024 + 100, "{sent}");
}

/// hyper cannot reset the streams of such a peer, and its keepalive waits for the peer too: the README says what helps.
#[tokio::test(start_paused = true)]
async fn a_connection_that_nobody_reads_is_ended_by_a_write_timeout() {
    let (layer, mut handlers) = handed_over();
    let (near, far) = duplex(64 * 1024);
    let service = TowerToHyperService::new(layer.upgrader(without_keepalive()).into_service());
    let server = tokio::spawn(async move {
        let mut far = TimeoutWriter::new(far);
        far.set_timeout(Some(Duration::from_secs(30)));
        let far = TokioIo::new(Box::pin(far));
        http_server().serve_connection_with_upgrades(far, service).await.map_err(|error| error.to_string())
    });
    let mut builder = Builder::new();
    builder.initial_window_size(6 * 1024 * 1024).initial_connection_window_size(15 * 1024 * 1024);
    let (mut sender, mut connection) = builder.handshake::<_, Bytes>(near).await.unwrap();
    let mut turn = async || {
        assert!(poll_fn(|cx| Poll::Ready(std::pin::Pin::new(&mut connection).poll(cx))).await.is_pending());
        settle().await;
    };
    while !sender.is_extended_connect_protocol_enabled() {
        turn().await;
    }
    let request = Request::connect("http://h/").version(Version::HTTP_2).header(VERSION.0, VERSION.1);
    let request = request.extension(Protocol::from_static("websocket")).body(()).unwrap();
    let _stream = sender.send_request(request, false).unwrap();
    while handlers.is_empty() {
        turn().await;
    }
    // From here on the client reads nothing, whatever its window.
    let handler = handlers.recv().await.unwrap();
    let taken = Arc::new(AtomicUsize::new(0));
    let error = flood(handler.clone(), taken).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WriteTimeout);
    let sent = handler.stats().wire_sent;
    assert!(sent <= (128 + 64) * 1024, "{sent} bytes were taken, 64 KiB of them by the transport");
    assert!(server.await.unwrap().is_err());
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_starts_to_read_again_gets_everything() {
    let (layer, mut handlers) = handed_over();
    let limits = Limits::default().write_timeout(Duration::from_secs(3600));
    let mut peer = Peer::connect(layer.upgrader(without_keepalive().without_compression().limits(limits))).await;
    let mut stream = peer.open("http://h/", &[VERSION]).await;
    let handler = handlers.recv().await.unwrap();
    let sending = tokio::spawn(async move {
        for number in 0..10_000_u32 {
            handler.send(format!("{number:0100}")).await?;
        }
        Ok::<_, Error>(())
    });
    settle().await;
    assert!(!sending.is_finished());
    for number in 0..10_000_u32 {
        stream.expect(TEXT, format!("{number:0100}").as_bytes()).await;
    }
    sending.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_does_not_read_stops_no_other() {
    let (layer, mut handlers) = handed_over();
    let mut peer = Peer::connect(layer.upgrader(without_keepalive())).await;
    let mut unread = peer.open("http://h/", &[VERSION]).await;
    let handler = handlers.recv().await.unwrap();
    let mut busy = peer.open("http://h/", &[VERSION]).await;
    tokio::spawn(echo(handlers.recv().await.unwrap()));
    for number in 0..10_000_u32 {
        unread.send(TEXT, format!("{number:0100}").as_bytes());
    }
    settle().await;
    for _ in 0..100 {
        busy.send(TEXT, b"quick");
        busy.expect(TEXT, b"quick").await;
    }
    for number in 0..10_000_u32 {
        assert_eq!(handler.recv().await.unwrap(), Some(Message::text(format!("{number:0100}"))));
    }
}

#[tokio::test(start_paused = true)]
async fn many_unread_sockets_with_small_messages_stop_no_other() {
    let (layer, mut handlers) = handed_over();
    let mut peer = Peer::connect(layer.upgrader(without_keepalive())).await;
    let mut busy = peer.open("http://h/", &[VERSION]).await;
    tokio::spawn(echo(handlers.recv().await.unwrap()));
    let mut unread = Vec::new();
    // Empty messages are the worst, as h2 charges each of them like one of 256 bytes.
    for _ in 0..12 {
        let mut stream = peer.open("http://h/", &[VERSION]).await;
        // More than its window.
        for _ in 0..12_000 {
            stream.send(TEXT, b"");
        }
        unread.push((stream, handlers.recv().await.unwrap()));
    }
    settle().await;
    for _ in 0..100 {
        busy.send(TEXT, b"quick");
        busy.expect(TEXT, b"quick").await;
    }
}

/// What comes behind unread messages is not read, but the other direction tells of the reset.
#[tokio::test(start_paused = true)]
async fn a_reset_behind_unread_messages_is_noticed_without_a_keepalive() {
    for messages in [0, 1, 2, 10] {
        let (layer, mut handlers) = handed_over();
        let mut peer = Peer::connect(layer.upgrader(without_keepalive())).await;
        let mut stream = peer.open("http://h/", &[VERSION]).await;
        let handler = handlers.recv().await.unwrap();
        for _ in 0..messages {
            stream.send(TEXT, b"unread");
        }
        settle().await;
        let start = Instant::now();
        stream.send.send_reset(Reason::INTERNAL_ERROR);
        let end = tokio::time::timeout(Duration::from_secs(60), handler.done()).await.unwrap();
        assert_eq!(end.unwrap_err().kind(), ErrorKind::Disconnected, "{messages} unread");
        assert!(start.elapsed() <= Duration::from_secs(1), "{:?} behind {messages} unread", start.elapsed());
        assert!(handler.send("too late").await.is_err());
    }
}

/// Why `http_server` sets windows, and why the README says so.
#[tokio::test(start_paused = true)]
async fn with_the_windows_of_hyper_handlers_that_do_not_read_stop_all_others() {
    let (layer, mut handlers) = handed_over();
    let service = layer.upgrader(without_keepalive()).into_service();
    let (near, far) = duplex(1024 * 1024);
    tokio::spawn(async move {
        let mut server = auto::Builder::new(TokioExecutor::new());
        server.http2().enable_connect_protocol();
        let service = TowerToHyperService::new(service);
        server.serve_connection_with_upgrades(TokioIo::new(far), service).await.unwrap_or(());
    });
    let mut peer = Peer::over(near).await;
    let mut busy = peer.open("http://h/", &[VERSION]).await;
    tokio::spawn(echo(handlers.recv().await.unwrap()));
    busy.send(TEXT, b"quick");
    busy.expect(TEXT, b"quick").await;
    let mut unread = Vec::new();
    for _ in 0..2 {
        let mut stream = peer.open("http://h/", &[VERSION]).await;
        for _ in 0..200 {
            // A frame of 8 KiB: its length is in 16 more bits.
            let mut frame = vec![0x80 | BINARY, 0x80 | 126, 0x20, 0, 0, 0, 0, 0];
            frame.resize(8 + 0x2000, 0);
            stream.send.send_data(frame.into(), false).unwrap();
        }
        unread.push((stream, handlers.recv().await.unwrap()));
    }
    settle().await;
    busy.send(TEXT, b"quick");
    let answer = tokio::time::timeout(Duration::from_secs(60), busy.expect(TEXT, b"quick")).await;
    assert!(answer.is_err(), "hyper has better windows now: say so in the README");
}

/// Sends until that fails.
async fn flood(ws: Manager, taken: Arc<AtomicUsize>) -> Result<(), Error> {
    loop {
        ws.send(vec![0; 16 * 1024]).await?;
        taken.fetch_add(16 * 1024, Ordering::Relaxed);
    }
}

/// Lets everybody come to rest: the paused clock moves only when nobody has anything to do.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const RSV1: u8 = 0x40;
const VERSION: (&str, &str) = ("sec-websocket-version", "13");
const WRITE_TIME: Duration = Duration::from_secs(10);
