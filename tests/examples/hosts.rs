//! A page whose name resolves to this machine (DNS rebinding) reaches no example: they answer to their own hosts alone.

use http::StatusCode;
use tokio::net::TcpStream;

use crate::client::{Http2, handshake_to, post};
use crate::process::{Example, command};
use crate::tls;

/// Every example that serves in the clear, and where its WebSockets are.
const EXAMPLES: &[(&str, &[&str])] = &[
    ("axum", &["/ws"]),
    #[cfg(feature = "axum")]
    ("axum_chat", &["/websocket"]),
    #[cfg(feature = "axum")]
    ("axum_websockets", &["/ws"]),
    ("dashboard", &["/ws/status", "/ws/peers", "/ws/echo"]),
    ("echo", &["/ws"]),
    ("fanout", &["/sub", "/pub"]),
    ("graphql_transport_ws", &["/ws"]),
    ("hyper", &["/ws"]),
    ("rooms", &["/ws"]),
    ("rpc", &["/ws"]),
    ("tonic", &["/ws"]),
    ("upload", &["/ws"]),
    ("warp", &["/ws"]),
];

#[tokio::test]
async fn a_page_of_another_name_reaches_no_example() {
    for (name, paths) in EXAMPLES {
        let example = Example::start(name).await;
        for path in *paths {
            for (host, http1, http2) in [
                (example.address(), StatusCode::SWITCHING_PROTOCOLS, StatusCode::OK),
                ("localhost", StatusCode::SWITCHING_PROTOCOLS, StatusCode::OK),
                ("evil.example", StatusCode::FORBIDDEN, StatusCode::FORBIDDEN),
            ] {
                // The page is of the same origin, as it thinks.
                let response = handshake_to(host, &format!("http://{host}"), example.address(), path).await;
                assert_eq!(response.status(), http1, "{name} {path} as {host}");
                let stream = TcpStream::connect(example.address()).await.expect("the example listens");
                let response = Http2::over(stream, host).await.handshake(path).await;
                assert_eq!(response.status(), http2, "{name} {path} as {host} over HTTP/2");
            }
        }
    }
}

/// Those that need to be told something first.
#[tokio::test]
async fn a_page_of_another_name_reaches_neither_tail_nor_proxy() {
    let mut tail = command("tail", "127.0.0.1:0");
    tail.arg(file!());
    let mut examples = vec![("tail", Example::run("tail", tail).await)];
    let echo = Example::start("echo").await;
    if cfg!(feature = "axum") {
        let mut proxy = command("proxy", "127.0.0.1:0");
        proxy.env("UPSTREAM", format!("ws://{}/ws", echo.address()));
        examples.push(("proxy", Example::run("proxy", proxy).await));
    }
    for (name, example) in examples {
        for (host, status) in [("localhost", StatusCode::OK), ("evil.example", StatusCode::FORBIDDEN)] {
            let stream = TcpStream::connect(example.address()).await.expect("the example listens");
            assert_eq!(Http2::over(stream, host).await.handshake("/ws").await.status(), status, "{name} as {host}");
        }
    }
}

#[tokio::test]
async fn a_page_of_another_name_does_not_reach_the_example_over_tls() {
    let example = Example::start("tls").await;
    for (host, status) in [("localhost", StatusCode::OK), ("evil.example", StatusCode::FORBIDDEN)] {
        let stream = tls::connect(example.address()).await;
        assert_eq!(Http2::over(stream, host).await.handshake("/ws").await.status(), status, "{host}");
    }
}

/// The example with a token asks for it first.
#[tokio::test]
async fn a_page_of_another_name_does_not_reach_the_example_with_a_token() {
    let example = Example::start("token").await;
    let (_, _, token) = post(example.address(), "/token?user=anna").await;
    let with_token = format!("chat.v1, bearer.{token}");
    for (host, offer, status) in [
        ("localhost", &*with_token, StatusCode::OK),
        ("evil.example", &*with_token, StatusCode::FORBIDDEN),
        ("evil.example", "chat.v1", StatusCode::UNAUTHORIZED),
    ] {
        let stream = TcpStream::connect(example.address()).await.expect("the example listens");
        let response = Http2::over(stream, host).await.offering(offer).handshake("/ws").await;
        assert_eq!(response.status(), status, "{host} {offer}");
    }
}

#[tokio::test]
async fn those_for_load_tools_answer_to_other_hosts_where_they_are_named() {
    for (name, path) in [("echo", "/ws"), ("fanout", "/sub")] {
        for (hosts, status) in [
            ("*", StatusCode::SWITCHING_PROTOCOLS),
            ("load.example,other.example", StatusCode::SWITCHING_PROTOCOLS),
            ("other.example", StatusCode::FORBIDDEN),
        ] {
            let mut command = command(name, "127.0.0.1:0");
            command.env("HOSTS", hosts);
            let example = Example::run(name, command).await;
            let response = handshake_to("load.example", "null", example.address(), path).await;
            assert_eq!(response.status(), status, "{name} {hosts}");
        }
    }
}
