//! At which level the life of a connection is logged.

use http::Response;
use tower::ServiceBuilder;
use tower_websocket::testing::pair;
use tower_websocket::{Backoff, CloseCode, Connector, Hub, Limits, Manager, Overflow, Shutdown, WebSocketLayer};

use crate::support::{Lines, Peer, close, millis, quiet, secs, serve, text};

/// The level of the line that says this.
#[track_caller]
pub(crate) fn level(said: &str, what: &str) -> String {
    let line = said.lines().find(|line| line.contains(what)).unwrap_or_else(|| panic!("{what:?} is not in: {said}"));
    // Behind the time.
    line.split_whitespace().nth(1).unwrap().to_owned()
}

/// What was said in the life of a connection to this handler, to which the peer does this.
async fn life<H, F>(layer: WebSocketLayer<H>, peer: impl AsyncFnOnce(&mut Peer)) -> String
where
    H: Fn(Manager) -> F + Send + Sync + 'static,
    F: Future<Output: tower_websocket::HandlerOutput> + Send + 'static,
{
    let lines = Lines::default();
    lines.subscribe();
    let mut client = serve(layer.into_service());
    client.handshake("").await;
    peer(&mut client).await;
    drop(client);
    tokio::time::sleep(secs(1)).await;
    lines.take()
}

#[tokio::test(start_paused = true)]
async fn an_ordinary_connection_is_for_debugging_alone() {
    let layer = WebSocketLayer::new(|ws: Manager| async move { ws.recv().await.map(drop) });
    let said = life(layer.upgrader(quiet()), async |peer| {
        peer.send(close(1000, "")).await;
        peer.expect_close(1000).await;
    })
    .await;
    for what in [": open", "peer closes", "closed frame=code 1000"] {
        assert_eq!(level(&said, what), "DEBUG", "{what}");
    }
    assert!(!said.contains("closing"), "it was the peer that closed: {said}");
    let layer = WebSocketLayer::new(|_: Manager| async {});
    let said = life(layer.upgrader(quiet()), async |peer| {
        peer.expect_close(1000).await;
        peer.send(close(1000, "")).await;
    })
    .await;
    for what in [": open", "closing", "closed frame=code 1000"] {
        assert_eq!(level(&said, what), "DEBUG", "{what}");
    }
    assert_eq!(said.matches("closing").count(), 1, "{said}");
    assert!(said.lines().all(|line| line.contains("DEBUG")), "{said}");
}

#[tokio::test(start_paused = true)]
async fn a_violation_is_for_debugging_too() {
    let layer = WebSocketLayer::new(|ws: Manager| async move { ws.done().await.map(drop) });
    let said = life(layer.upgrader(quiet()), async |peer| {
        peer.send(text("x").rsv(0x40)).await;
        peer.expect_close(1002).await;
    })
    .await;
    assert_eq!(level(&said, "connection failed"), "DEBUG");
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_an_error() {
    let layer = WebSocketLayer::new(|ws: Manager| async move { assert!(ws.end().is_some(), "this handler panics") });
    let said = life(layer.upgrader(quiet()), async |peer| drop(peer.expect_close(1011).await)).await;
    assert_eq!(level(&said, "handler panicked"), "ERROR");
}

#[tokio::test(start_paused = true)]
async fn a_response_that_is_not_sent_is_an_error_and_a_client_that_has_left_a_warning() {
    let lines = Lines::default();
    lines.subscribe();
    for (leaves, what, expected) in
        [(false, "within the handshake time", "ERROR"), (true, "before the response was out", "WARN")]
    {
        let layer = WebSocketLayer::new(|_: Manager| async {});
        let service = ServiceBuilder::new()
            .then(|response: Result<Response<_>, std::convert::Infallible>| async move {
                std::future::pending::<()>().await;
                response
            })
            .service(layer.into_service());
        let mut peer = serve(service);
        peer.send_raw(Peer::request("")).await;
        peer.settle().await;
        if leaves {
            drop(peer);
            tokio::time::sleep(millis(1)).await;
        } else {
            tokio::time::sleep(secs(11)).await;
        }
        assert_eq!(level(&lines.take(), what), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_before_a_connection_is_open_is_for_debugging() {
    let lines = Lines::default();
    lines.subscribe();
    let shutdown = Shutdown::new();
    let layer = WebSocketLayer::new(|_: Manager| async {}).shutdown(&shutdown);
    let service = ServiceBuilder::new()
        .then(|response: Result<Response<_>, std::convert::Infallible>| async move {
            std::future::pending::<()>().await;
            response
        })
        .service(layer.into_service());
    let mut peer = serve(service);
    peer.send_raw(Peer::request("")).await;
    peer.settle().await;
    assert_eq!(shutdown.close_all(CloseCode::GOING_AWAY, "", secs(1)).await, 1);
    assert_eq!(level(&lines.take(), "aborted before it was open"), "DEBUG");
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_on_end_is_an_error() {
    let layer = WebSocketLayer::new(|ws: Manager| async move { ws.recv().await.map(drop) });
    let layer = layer.upgrader(quiet());
    let with_text = layer.clone().on_end(|_, _, _| panic!("this report panics"));
    let with_bomb = layer.on_end(|_, _, _| std::panic::panic_any(Bomb));
    for layer in [with_text, with_bomb] {
        let said = life(layer, async |peer| {
            peer.send(close(1000, "")).await;
            peer.expect_close(1000).await;
        })
        .await;
        assert_eq!(level(&said, "`on_end` panicked"), "ERROR");
    }
}

/// Panics when it is dropped, but not within a panic, which would end the process.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(std::thread::panicking(), "dropped");
    }
}

#[tokio::test(start_paused = true)]
async fn a_violation_after_our_close_frame_is_logged_at_debug_too() {
    let layer = WebSocketLayer::new(|_: Manager| async {}).upgrader(quiet());
    let said = life(layer, async |peer| {
        peer.expect_close(1000).await;
        peer.send(text("x").rsv(0x40)).await;
        peer.expect_end().await;
    })
    .await;
    assert_eq!(level(&said, "while closing"), "DEBUG");
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_fails_with_its_connection_is_for_debugging_alone() {
    let layer = WebSocketLayer::new(|ws: Manager| async move { ws.done().await.map(drop) });
    let said = life(layer.upgrader(quiet()), async |_| {}).await;
    for what in ["handler ended with its connection error=connection ended without", " failed error=connection ended"] {
        assert_eq!(level(&said, what), "DEBUG", "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_that_fails_is_for_debugging_alone() {
    let layer = WebSocketLayer::new(|ws: Manager| async move {
        tokio::time::sleep(millis(500)).await;
        ws.send("x").await
    });
    // What is unread hides the peer's end from the connection until it writes.
    let upgrader = quiet().limits(Limits::default().incoming(1));
    let said = life(layer.upgrader(upgrader), async |peer| {
        peer.send_all([text("unread"), text("unread")]).await;
        peer.settle().await;
    })
    .await;
    assert_eq!(level(&said, "could not write"), "DEBUG");
}

#[tokio::test]
async fn another_attempt_to_connect_is_for_debugging_alone() {
    let lines = Lines::default();
    lines.subscribe();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    // It answers nobody.
    tokio::spawn(async move { while listener.accept().await.is_ok() {} });
    let backoff = Backoff::default().initial(millis(1)).max_failures(2);
    Connector::new().sessions(format!("ws://{address}/"), backoff).next().await.unwrap_err();
    assert_eq!(level(&lines.take(), "connecting again"), "DEBUG");
}

#[tokio::test(start_paused = true)]
async fn a_periodic_update_without_a_value_is_a_warning_and_a_panic_of_on_presence_an_error() {
    let lines = Lines::default();
    lines.subscribe();
    let hub = Hub::new();
    let topic = hub.topic("status").on_presence(|_| panic!("this report panics"));
    let (_client, server) = pair(quiet());
    let _seat = topic.join_as(&server, Overflow::Close, "Ada").unwrap();
    assert_eq!(level(&lines.take(), "`Topic::on_presence` panicked"), "ERROR");
    topic.periodic(secs(1), async || Err::<u8, _>("no sensor"));
    tokio::time::sleep(secs(2)).await;
    assert_eq!(level(&lines.take(), "no periodic update"), "WARN");
}
