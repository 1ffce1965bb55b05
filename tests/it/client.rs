//! Our client against our server, over real sockets.

use std::error::Error as _;
use std::time::Duration;

use http::{HeaderValue, Request, Response, Uri, Version, header};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional, duplex};
use tokio::net::{TcpListener, UnixStream};
use tokio::time::{Instant, timeout};
use tower::service_fn;
use tower_websocket::{
    CloseCode, Connector, ErrorKind, Keepalive, Limits, Manager, Message, OriginPolicy, Role, Shutdown, Target,
    Upgrader, WebSocketConfig, WebSocketLayer,
};

use crate::net::{echo, handed_over, listen, serve, serve_stream};

/// One client for each version of HTTP.
fn clients() -> [(Version, Connector); 2] {
    [(Version::HTTP_11, Connector::new()), (Version::HTTP_2, Connector::new().http2())]
}

#[tokio::test]
async fn messages_come_back_over_both_versions() {
    let address = serve(WebSocketLayer::new(echo).path("/ws")).await;
    for (version, client) in clients() {
        let ws = client.connect(format!("ws://{address}/ws")).await.unwrap();
        for size in [0, 1, 1000, 100_000, 1_000_000] {
            let message = Message::binary((0..size).map(|at| (at * 7) as u8).collect::<Vec<_>>());
            ws.send(message.clone()).await.unwrap();
            assert_eq!(ws.recv().await.unwrap(), Some(message), "{version:?} {size}");
        }
        assert!(ws.ping().await.is_ok());
        ws.close().await.unwrap();
    }
}

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
async fn compression_is_agreed_on_and_used() {
    let address = serve(WebSocketLayer::new(echo)).await;
    for (version, client) in clients() {
        for (client, is_compressed) in [(client.clone(), true), (client.without_compression(), false)] {
            let ws = client.connect(format!("ws://{address}/")).await.unwrap();
            let message = Message::text("compressible ".repeat(5000));
            ws.send(message.clone()).await.unwrap();
            assert_eq!(ws.recv().await.unwrap(), Some(message));
            let stats = ws.stats();
            assert_eq!(stats.wire_sent < stats.payload_sent / 10, is_compressed, "{version:?}: {stats:?}");
            assert_eq!(stats.wire_received < stats.payload_received / 10, is_compressed, "{version:?}: {stats:?}");
        }
    }
}

#[tokio::test]
async fn either_side_can_close() {
    let (layer, mut handlers) = handed_over();
    let address = serve(layer).await;
    for (version, client) in clients() {
        let ws = client.connect(format!("ws://{address}/")).await.unwrap();
        let handler = handlers.recv().await.unwrap();
        ws.send("last words").await.unwrap();
        ws.close_with(CloseCode::UNSUPPORTED_DATA, "bye").await.unwrap();
        assert_eq!(handler.recv().await.unwrap(), Some(Message::text("last words")));
        assert_eq!(handler.recv().await.unwrap(), None);
        let frame = handler.done().await.unwrap();
        assert_eq!((frame.code(), frame.reason()), (CloseCode::UNSUPPORTED_DATA, "bye"), "{version:?}");

        let ws = client.connect(format!("ws://{address}/")).await.unwrap();
        let handler = handlers.recv().await.unwrap();
        handler.send("last words").await.unwrap();
        handler.close_with(CloseCode::SERVICE_RESTART, "bye").await.unwrap();
        assert_eq!(ws.recv().await.unwrap(), Some(Message::text("last words")));
        assert_eq!(ws.recv().await.unwrap(), None);
        let frame = ws.done().await.unwrap();
        assert_eq!((frame.code(), frame.reason()), (CloseCode::SERVICE_RESTART, "bye"), "{version:?}");

        let ws = client.connect(format!("ws://{address}/")).await.unwrap();
        let handler = handlers.recv().await.unwrap();
        drop(ws);
        assert_eq!(handler.done().await.unwrap().code(), CloseCode::NORMAL, "{version:?}");
    }
}

#[tokio::test]
async fn a_shutdown_closes_clients_of_both_versions() {
    let shutdown = Shutdown::new();
    let address = serve(WebSocketLayer::new(echo).shutdown(&shutdown)).await;
    let mut sockets = Vec::new();
    for (_, client) in clients() {
        for number in 0..5 {
            let ws = client.connect(format!("ws://{address}/")).await.unwrap();
            ws.send(format!("{number}")).await.unwrap();
            sockets.push(ws);
        }
    }
    assert_eq!(shutdown.connections(), 10);
    assert_eq!(shutdown.close_all(CloseCode::GOING_AWAY, "restarting", Duration::from_secs(5)).await, 0);
    for ws in sockets {
        let frame = ws.done().await.unwrap();
        assert_eq!((frame.code(), frame.reason()), (CloseCode::GOING_AWAY, "restarting"));
    }
    for (version, client) in clients() {
        let error = client.connect(format!("ws://{address}/")).await.unwrap_err();
        assert_eq!(error.response().unwrap().status(), 503, "{version:?}");
    }
}

#[tokio::test]
async fn many_sockets_at_once() {
    let address = serve(WebSocketLayer::new(echo)).await;
    let mut tasks = tokio::task::JoinSet::new();
    for (_, client) in clients() {
        for number in 0..50 {
            let client = client.clone();
            tasks.spawn(async move {
                let ws = client.connect(format!("ws://{address}/")).await.unwrap();
                for round in 0..10 {
                    let message = Message::text(format!("{number} {round}"));
                    ws.send(message.clone()).await.unwrap();
                    assert_eq!(ws.recv().await.unwrap(), Some(message));
                }
                ws.close().await.unwrap();
            });
        }
    }
    tasks.join_all().await;
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
async fn a_server_that_speaks_something_else_is_an_error() {
    for (answer, http1, http2) in [
        ("SSH-2.0-OpenSSH_9.9\r\n", ErrorKind::Handshake, ErrorKind::Connect),
        ("HTTP/1.1 101 Switching Protocols\r\n\r\n", ErrorKind::Handshake, ErrorKind::Connect),
        (
            "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
            ErrorKind::Handshake,
            ErrorKind::Connect,
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
async fn a_server_that_vanishes_is_a_disconnection() {
    for (version, client) in clients() {
        let (near, mut middle) = duplex(1024);
        let (mut other_middle, far) = duplex(1024);
        let bridge = tokio::spawn(async move { copy_bidirectional(&mut middle, &mut other_middle).await });
        tokio::spawn(serve_stream(far, WebSocketLayer::new(echo).into_service()));
        let ws = client.connect_over(near, "ws://h/").await.unwrap();
        ws.send("there?").await.unwrap();
        assert_eq!(ws.recv().await.unwrap(), Some(Message::text("there?")));
        bridge.abort();
        assert_eq!(ws.recv().await.unwrap_err().kind(), ErrorKind::Disconnected, "{version:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_client_keeps_the_connection_alive_and_notices_silence() {
    for (version, client) in clients() {
        let (near, mut middle) = duplex(1024);
        let (mut other_middle, far) = duplex(1024);
        let bridge = tokio::spawn(async move { copy_bidirectional(&mut middle, &mut other_middle).await });
        let upgrader = Upgrader::new().keepalive(Keepalive::disabled());
        tokio::spawn(serve_stream(far, WebSocketLayer::new(echo).upgrader(upgrader).into_service()));
        let ws = client.connect_over(near, "ws://h/").await.unwrap();
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert!(ws.end().is_none() && ws.round_trip().is_some(), "{version:?}");
        drop(bridge);
    }
    let (near, _far) = duplex(1024);
    let ws = Manager::from_upgraded(near, Role::Client, &WebSocketConfig::new());
    assert_eq!(ws.recv().await.unwrap_err().kind(), ErrorKind::KeepaliveTimeout);
}

#[tokio::test]
async fn any_transport_can_carry_a_connection() {
    let (near, far) = UnixStream::pair().unwrap();
    let client = Manager::from_upgraded(near, Role::Client, &WebSocketConfig::new());
    let server = Manager::from_upgraded(far, Role::Server, &WebSocketConfig::new());
    let text = Message::text("plain ".repeat(100_000));
    let (sent, received) = tokio::join!(client.send(text.clone()), server.recv());
    sent.unwrap();
    assert_eq!(received.unwrap(), Some(text));
    assert!(client.stats().wire_sent > client.stats().payload_sent);
    drop(server);
    assert_eq!(client.recv().await.unwrap(), None);
    assert_eq!(client.done().await.unwrap().code(), CloseCode::NORMAL);
}

#[tokio::test]
async fn http2_without_extended_connect_is_an_error_that_says_so() {
    let (near, far) = duplex(1024);
    let service = hyper::service::service_fn(|_| async { Ok::<_, hyper::Error>(Response::new(String::new())) });
    let server = hyper::server::conn::http2::Builder::new(hyper_util::rt::TokioExecutor::new());
    tokio::spawn(server.serve_connection(hyper_util::rt::TokioIo::new(far), service));
    let error = Connector::new().http2().connect_over(near, "ws://h/").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Handshake);
    assert!(error.source().unwrap().to_string().contains("extended CONNECT"));
}

#[tokio::test(start_paused = true)]
async fn many_small_messages_can_wait_for_the_client() {
    for (version, client) in clients() {
        let (layer, mut handlers) = handed_over();
        let (near, far) = duplex(1024);
        let limits = Limits::default().write_timeout(Duration::from_secs(3600));
        let settings = Upgrader::new().keepalive(Keepalive::disabled()).limits(limits);
        tokio::spawn(serve_stream(far, layer.upgrader(settings).into_service()));
        let client = client.keepalive(Keepalive::disabled());
        let ws = client.connect_over(near, "ws://h/").await.unwrap();
        let handler = handlers.recv().await.unwrap();
        tokio::spawn(async move {
            for number in 0..10_000 {
                handler.send(format!("{number}")).await.unwrap();
                handler.flush().await.unwrap();
            }
        });
        tokio::time::sleep(Duration::from_secs(1)).await;
        for number in 0..10_000 {
            assert_eq!(ws.recv().await.unwrap(), Some(Message::text(format!("{number}"))), "{version:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_transport_ends_with_the_websocket() {
    for (version, client) in clients() {
        let (near, far) = duplex(1024);
        let server = tokio::spawn(serve_stream(far, WebSocketLayer::new(echo).into_service()));
        let ws = client.connect_over(near, "ws://h/").await.unwrap();
        let start = Instant::now();
        ws.close().await.unwrap();
        server.await.unwrap();
        assert_eq!(start.elapsed(), Duration::ZERO, "{version:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_transport_ends_with_the_attempt() {
    for (version, client) in clients() {
        let (near, mut far) = duplex(1024);
        let mut request = Vec::new();
        let connect = timeout(Duration::from_secs(1), client.connect_over(near, "ws://h/"));
        let (attempt, read) = tokio::join!(connect, far.read_to_end(&mut request));
        assert!(attempt.is_err() && read.is_ok() && !request.is_empty(), "{version:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_transport_ends_when_the_server_takes_nothing() {
    for (version, client) in clients() {
        let (layer, mut handlers) = handed_over();
        let upgrader = Upgrader::new().keepalive(Keepalive::disabled());
        let (near, far) = duplex(1024);
        let mut server = tokio::spawn(serve_stream(far, layer.upgrader(upgrader).into_service()));
        let client = client.keepalive(Keepalive::disabled()).without_compression();
        let ws = client.connect_over(near, "ws://h/").await.unwrap();
        let handler = handlers.recv().await.unwrap();
        let start = Instant::now();
        let error = loop {
            if let Err(error) = ws.send(vec![0; 16 * 1024]).await {
                break error;
            }
        };
        assert_eq!((error.kind(), start.elapsed().as_secs()), (ErrorKind::WriteTimeout, 10), "{version:?}");
        if version == Version::HTTP_2 {
            timeout(Duration::from_secs(2), &mut server).await.unwrap().unwrap();
        }
        while handler.recv().await.is_ok_and(|message| message.is_some()) {}
        assert_eq!(handler.done().await.unwrap_err().kind(), ErrorKind::Disconnected, "{version:?}");
    }
}

#[cfg(feature = "rustls")]
mod tls {
    use std::net::SocketAddr;
    use std::sync::Arc;

    use hyper_util::rt::{TokioExecutor, TokioIo};
    use hyper_util::server::conn::auto;
    use hyper_util::service::TowerToHyperService;
    use tokio_rustls::rustls::ClientConfig;

    use super::*;
    use crate::net::http_server;
    use crate::tls::certified;

    /// A server with a certificate of its own for `localhost` and 127.0.0.1, and a client's configuration that trusts it.
    async fn serve_tls<H, F>(
        layer: WebSocketLayer<H>,
        server: auto::Builder<TokioExecutor>,
        protocols: &[&str],
    ) -> (SocketAddr, Arc<ClientConfig>)
    where
        H: Fn(Manager) -> F + Send + Sync + 'static,
        F: Future<Output = Result<(), tower_websocket::Error>> + Send + 'static,
    {
        let (acceptor, config) = certified(protocols);
        let service = layer.into_service();
        let address = listen(move |stream| {
            let (acceptor, server, service) = (acceptor.clone(), server.clone(), service.clone());
            async move {
                // A client that does not trust us is the business of the test.
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let service = TowerToHyperService::new(service);
                let _ = server.serve_connection_with_upgrades(TokioIo::new(stream), service).await;
            }
        })
        .await;
        (address, config)
    }

    #[tokio::test]
    async fn tls_carries_the_version_that_both_sides_want() {
        let both = &["h2", "http/1.1"][..];
        for (protocols, client, version) in [
            (both, Connector::new(), Version::HTTP_11),
            (both, Connector::new().http2(), Version::HTTP_2),
            (&["http/1.1"], Connector::new().http2(), Version::HTTP_11),
            (&[], Connector::new().http2(), Version::HTTP_11),
        ] {
            let (layer, mut handlers) = handed_over();
            let (address, config) = serve_tls(layer, http_server(), protocols).await;
            for host in ["localhost", "127.0.0.1"] {
                let client = client.clone().tls_config(config.clone());
                let ws = client.connect(format!("wss://{host}:{}/", address.port())).await.unwrap();
                let handler = handlers.recv().await.unwrap();
                assert_eq!(handler.request().version, version, "{protocols:?}");
                handler.send("secret").await.unwrap();
                assert_eq!(ws.recv().await.unwrap(), Some(Message::text("secret")));
                ws.close().await.unwrap();
                assert_eq!(handler.done().await.unwrap().code(), CloseCode::NORMAL);
            }
        }
    }

    #[tokio::test]
    async fn falls_back_to_http1_where_http2_has_no_websockets() {
        let (layer, mut handlers) = handed_over();
        let server = auto::Builder::new(TokioExecutor::new());
        let (address, config) = serve_tls(layer, server, &["h2", "http/1.1"]).await;
        let client = Connector::new().http2().tls_config(config);
        let _ws = client.connect(format!("wss://localhost:{}/", address.port())).await.unwrap();
        assert_eq!(handlers.recv().await.unwrap().request().version, Version::HTTP_11);
    }

    #[tokio::test]
    async fn where_there_is_nothing_to_fall_back_to_the_first_reason_is_told() {
        let server = auto::Builder::new(TokioExecutor::new());
        let (address, config) = serve_tls(WebSocketLayer::new(echo), server, &["h2"]).await;
        let client = Connector::new().http2().tls_config(config);
        let error = client.connect(format!("wss://localhost:{}/", address.port())).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Handshake);
        let reason = error.source().unwrap().to_string();
        assert!(reason.contains("extended CONNECT is off") && reason.contains("NoApplicationProtocol"), "{reason}");
    }

    #[tokio::test]
    async fn a_certificate_that_nobody_signed_is_refused() {
        let (address, _) = serve_tls(WebSocketLayer::new(echo), http_server(), &[]).await;
        let error = Manager::connect(format!("wss://localhost:{}/", address.port())).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connect);
        assert!(error.source().unwrap().to_string().contains("certificate"), "{error:?}");
    }
}

#[cfg(not(feature = "rustls"))]
#[tokio::test]
async fn wss_without_tls_names_the_feature() {
    let error = Manager::connect("wss://localhost/").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidSetting);
    assert!(error.source().unwrap().to_string().contains("`rustls`"));
}

#[tokio::test(start_paused = true)]
async fn a_client_answers_a_close_frame_with_something_behind_it() {
    let (near, mut far) = tokio::io::duplex(1024);
    let ws = Manager::from_upgraded(near, Role::Client, &WebSocketConfig::new());
    // A close frame with 1000, then a ping and a text.
    far.write_all(b"\x88\x02\x03\xe8\x89\x01x\x81\x01y").await.unwrap();
    let mut header = [0; 6];
    far.read_exact(&mut header).await.unwrap();
    assert_eq!(header[..2], [0x88, 0x82]);
    assert_eq!(ws.recv().await.unwrap(), None);
}
