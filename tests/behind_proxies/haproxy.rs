//! HAProxy: TLS with HTTP/1.1 and HTTP/2 in front, either of them behind.

use std::collections::HashSet;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tower_websocket::{CloseCode, Connector, Message, Shutdown, Upgrader};

use crate::backend::{Backend, Came};
use crate::proxy::Proxy;
use crate::{PATIENCE, backend, client, connect, is_served_over};

/// `SERVER` is how the server is spoken to. Connections to it are shared by all clients: of one thread, which is the only one
/// here. The server is told which version of HTTP the client spoke.
const CONFIGURATION: &str = "
global
    maxconn 1000
    nbthread 1
defaults
    mode http
    timeout connect 10s
    timeout client 60s
    timeout server 60s
    timeout tunnel 60s
frontend front
    bind 127.0.0.1:PORT ssl crt PEM alpn h2,http/1.1
    http-request set-header x-front HTTP/%[fc_http_major]
    default_backend app
backend app
    http-reuse always
    server app BACKEND SERVER
";

const HTTP1: &str = "proto h1";
const HTTP2: &str = "proto h2 ws h2";

/// Both, and how handshakes come over them.
const BEHIND: [(&str, Came); 2] = [(HTTP1, Came::ByUpgrade), (HTTP2, Came::ByExtendedConnect)];

/// Clients that speak each version, and what the proxy calls it. Over HTTP/2 there is extended CONNECT alone.
fn clients(proxy: &Proxy) -> [(Connector, &'static str); 2] {
    [(client(&proxy.trust), "HTTP/1"), (client(&proxy.trust).http2(), "HTTP/2")]
}

async fn haproxy(server: &str, backend: &Backend) -> Option<Proxy> {
    let arguments = ["-db", "-q", "-f", "DIRECTORY/configuration"];
    Proxy::start("haproxy", &arguments, &CONFIGURATION.replace("SERVER", server), backend).await
}

#[tokio::test]
async fn every_version_in_front_reaches_every_version_behind() {
    for (server, came) in BEHIND {
        let shutdown = Shutdown::new();
        let backend = backend::start(Upgrader::new().shutdown(&shutdown)).await;
        let Some(proxy) = haproxy(server, &backend).await else { return };
        for (connector, front) in clients(&proxy) {
            let ws = connect(&connector, proxy.port).await.unwrap();
            is_served_over(&ws, front, came).await;
            ws.close_with(CloseCode::GOING_AWAY, "bye").await.unwrap();
        }
        let mut open = Vec::new();
        for (connector, front) in clients(&proxy) {
            let ws = connect(&connector, proxy.port).await.unwrap();
            is_served_over(&ws, front, came).await;
            open.push(ws);
        }
        // Those that were closed before are counted no more, once their server's side has ended.
        let settled = async {
            while shutdown.connections() != 2 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(PATIENCE, settled).await.unwrap();
        assert_eq!(shutdown.close_all(CloseCode::SERVICE_RESTART, "restarting", Duration::from_secs(10)).await, 0);
        for ws in open {
            assert_eq!(ws.done().await.unwrap().code(), CloseCode::SERVICE_RESTART, "{came}");
        }
    }
}

#[tokio::test]
async fn many_clients_share_one_connection_of_http2() {
    let backend = backend::start(Upgrader::new()).await;
    let Some(proxy) = haproxy(HTTP2, &backend).await else { return };
    let mut open = Vec::new();
    let mut connections = HashSet::new();
    for _ in 0..5 {
        for (connector, front) in clients(&proxy) {
            let ws = connect(&connector, proxy.port).await.unwrap();
            connections.insert(is_served_over(&ws, front, Came::ByExtendedConnect).await);
            // A page in between, and a WebSocket that ends.
            assert_eq!(page(proxy.port, &proxy.trust, "/page").await, "/page");
            connect(&connector, proxy.port).await.unwrap().close().await.unwrap();
            open.push(ws);
        }
    }
    assert_eq!((connections.len(), backend.accepted()), (1, 1), "{connections:?}");
    // All are open still, and each has its own stream.
    for (number, ws) in open.iter().enumerate() {
        let message = Message::text(format!("number {number}"));
        ws.send(&message).await.unwrap();
        assert_eq!(ws.recv().await.unwrap(), Some(message));
    }
}

#[tokio::test]
async fn a_websocket_gets_a_connection_of_http1_that_pages_have_shared() {
    let backend = backend::start(Upgrader::new()).await;
    let Some(proxy) = haproxy(HTTP1, &backend).await else { return };
    let mut open = Vec::new();
    let mut connections = HashSet::new();
    for (number, (connector, front)) in clients(&proxy).into_iter().enumerate() {
        // Each with a connection of its own to the proxy.
        for _ in 0..5 {
            assert_eq!(page(proxy.port, &proxy.trust, "/page").await, "/page");
        }
        assert_eq!(backend.accepted(), number + 1, "the pages have shared one");
        let ws = connect(&connector, proxy.port).await.unwrap();
        connections.insert(is_served_over(&ws, front, Came::ByUpgrade).await);
        assert_eq!(backend.accepted(), number + 1, "the WebSocket has taken that");
        open.push(ws);
    }
    assert_eq!(connections.len(), 2, "none is shared by two WebSockets");
}

#[tokio::test]
async fn connections_that_are_shared_mix_nothing_up() {
    for (server, _) in BEHIND {
        let backend = backend::start(Upgrader::new()).await;
        let Some(proxy) = haproxy(server, &backend).await else { return };
        let (port, trust) = (proxy.port, proxy.trust.clone());
        let mut clients = JoinSet::new();
        for number in 0..20 {
            let connector = if number % 2 == 0 { client(&trust) } else { client(&trust).http2() };
            clients.spawn(async move {
                for round in 0..5 {
                    let ws = connect(&connector, port).await.unwrap();
                    ws.recv().await.unwrap();
                    for message in 0..5 {
                        let message = Message::text(format!("client {number}, round {round}, message {message}"));
                        ws.send(&message).await.unwrap();
                        assert_eq!(ws.recv().await.unwrap(), Some(message));
                    }
                    // Each way to end leaves something else behind for whoever gets the connection next.
                    match round % 3 {
                        0 => ws.close().await.unwrap(),
                        1 => ws.close_with(CloseCode::GOING_AWAY, "").await.unwrap(),
                        _ => drop(ws),
                    }
                }
            });
            let trust = trust.clone();
            clients.spawn(async move {
                for round in 0..5 {
                    let path = format!("/client-{number}-round-{round}");
                    assert_eq!(page(port, &trust, &path).await, path);
                }
            });
        }
        clients.join_all().await;
        assert!(backend.accepted() < 200, "so many were asked for, and none is shared: {}", backend.accepted());
    }
}

#[tokio::test]
async fn a_refusal_reaches_the_client_whatever_is_between() {
    for (server, _) in BEHIND {
        let backend = backend::start(Upgrader::new().max_connections(0)).await;
        let Some(proxy) = haproxy(server, &backend).await else { return };
        for (connector, _) in clients(&proxy) {
            let error = connect(&connector, proxy.port).await.unwrap_err();
            let response = error.response().unwrap();
            assert_eq!((response.status().as_u16(), &response.headers()["retry-after"]), (503, &"5".parse().unwrap()));
        }
    }
}

/// A page by a plain request.
async fn page(port: u16, trust: &std::sync::Arc<tokio_rustls::rustls::ClientConfig>, path: &str) -> String {
    let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let name = "localhost".try_into().unwrap();
    let stream = TlsConnector::from(trust.clone()).connect(name, stream).await.unwrap();
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let request = Request::get(path).header("host", "app.example").body(Empty::<Bytes>::new()).unwrap();
    let response = sender.send_request(request).await.unwrap();
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().into()).unwrap()
}
