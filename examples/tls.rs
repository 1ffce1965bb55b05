//! WebSockets over TLS, which browsers open over HTTP/2 as it is offered here (RFC 8441).
//!
//! How it serves is in `server/mod.rs`. `cargo run --example tls` listens on `127.0.0.1:3000`, or on `ADDR`. The certificate is made at the start and nobody
//! has signed it, so the browser asks before it shows the page.

#[path = "server/mod.rs"]
mod server;

use std::convert::Infallible;
use std::env;
use std::error::Error as StdError;
use std::sync::Arc;

use http::header::CONTENT_TYPE;
use http::{Request, Response};
use hyper::body::Incoming;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tower::ServiceBuilder;
use tower_websocket::{CloseCode, Error, Manager, Message, OriginPolicy, Upgrader, WebSocketLayer};

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

    // A page of another name that resolves to this machine (DNS rebinding) has no business here.
    let origin = OriginPolicy::same_host().allowed_hosts(["localhost", "127.0.0.1", "[::1]"])?;
    let echo = WebSocketLayer::new(echo).path("/ws").upgrader(Upgrader::new().origin(origin));
    let service = ServiceBuilder::new().layer(echo).service_fn(page);
    let tls = TlsAcceptor::from(Arc::new(self_signed()?));

    // The time for a first request runs meanwhile too.
    server::serve_over(listener, server::http(), service, move |stream| tls.accept(stream)).await;
    Ok(())
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
