//! Each stack on one port: WebSockets over HTTP/1.1 and HTTP/2, plain requests and gRPC calls at the same time, in the
//! clear and over TLS.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;

use axum::Router;
use axum::routing::{any, get};
use axum::serve::Listener;
use bytes::Bytes;
use http::{Request, Response};
use hyper::body::{Body, Incoming};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;
use tonic::service::Routes;
use tonic_health::ServingStatus;
use tonic_health::server::health_reporter;
use tower::{Layer, Service, ServiceBuilder};
use tower_websocket::{ErrorKind, WebSocketLayer};
use warp::Filter;

use crate::net::serve_stream;
use crate::shared::certified;
use crate::visitor::{PATIENCE, Requests, Visitor, endpoint, flood};

#[tokio::test]
async fn raw_hyper_serves_everything_at_once() {
    for (door, visitor) in doors().await {
        let page = |_: Request<Incoming>| async { Ok::<_, Infallible>(Response::new(PAGE.to_owned())) };
        let service = ServiceBuilder::new().layer(WebSocketLayer::new(endpoint).path("/ws")).service_fn(page);
        tokio::spawn(serve(door, service));
        visitor.uses_everything(PAGE, None).await;
        visitor.uses_everything_beside_an_unread_socket(PAGE, None).await;
    }
}

#[tokio::test]
async fn axum_serves_everything_at_once() {
    for (door, visitor) in doors().await {
        let page = || async { PAGE };
        let socket = any(page).layer(WebSocketLayer::new(endpoint));
        tokio::spawn(axum::serve(door, Router::new().route("/", get(page)).route("/ws", socket)).into_future());
        visitor.uses_everything(PAGE, None).await;
    }
}

#[tokio::test]
async fn warp_serves_everything_at_once() {
    for (door, visitor) in doors().await {
        let page = warp::path::end().map(|| PAGE.to_owned());
        tokio::spawn(serve(door, WebSocketLayer::new(endpoint).path("/ws").layer(warp::service(page))));
        visitor.uses_everything(PAGE, None).await;
        visitor.uses_everything_beside_an_unread_socket(PAGE, None).await;
    }
}

#[tokio::test]
async fn tonic_serves_everything_at_once() {
    for (door, visitor) in doors().await {
        let (reporter, health) = health_reporter();
        reporter.set_service_status("", ServingStatus::Serving).await;
        // gRPC has no pages: axum's router inside of `Routes` has.
        let router = Routes::new(health).into_axum_router().route("/", get(|| async { PAGE }));
        let routes = Routes::from(router);
        tokio::spawn(serve(door, WebSocketLayer::new(endpoint).path("/ws").layer(routes.prepare())));
        visitor.uses_everything(PAGE, Some(&reporter)).await;
        visitor.uses_everything_beside_an_unread_socket(PAGE, Some(&reporter)).await;
    }
}

#[tokio::test]
async fn tonic_inside_of_axum_serves_everything_at_once() {
    for (door, visitor) in doors().await {
        let (reporter, health) = health_reporter();
        reporter.set_service_status("", ServingStatus::Serving).await;
        let router = Routes::new(health).into_axum_router().route("/", get(|| async { PAGE }));
        let router = router.layer(WebSocketLayer::new(endpoint).path("/ws"));
        tokio::spawn(axum::serve(door, router).into_future());
        visitor.uses_everything(PAGE, Some(&reporter)).await;
    }
}

/// It has hyper's windows and no way to set others. When this fails, it has one, and the documentation should say so.
#[tokio::test]
async fn axums_own_server_ends_the_http2_connection_of_an_unread_socket() {
    let [(door, visitor), _] = doors().await;
    let socket = any(|| async { PAGE }).layer(WebSocketLayer::new(endpoint));
    tokio::spawn(axum::serve(door, Router::new().route("/ws", socket)).into_future());
    let mut shared = visitor.http2().await;
    assert_eq!(shared.get("/ws").await, PAGE);
    let unread = shared.open("/ws?unread").await;
    timeout(PATIENCE, flood(unread.clone())).await.unwrap();
    assert_eq!(unread.done().await.unwrap_err().kind(), ErrorKind::Disconnected);
    let Requests::Http2(mut requests) = shared else { panic!("it speaks HTTP/2") };
    let request = Request::get("http://localhost/ws").body(tonic::body::Body::empty()).unwrap();
    assert!(requests.send_request(request).await.is_err());
}

/// Where connections come in, with TLS or without.
struct Door {
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
}

/// One in the clear and one with TLS, each with somebody who knows it.
async fn doors() -> [(Door, Visitor); 2] {
    let (acceptor, config) = certified(&["h2", "http/1.1"]);
    let (clear, secure) =
        (TcpListener::bind("127.0.0.1:0").await.unwrap(), TcpListener::bind("127.0.0.1:0").await.unwrap());
    let visitors = [(&clear, None), (&secure, Some(config))];
    let [one, two] = visitors.map(|(listener, tls)| Visitor { address: listener.local_addr().unwrap(), tls });
    [(Door { listener: clear, tls: None }, one), (Door { listener: secure, tls: Some(acceptor) }, two)]
}

impl Listener for Door {
    type Io = Either<TcpStream, TlsStream<TcpStream>>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, SocketAddr) {
        let (stream, address) = self.listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        match &self.tls {
            Some(tls) => (Either::Right(tls.accept(stream).await.unwrap()), address),
            None => (Either::Left(stream), address),
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// As raw hyper, warp and tonic are served: by hyper-util.
async fn serve<S, B>(mut door: Door, service: S)
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible, Future: Send> + Clone + Send + 'static,
    B: Body<Data = Bytes, Error: std::error::Error + Send + Sync> + Send + 'static,
{
    loop {
        let (stream, _) = door.accept().await;
        tokio::spawn(serve_stream(stream, service.clone()));
    }
}

const PAGE: &str = "a page";
