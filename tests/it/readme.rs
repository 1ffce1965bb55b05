//! What the README and the guides say beside their code.

use std::future::pending;
use std::task::Poll;
use std::time::Duration;

use axum::Router;
use axum::extract::OriginalUri;
use axum::routing::get;
use tokio::time::{Instant, sleep, timeout};
use tower_websocket::testing::TestClient;
use tower_websocket::{Error, ErrorKind, Manager, Message, WebSocketLayer};

use crate::support::Lines;

/// The example with time limits of the guide `json`.
async fn rpc(ws: Manager) -> Result<(), Error> {
    loop {
        match ws.read_json::<i64>(Duration::from_secs(10)).await {
            Ok(number) => ws.write_json(&(number * 2), Duration::from_secs(2)).await?,
            Err(error) if error.kind() == ErrorKind::ReadTimeout => ws.send("still there?").await?,
            Err(error) if error.kind() == ErrorKind::Decode => ws.send("a number, please").await?,
            Err(error) => return Err(error),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_json_example_keeps_a_client_that_is_idle_or_wrong() {
    let lines = Lines::default();
    lines.subscribe();
    let ws = TestClient::new(WebSocketLayer::new(rpc).into_service()).connect("/").await.unwrap();
    let start = Instant::now();
    for _ in 0..3 {
        assert_eq!(ws.recv().await.unwrap(), Some(Message::text("still there?")));
    }
    assert_eq!(start.elapsed().as_secs(), 30);
    ws.send("no number").await.unwrap();
    assert_eq!(ws.recv().await.unwrap(), Some(Message::text("a number, please")));
    ws.send("21").await.unwrap();
    assert_eq!(ws.recv().await.unwrap(), Some(Message::text("42")));
    ws.close().await.unwrap();
    sleep(Duration::from_secs(60)).await;
    let said = lines.take();
    assert!(!said.contains("WARN") && !said.contains("INFO"), "{said}");
}

type Handler = std::pin::Pin<Box<dyn Future<Output = Result<(), tower_websocket::Error>> + Send>>;

fn hello() -> WebSocketLayer<impl Fn(Manager) -> Handler + Send + Sync> {
    WebSocketLayer::new(|ws: Manager| -> Handler { Box::pin(async move { ws.send("hello").await }) })
}

/// Whether the router opens a WebSocket over each version of HTTP.
async fn opens(router: Router, path: &str) -> [bool; 2] {
    let client = TestClient::new(router);
    [client.connect(path).await.is_ok(), client.http2().connect(path).await.is_ok()]
}

#[tokio::test(start_paused = true)]
async fn layer_sees_the_handshakes_of_http2_whatever_the_routes_methods_and_route_layer_does_not() {
    let page = || async { "open this as a WebSocket" };
    assert_eq!(opens(Router::new().route("/ws", get(page).layer(hello())), "/ws").await, [true, true]);
    assert_eq!(opens(Router::new().route("/ws", get(page).route_layer(hello())), "/ws").await, [true, false]);
}

#[tokio::test(start_paused = true)]
async fn in_a_nested_router_path_and_uri_are_without_the_prefix() {
    let layer = WebSocketLayer::new(|ws: Manager| async move {
        let request = ws.request();
        let original = request.extensions.get::<OriginalUri>().map(|OriginalUri(uri)| uri.path().to_owned());
        ws.send(format!("{} {}", request.uri.path(), original.unwrap_or_default())).await
    });
    let inner = Router::new().route_service("/ws", layer.path("/ws").into_service());
    let router = Router::new().nest("/api", inner);
    for client in [TestClient::new(router.clone()), TestClient::new(router).http2()] {
        let ws = client.connect("/api/ws").await.unwrap();
        assert_eq!(ws.recv().await.unwrap(), Some(Message::text("/ws /api/ws")));
    }
}

#[tokio::test(start_paused = true)]
async fn connections_that_ask_for_no_websocket_are_not_counted() {
    let layer = WebSocketLayer::new(|_: Manager| pending::<()>()).max_connections(1).into_service();
    let address = crate::net::listen(move |stream| crate::net::serve_stream(stream, layer.clone())).await;
    let mut silent = Vec::new();
    for _ in 0..5 {
        silent.push(tokio::net::TcpStream::connect(address).await.unwrap());
    }
    let ws = timeout(Duration::from_secs(60), Manager::connect(format!("ws://{address}/"))).await.unwrap().unwrap();
    assert!(ws.end().is_none());
}

/// Fewer than a browser's tabs may want: when this fails, the guide `server` names another number.
#[tokio::test(start_paused = true)]
async fn hyper_allows_200_streams_by_default() {
    let (near, far) = tokio::io::duplex(4096);
    tokio::spawn(crate::net::serve_stream(far, hello().into_service()));
    let (sender, mut connection) = h2::client::handshake(near).await.unwrap();
    let settled = std::future::poll_fn(|cx| {
        assert!(std::pin::Pin::new(&mut connection).poll(cx).is_pending());
        if sender.is_extended_connect_protocol_enabled() { Poll::Ready(()) } else { Poll::Pending }
    });
    settled.await;
    assert_eq!(sender.current_max_send_streams(), 200);
}
