//! A programmer's setting that cannot work panics where it is made, with a sentence; nothing is changed silently.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use tower_websocket::testing::TestClient;
#[cfg(feature = "client")]
use tower_websocket::{Backoff, Connector};
use tower_websocket::{
    Hub, Keepalive, Limits, Manager, RateLimit, Shutdown, Upgrader, WebSocketConfig, WebSocketLayer,
};

use crate::levels::level;
use crate::support::Lines;

const ZERO: Duration = Duration::ZERO;

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The message with which `set` panics.
fn panics<T>(set: impl FnOnce() -> T) -> String {
    let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(set()))) else { panic!("it does not panic") };
    payload.downcast::<String>().map_or_else(|payload| (*payload.downcast::<&str>().unwrap()).to_owned(), |text| *text)
}

#[test]
fn a_path_that_no_request_has() {
    let layer = || WebSocketLayer::new(|_: Manager| async {});
    for (path, sentence) in [
        ("ws", "no request would have the path \"ws\": a path begins with `/`"),
        ("", "a path begins with `/`"),
        ("/ws?x", "without query"),
        ("/ws#x", "without query and fragment"),
        ("/rooms/{id}", "is not a template; use `matching`"),
        ("/a b", "percent-encoded"),
    ] {
        let said = panics(|| layer().path(path));
        assert!(said.contains(sentence), "{said}");
    }
    assert_eq!(layer().path("/ws").get_path(), Some("/ws"));
    assert_eq!(layer().get_path(), None);
    assert_eq!(layer().path("/ws").matching(|_| true).get_path(), None);
}

#[tokio::test(start_paused = true)]
async fn a_path_of_any_valid_characters_is_matched() {
    for path in ["/", "/ws", "/gr%C3%BC%C3%9Fe/it's;v=1", "/a:b/c*@!$&()+=|"] {
        let layer = WebSocketLayer::new(|_: Manager| async {}).path(path);
        for client in [TestClient::new(layer.clone().into_service()), TestClient::new(layer.into_service()).http2()] {
            client.connect(path).await.unwrap();
            client.connect(&format!("{path}?query")).await.unwrap();
        }
    }
}

#[test]
fn a_keepalive_that_times_out_before_it_pings_is_a_warning() {
    let lines = Lines::default();
    lines.subscribe();
    for (keepalive, pings) in [
        (Keepalive::default().interval(secs(20)), false),
        (Keepalive::default().timeout(secs(3)), false),
        (Keepalive::default().interval(secs(20)).timeout(secs(45)), true),
        (Keepalive::default().timeout(secs(45)).interval(secs(20)), true),
        (Keepalive::disabled(), true),
        (Keepalive::disabled().timeout(secs(60)), true),
        (Keepalive::disabled().interval(secs(60)), true),
        (Keepalive::default().interval(Duration::MAX).timeout(Duration::MAX), true),
    ] {
        let sets: [&dyn Fn() -> Keepalive; 3] = [
            &|| *WebSocketConfig::new().keepalive(keepalive).get_keepalive(),
            &|| *Upgrader::new().keepalive(keepalive).get_config().get_keepalive(),
            #[cfg(feature = "client")]
            &|| *Connector::new().keepalive(keepalive).get_config().get_keepalive(),
            #[cfg(not(feature = "client"))]
            &|| *WebSocketConfig::new().keepalive(keepalive).get_keepalive(),
        ];
        for set in sets {
            assert_eq!(set(), keepalive, "it is not changed");
            let said = lines.take();
            assert_eq!(said.is_empty(), pings, "{said}");
            if !pings {
                assert_eq!(level(&said, "no peer is pinged"), "WARN");
            }
        }
    }
    for set in [Keepalive::interval, Keepalive::timeout] {
        assert!(panics(|| set(Keepalive::default(), ZERO)).contains("1 ms or longer"));
    }
}

#[test]
fn a_time_of_zero_that_would_end_everything() {
    for (set, sentence) in [
        (Limits::message_timeout as fn(Limits, Duration) -> Limits, "a message timeout of zero"),
        (Limits::write_timeout, "a write timeout of zero"),
        (Limits::handshake_timeout, "a handshake timeout of zero"),
        (Limits::max_lifetime, "a lifetime of zero"),
    ] {
        assert!(panics(|| set(Limits::default(), ZERO)).contains(sentence));
    }
    assert_eq!(Limits::default().close_timeout(ZERO).get_close_timeout(), ZERO);
    assert!(panics(|| Shutdown::new().batch(0, secs(1))).contains("a batch of no connections"));
    assert!(panics(|| Shutdown::new().batch(1, ZERO)).contains("the time between two batches"));
    #[cfg(feature = "json")]
    assert!(
        panics(|| WebSocketLayer::periodic(ZERO, || async { Ok::<_, std::convert::Infallible>(1) }))
            .contains("interval")
    );
}

#[test]
fn a_limit_of_zero_that_would_let_nothing_through() {
    assert!(panics(|| Limits::default().max_write_buffer_size(0)).contains("zero bytes"));
    assert!(panics(|| Limits::default().min_data_rate(0)).contains("more than zero"));
    assert!(panics(|| RateLimit::new().messages(0)).contains("no messages"));
    assert!(panics(|| RateLimit::new().bytes(0)).contains("no bytes"));
    assert!(panics(|| Hub::new().topic("t").capacity(0)).contains("no publications"));
}

#[test]
fn a_subprotocol_that_is_no_token() {
    for name in ["", "chat room", "a,b"] {
        assert!(panics(|| Upgrader::new().subprotocols([name])).contains("is a token"), "{name}");
        #[cfg(feature = "client")]
        assert!(panics(|| Connector::new().subprotocols([name])).contains("is a token"), "{name}");
    }
    #[cfg(feature = "client")]
    assert!(panics(|| Connector::new().subprotocols(["a", "a"])).contains("stands once"));
}

#[cfg(feature = "client")]
#[test]
fn a_backoff_that_contradicts_itself() {
    for set in [Backoff::initial, Backoff::max] {
        assert!(panics(|| set(Backoff::default(), ZERO)).contains("above zero"));
    }
    assert!(panics(|| Backoff::default().max_failures(0)).contains("must not be zero"));
    assert!(panics(|| Backoff::default().after_restart(secs(2), secs(1))).contains("shortest"));
}
