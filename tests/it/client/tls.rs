//! Our client over TLS.

use std::error::Error as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::Version;
use hyper_util::rt::TokioExecutor;
use hyper_util::server::conn::auto;
use tokio::io::{AsyncReadExt, duplex};
use tokio_rustls::rustls::ClientConfig;
use tower_websocket::{Backoff, CloseCode, Connector, Error, ErrorKind, Manager, Message, WebSocketLayer};

use crate::levels::level;
use crate::net::{handed_over, listen, serve_stream};
use crate::shared::{certified, echo, http_server_with_windows, serve_connection};
use crate::support::Lines;

/// A server with a certificate of its own for `localhost` and 127.0.0.1, and a client's configuration that trusts it.
async fn serve_tls<H, F>(
    layer: WebSocketLayer<H>,
    server: auto::Builder<TokioExecutor>,
    protocols: &[&str],
) -> (SocketAddr, Arc<ClientConfig>)
where
    H: Fn(Manager) -> F + Send + Sync + 'static,
    F: Future<Output = Result<(), Error>> + Send + 'static,
{
    let (acceptor, config) = certified(protocols);
    let service = layer.into_service();
    let address = listen(move |stream| {
        let (acceptor, server, service) = (acceptor.clone(), server.clone(), service.clone());
        async move {
            // A client that does not trust us is the business of the test.
            let Ok(stream) = acceptor.accept(stream).await else { return };
            serve_connection(server, stream, service).await;
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
        let (address, config) = serve_tls(layer, http_server_with_windows(), protocols).await;
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
    let lines = Lines::default();
    lines.subscribe();
    let _ws = client.connect(format!("wss://localhost:{}/", address.port())).await.unwrap();
    assert_eq!(handlers.recv().await.unwrap().request().version, Version::HTTP_11);
    assert_eq!(level(&lines.take(), "no WebSockets over HTTP/2 here"), "DEBUG");
}

#[tokio::test]
async fn without_another_version_the_first_error_is_returned() {
    let server = auto::Builder::new(TokioExecutor::new());
    let (address, config) = serve_tls(WebSocketLayer::new(echo), server, &["h2"]).await;
    let client = Connector::new().http2().tls_config(config);
    let error = client.connect(format!("wss://localhost:{}/", address.port())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Handshake);
    let reason = error.source().unwrap().to_string();
    assert!(reason.contains("extended CONNECT is off") && reason.contains("NoApplicationProtocol"), "{reason}");
}

/// It may be there again: a client that stays connected tries again.
#[tokio::test]
async fn a_second_connection_that_is_lost_is_one_that_could_not_be_opened() {
    let (layer, mut handlers) = handed_over();
    let service = layer.into_service();
    let (acceptor, config) = certified(&["h2", "http/1.1"]);
    let accepted = Arc::new(AtomicUsize::new(0));
    let count = accepted.clone();
    let address = listen(move |mut stream| {
        let (acceptor, service) = (acceptor.clone(), service.clone());
        let number = count.fetch_add(1, Ordering::Relaxed);
        async move {
            match number {
                // Where there is HTTP/2, it has no WebSockets.
                0 | 2 | 4 => {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    serve_connection(auto::Builder::new(TokioExecutor::new()), stream, service).await;
                }
                1 => {
                    let _ = stream.read(&mut [0; 4096]).await;
                }
                3 => {
                    let mut stream = acceptor.accept(stream).await.unwrap();
                    let _ = stream.read(&mut [0; 4096]).await;
                }
                _ => {
                    serve_connection(http_server_with_windows(), acceptor.accept(stream).await.unwrap(), service).await
                }
            }
        }
    })
    .await;
    let client = Connector::new().http2().tls_config(config);
    let url = format!("wss://localhost:{}/", address.port());
    for attempts in [2, 4] {
        let error = client.connect(&url).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connect, "{error:?}");
        assert!(error.is_retryable(), "{error:?}");
        let source = error.source().unwrap().to_string();
        assert_eq!(source, "the server closed or reset the connection without an answer");
        assert_eq!(accepted.load(Ordering::Relaxed), attempts);
    }
    accepted.store(2, Ordering::Relaxed);
    let backoff = Backoff::default().initial(Duration::from_millis(1));
    let ws = client.sessions(&url, backoff).next().await.unwrap().unwrap();
    assert_eq!(handlers.recv().await.unwrap().request().version, Version::HTTP_11);
    assert_eq!(accepted.load(Ordering::Relaxed), 6);
    drop(ws);
}

#[tokio::test]
async fn a_host_that_tls_cannot_name_is_an_invalid_setting_and_not_dialled() {
    let long = format!("{}.example", "a".repeat(64));
    for host in ["-a.example", "a-.example", "127.0.0.1.", &long] {
        for client in [Connector::new(), Connector::new().http2()] {
            let url = format!("wss://{host}/");
            let (near, mut far) = duplex(64);
            for error in [
                client.connect(&url).await.unwrap_err(),
                client.sessions(&url, Backoff::default()).next().await.unwrap_err(),
                client.connect_over(near, &url).await.unwrap_err(),
            ] {
                assert_eq!(error.kind(), ErrorKind::InvalidSetting, "{host}: {error:?}");
                assert!(!error.is_retryable(), "{host}: {error:?}");
                assert!(error.source().unwrap().to_string().contains("valid DNS name"), "{host}: {error:?}");
            }
            assert_eq!(far.read(&mut [0; 64]).await.unwrap(), 0, "{host}");
        }
    }
}

#[tokio::test]
async fn a_server_without_tls_is_not_tried_again() {
    let service = WebSocketLayer::new(echo).into_service();
    let address = listen(move |stream| serve_stream(stream, service.clone())).await;
    let error = Manager::connect(format!("wss://localhost:{}/", address.port())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect);
    assert!(!error.is_retryable(), "{error:?}");
}

#[tokio::test]
async fn a_self_signed_certificate_is_refused() {
    let (address, _) = serve_tls(WebSocketLayer::new(echo), http_server_with_windows(), &[]).await;
    let error = Manager::connect(format!("wss://localhost:{}/", address.port())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect);
    assert!(error.source().unwrap().to_string().contains("certificate"), "{error:?}");
}
