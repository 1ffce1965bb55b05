//! A message never waits for Nagle's algorithm and a delayed acknowledgement, whoever made the socket.

use std::time::{Duration, Instant};

use axum::Router;
use axum::serve::ListenerExt;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;
use tower_websocket::{Connector, Error, Manager, Role, WebSocketConfig, WebSocketLayer, prepare_socket};

use crate::support::{millis, secs};

/// A request, then an answer in two parts with some work between them.
async fn two_parts(ws: Manager) -> Result<(), Error> {
    while ws.recv().await?.is_some() {
        ws.write_data("a", secs(60)).await?;
        sleep(millis(2)).await;
        ws.write_data("b", secs(60)).await?;
    }
    Ok(())
}

fn router() -> Router {
    Router::new().route_service("/", WebSocketLayer::new(two_parts).into_service())
}

/// The shortest time that the answer takes: Nagle and a delayed acknowledgement take 40 ms each time, a busy machine only
/// now and then.
async fn shortest(ws: Manager) -> Duration {
    let mut times = Vec::new();
    for _ in 0..10 {
        let start = Instant::now();
        ws.write_data("?", secs(60)).await.unwrap();
        for part in ["a", "b"] {
            assert_eq!(ws.recv().await.unwrap().unwrap().as_text(), Some(part));
        }
        times.push(start.elapsed());
    }
    times.into_iter().min().unwrap()
}

#[tokio::test]
async fn under_axum_serve_as_it_comes_over_http1() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    tokio::spawn(async { axum::serve(listener, router()).await.unwrap() });
    let time = shortest(Manager::connect(url).await.unwrap()).await;
    assert!(time < millis(30), "{time:?}");
}

/// Over HTTP/2 the socket is the server's alone, so it is for the listener to set.
#[tokio::test]
async fn under_axum_serve_with_the_listener_of_the_readme_over_both_versions() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let listener = listener.tap_io(|stream| stream.set_nodelay(true).unwrap());
    tokio::spawn(async { axum::serve(listener, router()).await.unwrap() });
    for client in [Connector::new(), Connector::new().http2()] {
        let time = shortest(client.connect(&url).await.unwrap()).await;
        assert!(time < millis(30), "{time:?} {client:?}");
    }
}

#[tokio::test]
async fn under_both_servers_of_hyper_as_they_come() {
    for detects in [true, false] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}/", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let (stream, service) = (listener.accept().await.unwrap().0, TowerToHyperService::new(router()));
            if detects {
                let server = auto::Builder::new(TokioExecutor::new());
                server.serve_connection_with_upgrades(TokioIo::new(stream), service).await.unwrap();
            } else {
                let server = hyper::server::conn::http1::Builder::new();
                server.serve_connection(TokioIo::new(stream), service).with_upgrades().await.unwrap();
            }
        });
        let time = shortest(Manager::connect(url).await.unwrap()).await;
        assert!(time < millis(30), "{time:?} {detects}");
    }
}

/// Whether the socket has the option, seen through another descriptor of it.
fn watched(stream: TcpStream) -> (TcpStream, std::net::TcpStream) {
    let stream = stream.into_std().unwrap();
    let copy = stream.try_clone().unwrap();
    (TcpStream::from_std(stream).unwrap(), copy)
}

#[tokio::test]
async fn a_socket_that_is_given_to_the_crate_has_it_too() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async { axum::serve(listener, router()).await.unwrap() });
    for client in [Connector::new(), Connector::new().http2()] {
        let (stream, copy) = watched(TcpStream::connect(address).await.unwrap());
        let _ws = client.connect_over(stream, "ws://localhost/").await.unwrap();
        assert!(SockRef::from(&copy).tcp_nodelay().unwrap(), "{client:?}");
    }
    for role in [Role::Client, Role::Server] {
        let (stream, copy) = watched(TcpStream::connect(address).await.unwrap());
        let _ws = Manager::from_upgraded(stream, role, &WebSocketConfig::new());
        assert!(SockRef::from(&copy).tcp_nodelay().unwrap(), "{role:?}");
    }
}

#[tokio::test]
async fn a_socket_that_is_prepared_has_it_and_holds_little() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    stream.set_nodelay(false).unwrap();
    prepare_socket(&stream).unwrap();
    assert!(stream.nodelay().unwrap());
    #[cfg(target_os = "linux")]
    assert_eq!(SockRef::from(&stream).tcp_notsent_lowat().unwrap(), 128 * 1024);
}
