//! What our client asks for, and what it makes of the answer.

use std::error::Error as _;
use std::time::Duration;

use http::{HeaderValue, Request, Response, Uri, header};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::net::TcpListener;
use tokio::time::Instant;
use tower::service_fn;
use tower_websocket::{Connector, ErrorKind, Limits, Manager, OriginPolicy, Target, Upgrader, WebSocketLayer};

use super::clients;
use crate::net::{handed_over, listen, serve, serve_stream};
use crate::shared::echo;

#[tokio::test]
async fn the_handler_sees_the_request() {
    let (layer, mut handlers) = handed_over();
    let address = serve(layer.upgrader(Upgrader::new().subprotocols(["b", "a"]))).await;
    for (version, client) in clients() {
        let client = client
            .subprotocols(["a", "b"])
            .header(header::ORIGIN, HeaderValue::from_str(&format!("http://{address}")).unwrap())
            .header(header::COOKIE, HeaderValue::from_static("id=1"));
        let request = Request::get(format!("ws://{address}/room?id=7")).header("authorization", "Bearer x");
        let ws = client.connect(request.body(()).unwrap()).await.unwrap();
        assert_eq!(ws.subprotocol(), Some("b"));

        let handler = handlers.recv().await.unwrap();
        let request = handler.request();
        assert_eq!((request.version, handler.subprotocol()), (version, Some("b")));
        assert_eq!((request.uri.path(), request.uri.query()), ("/room", Some("id=7")));
        assert_eq!(request.headers["cookie"], "id=1");
        assert_eq!(request.headers["authorization"], "Bearer x");
        assert_eq!(request.headers["host"], address.to_string());
        ws.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_target_can_be_given_in_any_form() {
    let url = format!("ws://{}/", serve(WebSocketLayer::new(echo)).await);
    Manager::connect(url.as_str()).await.unwrap();
    Manager::connect(&url).await.unwrap();
    Manager::connect(url.parse::<Uri>().unwrap()).await.unwrap();
    Manager::connect(Request::get(&url).body(()).unwrap()).await.unwrap();
    Manager::connect(Target::try_from(url).unwrap()).await.unwrap();
    assert_eq!(Manager::connect("http://localhost/").await.unwrap_err().kind(), ErrorKind::InvalidSetting);
}

#[tokio::test]
async fn a_refusal_can_be_read() {
    let layer = WebSocketLayer::new(echo).path("/ws");
    let address = serve(layer.upgrader(Upgrader::new().origin(OriginPolicy::same_origin()))).await;
    for (version, client) in clients() {
        let client = client.header(header::ORIGIN, HeaderValue::from_static("https://evil.example"));
        let error = client.connect(format!("ws://{address}/ws")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Handshake);
        assert_eq!(error.source().unwrap().to_string(), "the server answered 403 Forbidden");
        assert_eq!(format!("{error:#}"), "opening handshake failed: the server answered 403 Forbidden");
        let response = error.response().unwrap();
        assert_eq!((response.status().as_u16(), response.version()), (403, version));
        assert_eq!(response.headers()["content-type"], "text/plain; charset=utf-8");
        assert_eq!(response.body(), "pages of this origin may not open a WebSocket here\n");

        let error = client.connect(format!("ws://{address}/elsewhere")).await.unwrap_err();
        assert_eq!(error.response().unwrap().status(), 426, "{version:?}");
    }
}

#[tokio::test]
async fn only_the_start_of_a_long_refusal_is_read() {
    let address = listen(|stream| {
        let answer = |_| async { Ok(Response::builder().status(429).body("x".repeat(1_000_000)).unwrap()) };
        serve_stream(stream, service_fn(answer))
    })
    .await;
    for (version, client) in clients() {
        let error = client.connect(format!("ws://{address}/")).await.unwrap_err();
        let response = error.response().unwrap();
        assert_eq!((response.status().as_u16(), response.body().len()), (429, 4096), "{version:?}");
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_reported_at_once() {
    let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    for (version, client) in clients() {
        let error = client.connect(format!("ws://{address}/")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connect, "{version:?}");
        let cause = error.source().unwrap().downcast_ref::<std::io::Error>().unwrap();
        assert_eq!(cause.kind(), std::io::ErrorKind::ConnectionRefused);
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_server_takes_no_longer_than_the_limit() {
    for (version, client) in clients() {
        let (near, _far) = duplex(1024);
        let client = client.limits(Limits::default().handshake_timeout(Duration::from_secs(3)));
        let start = Instant::now();
        let error = client.connect_over(near, "ws://h/").await.unwrap_err();
        assert_eq!((error.kind(), start.elapsed().as_secs()), (ErrorKind::Connect, 3), "{version:?}");
    }
}

#[tokio::test]
async fn a_server_of_another_protocol_is_an_error() {
    for (answer, http1, http2) in [
        ("SSH-2.0-OpenSSH_9.9\r\n", ErrorKind::Handshake, ErrorKind::Handshake),
        ("HTTP/1.1 101 Switching Protocols\r\n\r\n", ErrorKind::Handshake, ErrorKind::Handshake),
        (
            "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
            ErrorKind::Handshake,
            ErrorKind::Handshake,
        ),
        ("", ErrorKind::Connect, ErrorKind::Connect),
    ] {
        for ((_, client), kind) in clients().into_iter().zip([http1, http2]) {
            let (near, mut far) = duplex(1024);
            let server = async {
                far.read_u8().await.unwrap();
                far.write_all(answer.as_bytes()).await.unwrap();
                drop(far);
            };
            let (error, ()) = tokio::join!(client.connect_over(near, "ws://h/"), server);
            assert_eq!(error.unwrap_err().kind(), kind, "{answer:?}");
        }
    }
}

#[tokio::test]
async fn an_extension_that_was_not_offered_is_refused() {
    let (near, far) = duplex(1024);
    let service = service_fn(|mut request: Request<_>| async move {
        let (mut response, upgrade) = Upgrader::new().upgrade::<_, String>(&mut request).unwrap();
        tokio::spawn(upgrade.run(echo));
        response.headers_mut().insert("sec-websocket-extensions", HeaderValue::from_static("permessage-deflate"));
        Ok(response)
    });
    tokio::spawn(serve_stream(far, service));
    let error = Connector::new().without_compression().connect_over(near, "ws://h/").await.unwrap_err();
    assert_eq!(error.source().unwrap().to_string(), "the server chose an extension that was not offered");
}

#[tokio::test]
async fn http2_without_extended_connect_is_an_error_of_its_own() {
    let (near, far) = duplex(1024);
    let service = hyper::service::service_fn(|_| async { Ok::<_, hyper::Error>(Response::new(String::new())) });
    let server = hyper::server::conn::http2::Builder::new(hyper_util::rt::TokioExecutor::new());
    tokio::spawn(server.serve_connection(hyper_util::rt::TokioIo::new(far), service));
    let error = Connector::new().http2().connect_over(near, "ws://h/").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Handshake);
    assert!(error.source().unwrap().to_string().contains("extended CONNECT"));
}

#[cfg(not(feature = "rustls"))]
#[tokio::test]
async fn wss_without_tls_names_the_feature() {
    let error = Manager::connect("wss://localhost/").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidSetting);
    assert!(error.source().unwrap().to_string().contains("`rustls`"));
}
