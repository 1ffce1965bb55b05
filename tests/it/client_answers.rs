//! Answers that are neither a proper yes nor a plain no, as the client sees them.

use std::error::Error as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use h2::Reason;
use http::{Request, Response};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, duplex};
use tokio::net::TcpStream;
use tower_websocket::testing::TestClient;
use tower_websocket::{Connector, Error, ErrorKind, Manager, Message, WebSocketLayer};

use crate::net::{listen, serve_stream};
use crate::shared::{close, echo};

/// Connects to a server that answers with this status line and these header lines, and the right key.
async fn http1(client: &Connector, status: &str, more: &str) -> Result<Manager, Error> {
    let (near, mut far) = duplex(4096);
    let (status, more) = (status.to_owned(), more.to_owned());
    tokio::spawn(async move {
        answer(&mut far, &status, &more).await;
        let _ = far.read_to_end(&mut Vec::new()).await;
    });
    client.connect_over(near, "ws://h/").await
}

/// Reads a request and answers it with this status line and these header lines, and the right key.
async fn answer(far: &mut DuplexStream, status: &str, more: &str) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        far.read_buf(&mut request).await.unwrap();
    }
    let request = String::from_utf8(request).unwrap();
    let key = request.lines().find_map(|line| line.strip_prefix("sec-websocket-key: ")).unwrap();
    let accept = tokio_tungstenite::tungstenite::handshake::derive_accept_key(key.as_bytes());
    let answer = format!(
        "{status}\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: {accept}\r\n{more}\r\n"
    );
    far.write_all(answer.as_bytes()).await.unwrap();
}

/// RFC 6455 §7.1.1: a server ends the transport first, but one that waits for the client's end gets it.
#[tokio::test(start_paused = true)]
async fn a_client_shuts_its_side_down_after_the_closing_handshake() {
    let (near, mut far) = duplex(4096);
    let client = tokio::spawn(async move {
        let ws = Connector::new().connect_over(near, "ws://h/").await.unwrap();
        ws.close().await
    });
    answer(&mut far, "HTTP/1.1 101 Switching Protocols", "").await;
    let start = tokio::time::Instant::now();
    far.read_exact(&mut [0; 8]).await.unwrap();
    far.write_all(&close(1000, "").unmasked()).await.unwrap();
    assert_eq!(far.read(&mut [0; 8]).await.unwrap(), 0);
    assert_eq!(start.elapsed().as_millis(), 0);
    drop(far);
    client.await.unwrap().unwrap();
}

#[tokio::test]
async fn over_http1_the_answer_is_http1_1() {
    for client in [Connector::new(), Connector::new().without_compression()] {
        http1(&client, "HTTP/1.1 101 Switching Protocols", "").await.unwrap();
        let error = http1(&client, "HTTP/1.0 101 Switching Protocols", "").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Handshake);
        assert!(error.source().unwrap().to_string().contains("HTTP/1.0"), "{error:?}");
    }
}

#[tokio::test]
async fn an_answer_that_names_no_extension_has_no_header_for_it() {
    for client in [Connector::new(), Connector::new().without_compression()] {
        for value in ["", " ", ",", " , ,"] {
            let more = format!("sec-websocket-extensions:{value}\r\n");
            let error = http1(&client, "HTTP/1.1 101 Switching Protocols", &more).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Handshake, "{value:?}");
        }
        let more = "sec-websocket-extensions: x-unknown\r\n";
        let error = http1(&client, "HTTP/1.1 101 Switching Protocols", more).await.unwrap_err();
        assert_eq!(error.source().unwrap().to_string(), "the server chose an extension that was not offered");
        for value in ["", "chat"] {
            let more = format!("sec-websocket-protocol:{value}\r\n");
            let error = http1(&client, "HTTP/1.1 101 Switching Protocols", &more).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Handshake, "{value:?}");
        }
    }
}

#[tokio::test]
async fn over_http1_every_other_status_is_a_refusal_that_can_be_read() {
    for status in [200, 201, 204, 205, 206, 300, 304, 400, 407, 500] {
        let line = format!("HTTP/1.1 {status} X");
        let error = http1(&Connector::new(), &line, "content-length: 0\r\nx-why: because\r\n").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Handshake, "{status}");
        let response = error.response().unwrap_or_else(|| panic!("{status}: {error:?}"));
        assert_eq!(response.status(), status);
        assert_eq!(response.headers()["x-why"], "because");
    }
}

/// A server of HTTP/2 that answers each request with what `answer` does to it.
async fn http2<Io>(io: Io, answer: impl Fn(h2::server::SendResponse<Bytes>))
where
    Io: AsyncRead + AsyncWrite + Unpin,
{
    let mut builder = h2::server::Builder::new();
    let mut connection = builder.enable_connect_protocol().handshake::<_, Bytes>(io).await.unwrap();
    while let Some(Ok((request, respond))) = connection.accept().await {
        assert_eq!(request.method(), http::Method::CONNECT);
        answer(respond);
    }
}

#[tokio::test]
async fn over_http2_every_other_status_is_a_refusal_that_can_be_read() {
    for status in [201, 202, 204, 205, 206, 300, 304, 400, 404, 407, 500] {
        for ends in [true, false] {
            let (near, far) = duplex(4096);
            tokio::spawn(http2(far, move |mut respond| {
                let response = Response::builder().status(status).header("x-why", "because").body(()).unwrap();
                let mut stream = respond.send_response(response, ends).unwrap();
                if !ends {
                    stream.send_data("in short".into(), true).unwrap();
                }
            }));
            let error = Connector::new().http2().connect_over(near, "ws://h/").await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Handshake, "{status}");
            let response = error.response().unwrap_or_else(|| panic!("{status}: {error:?}"));
            assert_eq!(response.status(), status);
            assert_eq!(response.headers()["x-why"], "because");
            assert_eq!(response.body(), if ends { "" } else { "in short" });
        }
    }
}

#[tokio::test]
async fn over_http2_an_answer_with_a_length_is_wrong_and_said_to_be() {
    let (near, far) = duplex(4096);
    tokio::spawn(http2(far, |mut respond| {
        let response = Response::builder().status(200).header("content-length", "5").body(()).unwrap();
        respond.send_response(response, false).unwrap();
    }));
    let error = Connector::new().http2().connect_over(near, "ws://h/").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Handshake, "{error:?}");
    assert!(error.source().unwrap().to_string().contains("Content-Length"), "{error:?}");
}

#[tokio::test]
async fn over_http2_a_stream_that_is_reset_is_a_refusal_with_its_reason() {
    for (reason, words) in [
        (Reason::REFUSED_STREAM, "refused stream before processing any application logic"),
        (Reason::PROTOCOL_ERROR, "unspecific protocol error detected"),
        (Reason::CANCEL, "stream no longer needed"),
    ] {
        let (near, far) = duplex(4096);
        tokio::spawn(http2(far, move |mut respond| respond.send_reset(reason)));
        let error = Connector::new().http2().connect_over(near, "ws://h/").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Handshake, "{error:?}");
        let source = error.source().unwrap().to_string();
        assert!(source.contains("reset the stream") && source.contains(words), "{source}");
        assert_eq!(error.is_retryable(), reason == Reason::REFUSED_STREAM, "{source}");
    }
}

/// A server that demands HTTP/1.1 of clients that come over HTTP/2, for one stream or for the whole connection.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Demand {
    Connection,
    Stream,
}

#[tokio::test]
async fn http_1_1_required_is_tried_again_over_http1() {
    for demand in [Demand::Stream, Demand::Connection] {
        let attempts = Arc::new(AtomicUsize::new(0));
        let counted = attempts.clone();
        let address = listen(move |stream: TcpStream| {
            let attempts = counted.clone();
            async move {
                // The first byte tells the versions apart: "P" is that of HTTP/2.
                let mut first = [0];
                stream.peek(&mut first).await.unwrap();
                if attempts.fetch_add(1, Ordering::Relaxed) == 0 {
                    assert_eq!(first, *b"P");
                    demand_http1(stream, demand).await;
                } else {
                    assert_eq!(first, *b"G");
                    serve_stream(stream, WebSocketLayer::new(echo).into_service()).await;
                }
            }
        })
        .await;
        let ws = Connector::new().http2().connect(format!("ws://{address}/")).await.unwrap();
        ws.send("hello").await.unwrap();
        assert_eq!(ws.recv().await.unwrap(), Some(Message::text("hello")));
        assert_eq!(ws.request().version, http::Version::HTTP_11);
        assert_eq!(attempts.load(Ordering::Relaxed), 2, "{demand:?}");

        // There is no second transport.
        let (near, far) = duplex(4096);
        tokio::spawn(demand_http1(far, demand));
        let error = Connector::new().http2().connect_over(near, "ws://h/").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Handshake, "{demand:?}: {error:?}");
        assert!(error.source().unwrap().to_string().contains("demands HTTP/1.1"), "{demand:?}: {error:?}");
    }
}

async fn demand_http1<Io>(io: Io, demand: Demand)
where
    Io: AsyncRead + AsyncWrite + Unpin,
{
    let mut builder = h2::server::Builder::new();
    let mut connection = builder.enable_connect_protocol().handshake::<_, Bytes>(io).await.unwrap();
    while let Some(Ok((_, mut respond))) = connection.accept().await {
        match demand {
            Demand::Stream => respond.send_reset(Reason::HTTP_1_1_REQUIRED),
            Demand::Connection => connection.abrupt_shutdown(Reason::HTTP_1_1_REQUIRED),
        }
    }
}

/// A server that says why it goes away, and one that does not.
#[tokio::test]
async fn over_http2_a_connection_that_is_ended_is_no_answer() {
    for (reason, kept) in [(Reason::NO_ERROR, false), (Reason::INTERNAL_ERROR, true), (Reason::ENHANCE_YOUR_CALM, true)]
    {
        let (near, far) = duplex(4096);
        tokio::spawn(async move {
            let mut builder = h2::server::Builder::new();
            let mut connection = builder.enable_connect_protocol().handshake::<_, Bytes>(far).await.unwrap();
            let request = connection.accept().await;
            connection.abrupt_shutdown(reason);
            while let Some(Ok(_)) = connection.accept().await {}
            drop(request);
        });
        let error = Connector::new().http2().connect_over(near, "ws://h/").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connect, "{reason:?}: {error:?}");
        let source = error.source().unwrap();
        let closed = source
            .downcast_ref::<std::io::Error>()
            .is_some_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset);
        assert_eq!(closed, !kept, "{reason:?}: {error:?}");
    }
}

/// Whoever names `ws://` and HTTP/2 knows that the server speaks it, and perhaps nothing else.
#[tokio::test]
async fn over_http2_in_the_clear_a_server_without_websockets_is_not_asked_over_http1() {
    let attempts = Arc::new(AtomicUsize::new(0));
    let address = listen({
        let attempts = attempts.clone();
        move |stream: TcpStream| {
            attempts.fetch_add(1, Ordering::Relaxed);
            async move {
                let mut connection = h2::server::Builder::new().handshake::<_, Bytes>(stream).await.unwrap();
                while let Some(Ok(_)) = connection.accept().await {}
            }
        }
    })
    .await;
    let error = Connector::new().http2().connect(format!("ws://{address}/")).await.unwrap_err();
    assert_eq!((error.kind(), attempts.load(Ordering::Relaxed)), (ErrorKind::Handshake, 1), "{error:?}");
    assert!(error.source().unwrap().to_string().contains("extended CONNECT"), "{error:?}");
}

#[tokio::test]
async fn of_the_body_of_a_refusal_4_kib_are_kept() {
    for (parts, kept) in [(vec![100], 100), (vec![4096], 4096), (vec![3000, 3000, 3000], 4096), (vec![10_000], 4096)] {
        let len: usize = parts.iter().sum();
        let (near, far) = duplex(64 * 1024);
        tokio::spawn(http2(far, move |mut respond| {
            let response = Response::builder().status(403).body(()).unwrap();
            let mut stream = respond.send_response(response, false).unwrap();
            for part in &parts {
                stream.send_data(vec![b'x'; *part].into(), false).unwrap();
            }
            stream.send_data(Bytes::new(), true).unwrap();
        }));
        let error = Connector::new().http2().connect_over(near, "ws://h/").await.unwrap_err();
        assert_eq!(error.response().unwrap().body(), &vec![b'x'; kept], "of {len}");
    }
}

/// What a server may send before the client has read any of it.
#[tokio::test]
async fn over_http2_a_server_may_send_256_kib_ahead() {
    let (near, far) = duplex(4096);
    let (report, mut capacity) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut builder = h2::server::Builder::new();
        builder.enable_connect_protocol().max_send_buffer_size(100 * 1024 * 1024);
        let mut connection = builder.handshake::<_, Bytes>(far).await.unwrap();
        let (_request, mut respond) = connection.accept().await.unwrap().unwrap();
        let mut stream = respond.send_response(Response::new(()), false).unwrap();
        stream.reserve_capacity(10 * 1024 * 1024);
        let driving = tokio::spawn(async move { while let Some(Ok(_)) = connection.accept().await {} });
        report.send(std::future::poll_fn(|cx| stream.poll_capacity(cx)).await.unwrap().unwrap()).unwrap();
        driving.await.unwrap();
    });
    let _ws = Connector::new().http2().connect_over(near, "ws://h/").await.unwrap();
    assert_eq!(capacity.recv().await, Some(256 * 1024));
}

/// What the transport itself says is kept as the reason.
#[tokio::test]
async fn the_error_of_a_failed_transport_has_its_cause() {
    for client in [Connector::new(), Connector::new().http2()] {
        let io = tokio::io::join(Failing, tokio::io::sink());
        let error = client.connect_over(io, "ws://h/").await.unwrap_err();
        assert_eq!(
            (error.kind(), error.source().unwrap().to_string()),
            (ErrorKind::Connect, "out of paper".to_owned())
        );
    }
}

/// What is lost over HTTP/1.1 after that may be found by another attempt; a wrong answer is wrong for both reasons.
#[tokio::test]
async fn a_second_attempt_that_is_lost_is_retryable_and_one_that_is_answered_wrongly_is_not() {
    for (answer, kind) in [("", ErrorKind::Connect), ("SSH-2.0-OpenSSH_9.2\r\n", ErrorKind::Handshake)] {
        let address = listen(move |mut stream: TcpStream| async move {
            let mut first = [0];
            stream.peek(&mut first).await.unwrap();
            if first == *b"P" {
                return demand_http1(stream, Demand::Stream).await;
            }
            let _ = stream.read(&mut [0; 4096]).await;
            stream.write_all(answer.as_bytes()).await.unwrap();
        })
        .await;
        let error = Connector::new().http2().connect(format!("ws://{address}/")).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error:?}");
        assert_eq!(error.is_retryable(), kind == ErrorKind::Connect, "{error:?}");
        let source = error.source().unwrap().to_string();
        let words = match kind {
            ErrorKind::Connect => "the server closed or reset the connection without an answer",
            _ => "the server demands HTTP/1.1 (HTTP_1_1_REQUIRED, RFC 9113 section 7); over HTTP/1.1: ",
        };
        assert!(source.starts_with(words), "{source}");
    }
}

/// What refuses over HTTP/1.1 after that is a refusal like any other.
#[tokio::test]
async fn a_refusal_of_the_second_attempt_can_be_read() {
    let address = listen(|stream: TcpStream| async move {
        let mut first = [0];
        stream.peek(&mut first).await.unwrap();
        if first == *b"P" {
            demand_http1(stream, Demand::Stream).await;
        } else {
            serve_stream(stream, WebSocketLayer::new(echo).path("/ws").into_service()).await;
        }
    })
    .await;
    let error = Connector::new().http2().connect(format!("ws://{address}/elsewhere")).await.unwrap_err();
    assert_eq!(error.response().unwrap().status(), 426);
}

#[tokio::test(start_paused = true)]
async fn a_host_that_is_none_is_not_sent() {
    for (value, valid) in [("h", true), ("h:80", true), ("[::1]", true), ("a/b", false), ("u@h", false), ("", false)] {
        for client in [Connector::new(), Connector::new().http2()] {
            let request = || Request::get("ws://h/").header("host", value).body(()).unwrap();
            let client_with = client.clone().header(http::header::HOST, value.parse().unwrap());
            for result in [
                client.connect_over(duplex(64).0, request()).await,
                client_with.connect_over(duplex(64).0, "ws://h/").await,
            ] {
                let kind = result.unwrap_err().kind();
                assert_eq!(kind == ErrorKind::InvalidSetting, !valid, "{value:?}: {kind:?}");
            }
        }
    }
}

/// The client in memory is judged alike.
#[tokio::test(start_paused = true)]
async fn the_test_client_names_a_host_as_its_version_does() {
    for (http2, host) in [(false, None), (true, None), (false, Some("a.example:81")), (true, Some("a.example:81"))] {
        for uri in ["/ws?q", "http://b.example/ws?q"] {
            let layer = WebSocketLayer::new(|ws: Manager| async move {
                let request = ws.request();
                ws.send(format!("{} {}", request.headers["host"].to_str().unwrap(), request.uri.path())).await
            });
            let mut client = TestClient::new(layer.into_service());
            if http2 {
                client = client.http2();
            }
            let mut request = Request::get(uri);
            if let Some(host) = host.filter(|_| !uri.starts_with("http") || !http2) {
                request = request.header("host", host);
            }
            let ws = client.open(request.body(http_body_util::Empty::<Bytes>::new()).unwrap()).await.unwrap();
            let said = ws.recv().await.unwrap().unwrap();
            let named = if uri.starts_with('/') { host.unwrap_or("localhost") } else { "b.example" };
            assert_eq!(said.as_text(), Some(&*format!("{named} /ws")), "{http2} {host:?} {uri}");
        }
    }
}

/// An end from which nothing can be read.
struct Failing;

impl AsyncRead for Failing {
    fn poll_read(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
        _: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::task::Poll::Ready(Err(std::io::Error::other("out of paper")))
    }
}
