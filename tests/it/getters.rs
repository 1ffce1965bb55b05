//! What was set can be read.

use std::time::Duration;

use http::{HeaderValue, header};
#[cfg(feature = "client")]
use tower_websocket::Connector;
use tower_websocket::{Limits, Shutdown, Upgrader};

#[test]
fn of_an_endpoint() {
    let shutdown = Shutdown::new().jitter(Duration::from_secs(3));
    let upgrader = Upgrader::new()
        .subprotocols(["chat.v2", "chat.v1"])
        .max_connections(7)
        .limits(Limits::default().max_message_size(5))
        .shutdown(&shutdown);
    assert_eq!(upgrader.get_subprotocols().collect::<Vec<_>>(), ["chat.v2", "chat.v1"]);
    assert_eq!(upgrader.get_max_connections(), Some(7));
    assert_eq!(upgrader.get_config().get_limits().get_max_message_size(), 5);
    assert_eq!(upgrader.get_shutdown().unwrap().get_jitter(), Duration::from_secs(3));

    let default = Upgrader::new();
    assert_eq!(default.get_subprotocols().count(), 0);
    assert_eq!(default.select_subprotocol(|_| None).get_subprotocols().count(), 0);
    assert_eq!(Shutdown::new().get_jitter(), Duration::ZERO);
}

#[cfg(feature = "client")]
#[test]
fn of_a_client() {
    let origin = HeaderValue::from_static("https://app.example.com");
    let connector =
        Connector::new().header(header::ORIGIN, origin.clone()).subprotocols(["chat.v2", "chat.v1"]).http2();
    assert_eq!(connector.get_headers()[header::ORIGIN], origin);
    assert_eq!(connector.get_subprotocols().collect::<Vec<_>>(), ["chat.v2", "chat.v1"]);
    assert!(connector.get_http2());

    let default = Connector::new();
    assert!(default.get_headers().is_empty() && !default.get_http2());
    assert_eq!(default.get_subprotocols().count(), 0);
}
