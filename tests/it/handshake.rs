//! The opening handshake as bytes.

use std::convert::Infallible;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{Empty, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tower::service_fn;
use tower_websocket::{Limits, Manager, OriginPolicy, RejectionKind, Upgrade, Upgrader, WebSocketLayer};

use crate::net::{listen, serve_stream};
use crate::shared::{echo, quiet};
use crate::support::{ACCEPT, DEFLATE, KEY, Peer, close, continuation, handler, open, secs, serve, text};

#[tokio::test(start_paused = true)]
async fn the_answer_is_the_one_of_the_rfc() {
    let (service, _managers) = handler(Upgrader::new());
    let head = serve(service).handshake("").await.to_ascii_lowercase();
    let mut lines: Vec<_> = head.trim_end().split("\r\n").filter(|line| !line.starts_with("date:")).collect();
    lines[1..].sort_unstable();
    let accept = format!("sec-websocket-accept: {}", ACCEPT.to_ascii_lowercase());
    assert_eq!(lines, ["http/1.1 101 switching protocols", "connection: upgrade", &accept, "upgrade: websocket"]);
}

#[tokio::test(start_paused = true)]
async fn a_frame_in_the_packet_of_the_request_is_not_lost() {
    let (service, mut managers) = handler(Upgrader::new());
    let mut peer = serve(service);
    let request = [Peer::request("").into_bytes(), text("early").masked()].concat();
    peer.send_raw(request).await;
    assert!(peer.read_head().await.starts_with("HTTP/1.1 101 "));
    let ws = managers.recv().await.unwrap();
    assert_eq!(ws.recv().await.unwrap().unwrap().as_text(), Some("early"));
}

#[tokio::test(start_paused = true)]
async fn a_subprotocol_and_compression_are_answered() {
    let (service, mut managers) = handler(Upgrader::new().subprotocols(["b", "a"]));
    let head = serve(service).handshake(&format!("Sec-WebSocket-Protocol: a, b\r\n{DEFLATE}")).await;
    assert!(head.contains("sec-websocket-protocol: b\r\n"), "{head}");
    assert!(head.contains("sec-websocket-extensions: permessage-deflate"), "{head}");
    assert_eq!(managers.recv().await.unwrap().subprotocol(), Some("b"));
}

#[tokio::test(start_paused = true)]
async fn every_refusal_has_its_reason() {
    let upgrade = "Host: localhost\r\nConnection: keep-alive\r\nConnection: UPGRADE\r\nUpgrade: h2c, WebSocket\r\n";
    let key = format!("Sec-WebSocket-Key: {KEY}\r\n");
    let v13 = "Sec-WebSocket-Version: 13\r\n";
    for (request, status, header, body) in [
        (format!("POST / HTTP/1.1\r\n{upgrade}{v13}{key}\r\n"), "405 ", "allow: GET", "must use the method GET"),
        (
            format!("GET / HTTP/1.1\r\n{upgrade}Sec-WebSocket-Version: 8\r\n{key}\r\n"),
            "426 ",
            "sec-websocket-version: 13",
            "must be 13",
        ),
        (format!("GET / HTTP/1.1\r\n{upgrade}{v13}\r\n"), "400 ", "content-type: text/plain", "Sec-WebSocket-Key"),
        (
            format!("GET / HTTP/1.1\r\n{upgrade}{v13}{key}{key}\r\n"),
            "400 ",
            "content-type: text/plain",
            "Sec-WebSocket-Key",
        ),
        (
            format!("GET / HTTP/1.1\r\n{upgrade}{v13}Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAA\r\n\r\n"),
            "400 ",
            "content-type: text/plain",
            "Sec-WebSocket-Key",
        ),
        (
            format!("GET / HTTP/1.1\r\n{upgrade}{v13}{key}Origin: https://evil.example\r\n\r\n"),
            "403 ",
            "content-type: text/plain",
            "pages of this origin",
        ),
        ("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".into(), "426 ", "upgrade: websocket", "only WebSocket"),
    ] {
        let (service, _managers) = handler(Upgrader::new());
        let mut peer = serve(service);
        let head = peer.ask(&request).await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status}")), "{head}");
        assert!(head.contains(&format!("\r\n{header}")), "{header}: {head}");
        let len = head.split("content-length: ").nth(1).expect("a length").lines().next().unwrap().parse().unwrap();
        let text = peer.read_body(len).await;
        assert!(text.contains(body) && text.lines().count() == 1, "{text}: {body}");
    }
}

#[tokio::test(start_paused = true)]
async fn unusual_but_proper_requests_are_accepted() {
    let (service, _managers) = handler(Upgrader::new());
    let request = format!(
        "GET http://localhost:80/?q HTTP/1.1\r\nHost: localhost\r\nconnection: keep-alive\r\nCONNECTION: x,UPGRADE\r\n\
         upgrade: h2c\r\nUPGRADE: WebSocket\r\nContent-Length: 0\r\nOrigin: http://LOCALHOST:3000\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n\r\n"
    );
    assert!(serve(service).ask(&request).await.starts_with("HTTP/1.1 101 "));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_can_be_replaced() {
    let layer = WebSocketLayer::new(|_: Manager| async {}).on_rejection(|rejection, mut response| {
        assert_eq!(rejection.kind(), RejectionKind::Origin);
        *response.status_mut() = http::StatusCode::IM_A_TEAPOT;
        response
    });
    let head = serve(layer.into_service()).ask(&Peer::request("Origin: http://evil.example\r\n")).await;
    assert!(head.starts_with("HTTP/1.1 418 "), "{head}");
}

#[tokio::test(start_paused = true)]
async fn an_upgrader_in_the_request_overrides_the_layers() {
    let (service, mut managers) = handler(Upgrader::new().subprotocols(["layer"]));
    let service = tower::ServiceBuilder::new()
        .map_request(|mut request: http::Request<hyper::body::Incoming>| {
            let upgrader = Upgrader::new().origin(OriginPolicy::insecure_any()).subprotocols(["request"]);
            request.extensions_mut().insert(upgrader.without_compression());
            request
        })
        .service(service);
    let more = format!("Origin: https://evil.example\r\nSec-WebSocket-Protocol: layer, request\r\n{DEFLATE}");
    let head = serve(service).handshake(&more).await;
    assert!(!head.contains("permessage-deflate"), "{head}");
    assert_eq!(managers.recv().await.unwrap().subprotocol(), Some("request"));
}

/// hyper's server has read them already when it gives its TCP stream up; both of its servers do that.
#[tokio::test]
async fn frames_in_the_packet_of_the_request_are_not_lost_over_tcp() {
    let service = WebSocketLayer::new(echo).into_service();
    let http1 = {
        let service = TowerToHyperService::new(service.clone());
        listen(move |stream| {
            let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service.clone());
            async move { connection.with_upgrades().await.unwrap() }
        })
    };
    for address in [http1.await, listen(move |stream| serve_stream(stream, service.clone())).await] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let early = [text("early").masked(), text("too").masked(), text("la").more().masked()].concat();
        stream.write_all(&[Peer::request("").into_bytes(), early].concat()).await.unwrap();
        let mut received = Vec::new();
        let frames = [text("early").unmasked(), text("too").unmasked()].concat();
        while !received.ends_with(&frames) {
            assert_ne!(stream.read_buf(&mut received).await.unwrap(), 0, "{}", received.escape_ascii());
        }
        stream.write_all(&continuation("te").masked()).await.unwrap();
        let mut late = text("late").unmasked();
        stream.read_exact(&mut late).await.unwrap();
        assert_eq!(late, text("late").unmasked());
    }
}

#[tokio::test(start_paused = true)]
async fn a_handshake_works_without_the_layer() {
    let service = tower::service_fn(|mut request: http::Request<hyper::body::Incoming>| async move {
        Ok::<Response<Full<Bytes>>, std::convert::Infallible>(match Upgrader::new().upgrade(&mut request) {
            Ok((response, upgrade)) => {
                tokio::spawn(upgrade.run(|ws: Manager| async move { ws.send("hello").await }));
                response
            }
            Err(rejection) => rejection.into_response(request.version()).map(Full::new),
        })
    });
    let head = serve(service).ask("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 426 ") && head.contains("upgrade: websocket"), "{head}");
    let mut peer = serve(service);
    peer.handshake("").await;
    peer.expect(text("hello")).await;
    peer.expect_close(1000).await;
}

#[tokio::test(start_paused = true)]
async fn the_request_can_be_seen_and_dropped() {
    let (ws, _peer) = open(Upgrader::new()).await;
    assert_eq!(ws.request().uri.path(), "/ws");
    assert_eq!(ws.request().headers["host"], "localhost");
    ws.drop_request();
    assert_eq!(ws.request().uri.path(), "/");
}

/// The server's own work between the answer and the connection counts as nobody's delay.
#[tokio::test(start_paused = true)]
async fn a_connections_times_begin_when_it_runs() {
    let service = service_fn(async |mut request: Request<_>| {
        let limits = Limits::default().handshake_timeout(secs(10)).max_lifetime(secs(10));
        let settings = quiet().limits(limits);
        let (response, upgrade) = settings.upgrade::<Incoming, Empty<Bytes>>(&mut request).unwrap();
        sleep(secs(11)).await;
        tokio::spawn(upgrade.run(echo));
        tokio::task::yield_now().await;
        Ok::<_, Infallible>(response)
    });
    let mut peer = serve(service);
    peer.handshake("").await;
    peer.send(text("in time")).await;
    peer.expect(text("in time")).await;
    peer.expect_silence(secs(9)).await;
    peer.expect_close(1001).await;
}

#[test]
fn what_an_upgrade_makes_goes_to_any_thread() {
    fn shared<T: Send + Sync>() {}
    fn sent<T: Send>(_: &T) {}
    shared::<Upgrade>();
    shared::<Manager>();
    let handler = async |ws: &Manager| {
        sent(&ws.recv());
        sent(&ws.send("text"));
        sent(&ws.send_uncompressed(vec![0]));
    };
    let _ = handler;
}

/// Somebody else may hold the socket too: a copy for its statistics, or a child that has inherited it.
#[tokio::test]
async fn the_transport_ends_though_the_socket_was_duplicated() {
    let address = listen(|stream| async move {
        let stream = stream.into_std().unwrap();
        let _kept = stream.try_clone().unwrap();
        serve_stream(TcpStream::from_std(stream).unwrap(), WebSocketLayer::new(echo).into_service()).await;
        std::future::pending().await
    })
    .await;
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(&[Peer::request("").into_bytes(), close(1000, "").masked()].concat()).await.unwrap();
    let mut all = Vec::new();
    timeout(secs(60), client.read_to_end(&mut all)).await.expect("the end is sent").unwrap();
    assert!(all.ends_with(&close(1000, "").unmasked()), "{all:02x?}");
}
