//! The layer among other services.

use std::convert::Infallible;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use tonic::service::Routes;
use tower::{Layer, ServiceBuilder, service_fn};
use tower_websocket::testing::TestClient;
use tower_websocket::{Manager, Message, WebSocketLayer};

use crate::support::{Peer, serve, text};

/// Tells what it was asked for.
async fn inner(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let upgrade = request.extensions().get::<hyper::upgrade::OnUpgrade>().is_some();
    let (parts, body) = request.into_parts();
    let te = parts.headers.get("te").map(|te| te.to_str().unwrap().to_owned());
    let body = body.collect().await.unwrap().to_bytes();
    let told = format!("{} {} {te:?} {upgrade} {body:?}", parts.method, parts.uri);
    Ok(Response::builder().header("x-inner", "yes").body(Full::from(told)).unwrap())
}

async fn told(request: &str) -> String {
    let service =
        ServiceBuilder::new().layer(WebSocketLayer::new(|_: Manager| async {}).path("/ws")).service(service_fn(inner));
    let mut peer = serve(service);
    let head = peer.ask(request).await;
    assert!(head.starts_with("HTTP/1.1 200 ") && head.contains("x-inner: yes"), "{head}");
    let len = head.split("content-length: ").nth(1).unwrap().lines().next().unwrap().parse().unwrap();
    peer.read_body(len).await
}

#[tokio::test(start_paused = true)]
async fn other_requests_reach_the_inner_service_unchanged() {
    assert_eq!(told("GET /ws?a=b HTTP/1.1\r\nHost: x\r\n\r\n").await, "GET /ws?a=b None false b\"\"");
    let grpc = "POST /ws HTTP/1.1\r\nHost: x\r\nTE: trailers\r\nContent-Type: application/grpc\r\n\
                Content-Length: 5\r\n\r\nhello";
    assert_eq!(told(grpc).await, "POST /ws Some(\"trailers\") false b\"hello\"");
}

#[tokio::test(start_paused = true)]
async fn a_handshake_for_another_path_reaches_the_inner_service_with_its_upgrade() {
    let request = Peer::request("").replace("/ws", "/other");
    assert_eq!(told(&request).await, "GET /other None true b\"\"");
}

#[tokio::test(start_paused = true)]
async fn layers_stack_for_several_paths() {
    let say = |word: &'static str| {
        WebSocketLayer::new(move |ws: Manager| async move { ws.send(word).await }).path(format!("/{word}"))
    };
    let service = ServiceBuilder::new().layer(say("one")).layer(say("two")).service(say("three").into_service());
    for word in ["one", "two", "three"] {
        let mut peer = serve(service.clone());
        let head = peer.ask(&Peer::request("").replace("/ws", &format!("/{word}"))).await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        peer.expect(text(word)).await;
        peer.expect_close(1000).await;
    }
    let head = serve(service).ask(&Peer::request("").replace("/ws", "/four")).await;
    assert!(head.starts_with("HTTP/1.1 426 "), "{head}");
}

#[tokio::test(start_paused = true)]
async fn a_router_of_axum_has_grpc_and_websockets_beside_each_other() {
    let (_reporter, health) = tonic_health::server::health_reporter();
    let hello = WebSocketLayer::new(|ws: Manager| async move { ws.send("hello").await });
    let router = Routes::new(health).into_axum_router().route_service("/ws", hello.into_service());
    let client = TestClient::new(router);
    let ws = client.connect("/ws").await.unwrap();
    assert_eq!(ws.recv().await.unwrap(), Some(Message::text("hello")));
    let call = Request::post("/grpc.health.v1.Health/Check").header("content-type", "application/grpc");
    let response = client.call(call.body(Full::new(Bytes::from_static(&[0; 5]))).unwrap()).await;
    assert_eq!(response.headers()["content-type"], "application/grpc");
    assert_eq!(response.into_body().collect().await.unwrap().trailers().unwrap()["grpc-status"], "0");
}

#[tokio::test(start_paused = true)]
async fn a_predicate_chooses_the_requests() {
    let layer = WebSocketLayer::new(|_: Manager| async {}).matching(|uri| uri.path().starts_with("/room/"));
    let service = layer.layer(service_fn(inner));
    let ask = async |path| serve(service.clone()).ask(&Peer::request("").replace("/ws", path)).await;
    assert!(ask("/room/1").await.starts_with("HTTP/1.1 101 "));
    assert!(ask("/hall").await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test(start_paused = true)]
async fn a_refused_handshake_does_not_reach_the_inner_service() {
    let service = WebSocketLayer::new(|_: Manager| async {}).layer(service_fn(inner));
    let head = serve(service).ask(&Peer::request("Origin: https://evil.example\r\n")).await;
    assert!(head.starts_with("HTTP/1.1 403 ") && !head.contains("x-inner"), "{head}");
}
