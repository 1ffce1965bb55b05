//! tonic's own `Server`, which performs no upgrades: what a layer on it can and cannot do. `stacks` has the way that works.
//!
//! One way to let it perform them was found and not taken: a transport of one's own, given to `serve_with_incoming`, that
//! hands its TCP stream over when hyper drops it behind the 101, and reaches the layer by `Connected::ConnectInfo`. It
//! works for HTTP/1.1 without TLS only, against what hyper promises, and is longer than serving the `Routes`.

use h2::Reason;
use h2::ext::Protocol;
use http::{Request, StatusCode, Version};
use tokio::net::{TcpListener, TcpStream};
use tonic::body::Body;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic_health::ServingStatus;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::server::health_reporter;
use tower_websocket::{ErrorKind, Manager, WebSocketLayer};

use crate::support::{KEY, Lines};
use crate::visitor::{Requests, Visitor, health};

#[tokio::test]
async fn over_http1_the_error_is_logged_with_the_remedy() {
    let lines = Lines::default();
    lines.subscribe();
    let visitor = serve().await;
    let mut grpc = visitor.http2().await;
    calls(&mut grpc).await;

    // A lie that cannot be seen through: hyper promises the upgrade and breaks the promise only when 101 is out.
    let ws = visitor.http1().await.open("/ws").await;
    assert_eq!(ws.recv().await.unwrap_err().kind(), ErrorKind::Disconnected);
    let said = lines.said("ERROR").await;
    assert!(said.contains("serve its `Routes` with axum or hyper-util"), "{said}");

    calls(&mut grpc).await;
    calls(&mut visitor.http2().await).await;
}

#[tokio::test]
async fn over_http2_websockets_are_not_offered_and_reset() {
    let visitor = serve().await;
    let mut grpc = visitor.http2().await;
    calls(&mut grpc).await;
    let (mut peer, connection) =
        h2::client::handshake(TcpStream::connect(visitor.address).await.unwrap()).await.unwrap();
    let connection = tokio::spawn(connection);
    for _ in 0..3 {
        let request = Request::connect("http://localhost/ws")
            .version(Version::HTTP_2)
            .header("sec-websocket-version", "13")
            .extension(Protocol::from_static("websocket"));
        let (response, _stream) = peer.send_request(request.body(()).unwrap(), true).unwrap();
        assert_eq!(response.await.unwrap_err().reason(), Some(Reason::PROTOCOL_ERROR));
        assert!(!peer.is_extended_connect_protocol_enabled());
    }
    assert!(!connection.is_finished());
    calls(&mut grpc).await;
}

#[tokio::test]
async fn a_refused_handshake_gets_its_answer() {
    let visitor = serve().await;
    let request = Request::get("/ws")
        .header("host", "localhost")
        .header("origin", "https://evil.example")
        .header("connection", "upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-key", KEY)
        .header("sec-websocket-version", "13");
    let response = visitor.http1().await.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
}

/// gRPC beside a WebSocket whose handler never runs.
async fn serve() -> Visitor {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (reporter, health) = health_reporter();
    reporter.set_service_status("", ServingStatus::Serving).await;
    let layer = WebSocketLayer::new(|_: Manager| async { assert_eq!(0, 1, "the handler must not run") }).path("/ws");
    let server = Server::builder().accept_http1(true).layer(layer).add_service(health);
    tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
    Visitor { address, tls: None }
}

/// One unary and one streaming call.
async fn calls(requests: &mut Requests) {
    let Requests::Http2(requests) = requests else { panic!("gRPC goes over HTTP/2") };
    let mut health = health(requests.clone());
    let request = HealthCheckRequest { service: String::new() };
    let unary = health.check(request.clone()).await.unwrap().into_inner();
    let streaming = health.watch(request).await.unwrap().into_inner().message().await.unwrap().unwrap();
    assert_eq!([unary.status, streaming.status], [ServingStatus::Serving as i32; 2]);
}
