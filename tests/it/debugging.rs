//! What `tracing` gets to see.

use std::env;
use std::net::SocketAddr;

use axum::Extension;
use bytes::Bytes;
use http::Request;
use http_body_util::Empty;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::process::Command;
use tower::{ServiceBuilder, ServiceExt};
use tower_websocket::testing::TestClient;
use tower_websocket::{Manager, WebSocketLayer};

use crate::support::{KEY, Lines, Peer, close, secs, serve, tap};

#[tokio::test(start_paused = true)]
async fn a_server_without_upgrades_is_reported_with_the_remedy() {
    let lines = Lines::default();
    lines.subscribe();
    let service =
        WebSocketLayer::new(|_: Manager| async { assert_eq!(0, 1, "the handler must not run") }).into_service();
    // No promise of an upgrade at all.
    let request = Request::get("/ws").header("host", "localhost").header("connection", "upgrade");
    let request = request.header("upgrade", "websocket").header("sec-websocket-version", "13");
    let request = request.header("sec-websocket-key", KEY).body(Empty::<Bytes>::new()).unwrap();
    let response = service.clone().oneshot(request).await.unwrap();
    assert_eq!(response.status(), 500);
    let said = lines.take();
    assert!(said.contains("ERROR") && said.contains("performs no upgrades"), "{said}");
    // hyper's promise, which a server that was not asked for upgrades does not keep.
    let (mut peer, transport, _) = tap(1024);
    tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(transport), TowerToHyperService::new(service)));
    peer.ask(&Peer::request("")).await;
    tokio::time::sleep(secs(1)).await;
    let said = lines.take();
    assert!(said.contains("ERROR") && said.contains("with_upgrades()"), "{said}");
}

#[tokio::test]
async fn a_handshake_that_a_proxy_has_broken_is_logged() {
    let lines = Lines::default();
    lines.subscribe();
    let service = WebSocketLayer::new(|_: Manager| async {}).path("/ws").into_service();
    for (path, logged) in [("/ws", true), ("/other", false)] {
        let request = Request::get(path).header("host", "localhost").header("sec-websocket-key", KEY);
        let response = service.clone().oneshot(request.body(Empty::<Bytes>::new()).unwrap()).await.unwrap();
        assert_eq!(response.status(), 426);
        assert_eq!(lines.take().contains("looks like a WebSocket handshake is none"), logged, "{path}");
    }
}

#[tokio::test(start_paused = true)]
#[ignore = "it is the program of the next test"]
async fn a_program_with_a_subscriber() {
    let lines = Lines::default();
    lines.subscribe();
    let service = WebSocketLayer::new(|ws: Manager| async move { ws.recv().await.map(drop) }).into_service();
    let ws = TestClient::new(service).connect("/ws").await.unwrap();
    ws.close().await.unwrap();
    let said = lines.said("closed").await;
    assert!(said.contains("open"), "{said}");
}

/// The environment belongs to the whole process: it is this program again.
#[tokio::test]
async fn where_a_program_has_a_subscriber_the_environment_replaces_nothing() {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "debugging::a_program_with_a_subscriber", "--ignored"]);
    let output = command.env("WEBSOCKET_DEBUG", "1").kill_on_drop(true).output().await.unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && said.is_empty(), "{said}{}", String::from_utf8_lossy(&output.stdout));
}

#[tokio::test(start_paused = true)]
async fn the_span_names_the_peer_that_an_outer_layer_put_into_the_request() {
    let lines = Lines::default();
    lines.subscribe();
    let echo = WebSocketLayer::new(|ws: Manager| async move { ws.recv().await.map(drop) }).into_service();
    let service = ServiceBuilder::new().layer(Extension(SocketAddr::from(([192, 0, 2, 1], 4711)))).service(echo);
    let ws = TestClient::new(service).connect("/ws").await.unwrap();
    ws.close().await.unwrap();
    drop(ws);
    tokio::time::sleep(secs(1)).await;
    let said = lines.take();
    assert!(said.contains("websocket{path=\"/ws\" peer=192.0.2.1:4711"), "{said}");
}

#[tokio::test(start_paused = true)]
async fn a_connection_has_a_span_with_its_path_and_subprotocol() {
    let lines = Lines::default();
    lines.subscribe();
    let upgrader = tower_websocket::Upgrader::new().subprotocols(["chat"]);
    let layer = WebSocketLayer::new(|ws: Manager| async move { ws.recv().await.map(drop) }).upgrader(upgrader);
    let mut peer = serve(layer.into_service());
    peer.handshake("Sec-WebSocket-Protocol: chat\r\n").await;
    peer.send(close(1000, "bye")).await;
    peer.expect_close(1000).await;
    drop(peer);
    tokio::time::sleep(secs(1)).await;
    let said = lines.take();
    assert!(said.contains("websocket{path=\"/ws\" subprotocol=\"chat\"}"), "{said}");
    assert!(said.contains("peer closes") && said.contains("closed frame=code 1000, bye"), "{said}");
}
