//! Our client over TLS.

use std::error::Error as _;
use std::net::SocketAddr;
use std::sync::Arc;

use http::Version;
use hyper_util::rt::TokioExecutor;
use hyper_util::server::conn::auto;
use tokio_rustls::rustls::ClientConfig;
use tower_websocket::{CloseCode, Connector, Error, ErrorKind, Manager, Message, WebSocketLayer};

use crate::net::{handed_over, listen};
use crate::shared::{certified, echo, http_server_with_windows, serve_connection};

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
    let (address, _) = serve_tls(WebSocketLayer::new(echo), http_server_with_windows(), &[]).await;
    let error = Manager::connect(format!("wss://localhost:{}/", address.port())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect);
    assert!(error.source().unwrap().to_string().contains("certificate"), "{error:?}");
}
