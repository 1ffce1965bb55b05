//! What was set can be read.

use std::time::Duration;

use http::{HeaderValue, header};
#[cfg(feature = "client")]
use tower_websocket::Connector;
use tower_websocket::{Budget, ForwardedHeader, History, Hub, Limits, OriginPolicy, Shutdown, Upgrader};

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

    assert_eq!(shutdown.get_batch(), None);
    let batch = Some((100, Duration::from_secs(2)));
    assert_eq!(shutdown.clone().batch(100, Duration::from_secs(2)).get_batch(), batch);
    assert_eq!(shutdown.get_batch(), batch);
    assert_eq!(upgrader.get_max_connections_per_key(), None);
    assert_eq!(upgrader.max_connections_per_key(3, |_| Some(())).get_max_connections_per_key(), Some(3));

    let default = Upgrader::new();
    assert_eq!(default.get_subprotocols().count(), 0);
    assert_eq!(default.select_subprotocol(|_| None).get_subprotocols().count(), 0);
    assert_eq!(Shutdown::new().get_jitter(), Duration::ZERO);
}

#[test]
fn of_an_origin_policy() {
    let policy = OriginPolicy::list(["https://app.example", "https://*.b.example:8443"])
        .unwrap()
        .allowed_hosts(["api.example", "[::1]:3000"])
        .unwrap()
        .require_origin()
        .trusted_proxies(ForwardedHeader::Forwarded, ["10.0.0.0/8", "::1", "::ffff:192.0.2.0/120"])
        .unwrap();
    let policy = Upgrader::new().origin(policy).get_origin().clone();
    assert_eq!(policy.get_list().collect::<Vec<_>>(), ["https://app.example", "https://*.b.example:8443"]);
    assert_eq!(policy.get_allowed_hosts().collect::<Vec<_>>(), ["api.example", "[::1]:3000"]);
    assert!(policy.get_require_origin());
    assert_eq!(policy.get_forwarded_header(), Some(ForwardedHeader::Forwarded));
    assert_eq!(policy.get_trusted_proxies().collect::<Vec<_>>(), ["10.0.0.0/8", "::1/128", "192.0.2.0/24"]);

    let by_function = policy.trusted_proxies_by(ForwardedHeader::XForwarded, |_| true);
    assert_eq!(by_function.get_forwarded_header(), Some(ForwardedHeader::XForwarded));
    assert_eq!(by_function.get_trusted_proxies().count(), 0);

    let default = OriginPolicy::same_host();
    assert_eq!(default.get_list().chain(default.get_allowed_hosts()).chain(default.get_trusted_proxies()).count(), 0);
    assert!(!default.get_require_origin());
    assert_eq!(default.get_forwarded_header(), None);
}

#[test]
fn of_a_hub() {
    let budget = Budget::new(12_345);
    let hub = Hub::with_budget(budget);
    assert_eq!(hub.get_budget().limit(), 12_345);
    let topic = hub.topic("t");
    assert_eq!(topic.name(), "t");
    assert_eq!((topic.get_history(), topic.get_capacity()), (None, 256));
    let history = History::last(50).within(Duration::from_secs(120));
    assert_eq!((history.get_last(), history.get_within()), (50, Duration::from_secs(120)));
    assert_eq!(History::last(1).get_within(), Duration::from_secs(300));
    let topic = topic.history(history).capacity(7);
    assert_eq!((topic.get_history(), topic.get_capacity()), (Some(history), 7));
    // They are those of the topic and not of the handle.
    assert_eq!(hub.topic("t").get_capacity(), 7);
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

    #[cfg(feature = "proxy")]
    {
        assert!(connector.get_proxy().is_none());
        let connector = connector.proxy(tower_websocket::Proxy::all("http://proxy.example:3128").unwrap());
        assert!(format!("{:?}", connector.get_proxy().unwrap()).contains("proxy.example:3128"));
    }
    #[cfg(feature = "rustls")]
    {
        use std::sync::Arc;
        use tower_websocket::rustls::crypto::ring;
        use tower_websocket::rustls::{ClientConfig, RootCertStore};

        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth();
        let config = Arc::new(config);
        let connector = Connector::new().tls_config(config.clone());
        assert!(Arc::ptr_eq(connector.get_tls_config().unwrap(), &config));
        assert!(Connector::new().get_tls_config().is_none());
    }

    let default = Connector::new();
    assert!(default.get_headers().is_empty() && !default.get_http2());
    assert_eq!(default.get_subprotocols().count(), 0);
}
