//! WebSockets over TLS, which browsers open over HTTP/2 as it is offered here (RFC 8441).
//!
//! `cargo run --example tls` listens on `127.0.0.1:3000`, or on `ADDR`. The certificate is made at the start and nobody
//! has signed it, so the browser asks before it shows the page.

use std::convert::Infallible;
use std::env;
use std::error::Error as StdError;
use std::sync::Arc;

use http::header::CONTENT_TYPE;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tower::ServiceBuilder;
use tower_websocket::{CloseCode, Error, Manager, Message, WebSocketLayer};

/// Says which version of HTTP the WebSocket came over, then echoes.
async fn echo(ws: Manager) -> Result<(), Error> {
    let version = ws.request().version;
    ws.send(format!("opened over {version:?}")).await?;
    while let Some(message) = ws.recv().await? {
        if message == Message::text("close") {
            ws.close_with(CloseCode::NORMAL, "as you wish").await?;
        } else {
            ws.send(message).await?;
        }
    }
    println!("closed over {version:?}: {}", ws.done().await?);
    Ok(())
}

async fn page(_: Request<Incoming>) -> Result<Response<String>, Infallible> {
    let mut response = Response::new(include_str!("tls/index.html").to_owned());
    response.headers_mut().insert(CONTENT_TYPE, "text/html; charset=utf-8".parse().expect("a valid header"));
    Ok(response)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn StdError>> {
    let listener = TcpListener::bind(env::var("ADDR").as_deref().unwrap_or("127.0.0.1:3000")).await?;
    println!("listening on https://{}", listener.local_addr()?);

    let service = ServiceBuilder::new().layer(WebSocketLayer::new(echo).path("/ws")).service_fn(page);
    let tls = TlsAcceptor::from(Arc::new(self_signed()?));

    let mut server = auto::Builder::new(TokioExecutor::new());
    // The README says why these are better than hyper's defaults.
    server
        .http2()
        .enable_connect_protocol()
        .initial_stream_window_size(64 * 1024)
        .initial_connection_window_size(64 * 1024 * 1024)
        .max_send_buf_size(64 * 1024);
    loop {
        let (stream, _) = listener.accept().await?;
        let (server, tls) = (server.clone(), tls.clone());
        let service = TowerToHyperService::new(service.clone());
        tokio::spawn(async move {
            let stream = match tls.accept(stream).await {
                Ok(stream) => TokioIo::new(stream),
                Err(error) => return eprintln!("no TLS: {error}"),
            };
            // `with_upgrades`, or else the socket never becomes a WebSocket.
            if let Err(error) = server.serve_connection_with_upgrades(stream, service).await {
                eprintln!("connection failed: {error}");
            }
        });
    }
}

/// A certificate for this machine. It is by ALPN that browsers learn of HTTP/2.
fn self_signed() -> Result<ServerConfig, Box<dyn StdError>> {
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()])?;
    let key = PrivateKeyDer::try_from(certified.signing_key.serialize_der())?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}
