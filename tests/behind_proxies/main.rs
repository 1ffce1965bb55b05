//! Behind nginx and HAProxy as Debian has them: TLS in front, HTTP/1.1 and HTTP/2 behind. A test whose program is not
//! installed says so and does nothing: `apt-get install nginx haproxy`.

#![expect(clippy::unwrap_used, reason = "helpers are part of their tests, and clippy allows it only in test functions")]

mod backend;
mod haproxy;
mod nginx;
#[allow(dead_code, reason = "not all tests use all of it")]
#[path = "../support/port.rs"]
mod port;
#[allow(dead_code, reason = "not all tests use all of it")]
#[path = "../support/program.rs"]
mod program;
mod proxy;
#[path = "../support/skipped.rs"]
mod skipped;

use std::sync::Arc;
use std::time::Duration;

use http::Request;
use tokio_rustls::rustls::ClientConfig;
use tower_websocket::{Connector, Error, Manager, Message};

use crate::backend::Came;

/// No test takes so long, however slow the machine is.
const PATIENCE: Duration = Duration::from_secs(60);

/// A client over TLS, which trusts the proxy's certificate.
fn client(trust: &Arc<ClientConfig>) -> Connector {
    Connector::new().tls_config(trust.clone())
}

/// Connects as a page of `https://app.example` does, whose name leads to the proxy.
async fn connect(connector: &Connector, port: u16) -> Result<Manager, Error> {
    let request = Request::get(format!("wss://localhost:{port}/ws")).header("host", "app.example");
    let request = request.header("origin", "https://app.example").body(()).unwrap();
    tokio::time::timeout(PATIENCE, connector.connect(request)).await.unwrap()
}

/// The first message says how the handshake reached the proxy and then the server; whatever is sent comes back. The connection
/// between the two, by its port.
async fn is_served_over(ws: &Manager, front: &str, came: Came) -> u16 {
    let first = ws.recv().await.unwrap().unwrap();
    let (how, connection) = first.as_text().unwrap().rsplit_once("; ").unwrap();
    assert_eq!(how, format!("{front}; {came}"));
    assert!(ws.is_compressed());
    for message in [Message::text("hello"), Message::binary(vec![7; 500_000]), Message::text("x".repeat(100_000))] {
        ws.send(&message).await.unwrap();
        assert_eq!(ws.recv().await.unwrap(), Some(message));
    }
    ws.ping().await.unwrap();
    connection.parse().unwrap()
}
