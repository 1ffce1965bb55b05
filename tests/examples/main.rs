//! Every example is started and used, over HTTP/1.1 and HTTP/2, by clients that are not this crate's own.

mod client;
#[cfg(feature = "redis")]
#[expect(clippy::unwrap_used, reason = "helpers are part of their test, and clippy allows it only in test functions")]
mod cluster;
mod dashboard;
mod debug;
mod hosts;
#[cfg(feature = "redis")]
#[allow(dead_code, reason = "not all tests use all of it")]
#[path = "../support/port.rs"]
mod port;
mod process;
#[cfg(feature = "redis")]
#[allow(dead_code, reason = "not all tests use all of it")]
#[path = "../support/program.rs"]
mod program;
mod programs;
mod silence;
#[cfg(feature = "redis")]
#[path = "../support/skipped.rs"]
mod skipped;
mod tls;

use std::io::{self, Read};
use std::process::Stdio;
use std::time::Duration;

use http::StatusCode;
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;
use tonic::transport::Channel;
use tonic_health::ServingStatus;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::client::{Http2, get, open};
use crate::process::{Example, PATIENCE, command};

#[tokio::test]
async fn echo_echoes() {
    let example = Example::start("echo").await;
    open(example.address(), "/ws").await.echoes().await;
    Http2::connect(example.address()).await.open("/ws").await.echoes().await;

    let (status, ..) = get(example.address(), "/ws").await;
    assert_eq!(status, StatusCode::UPGRADE_REQUIRED);
}

#[tokio::test]
async fn the_client_prints_the_answer_to_each_line() {
    let server = Example::start("echo").await;
    let mut client = command("client", "");
    client.arg(format!("ws://{}/ws", server.address()));
    let mut client = client.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the example starts");
    let mut stdin = client.stdin.take().expect("stdin is piped");
    stdin.write_all("Grüße 🦀\n\nlast".as_bytes()).await.expect("it reads");
    drop(stdin);
    let output = timeout(PATIENCE, client.wait_with_output()).await.expect("it ends").expect("its output is known");
    assert!(output.status.success());
    assert_eq!(String::from_utf8_lossy(&output.stdout), "Grüße 🦀\n\nlast\n");
}

#[tokio::test]
async fn the_environment_makes_connections_visible() {
    for (variables, visible) in [
        (&[("WEBSOCKET_DEBUG", "1")][..], true),
        (&[("DEBUG", "true")], true),
        (&[("DEBUG", "express:*,tower_websocket")], true),
        (&[("DEBUG", "express:*")], false),
        (&[("WEBSOCKET_DEBUG", "0"), ("DEBUG", "1")], false),
        (&[], false),
    ] {
        let (mut said, stderr) = io::pipe().expect("a pipe");
        let mut command = command("echo", "127.0.0.1:0");
        command.env_remove("WEBSOCKET_DEBUG").env_remove("DEBUG").envs(variables.iter().copied()).stderr(stderr);
        let example = Example::run("echo", command).await;
        for _ in 0..2 {
            open(example.address(), "/ws").await.echoes().await;
        }
        drop(example);
        let mut lines = String::new();
        said.read_to_string(&mut lines).expect("what it said is readable");
        let opened = lines
            .lines()
            .filter(|line| line.contains("websocket{path=\"/ws\" peer=127.0.0.1:") && line.ends_with(" open"));
        assert_eq!(opened.count(), if visible { 2 } else { 0 }, "{variables:?}: {lines}");
    }
}

#[tokio::test]
async fn fanout_sends_what_is_published_to_everybody() {
    let example = Example::start("fanout").await;
    let mut members = vec![open(example.address(), "/sub").await, open(example.address(), "/sub").await];
    members.push(Http2::connect(example.address()).await.open("/sub").await);
    let mut publisher = open(example.address(), "/pub").await;
    // When a handler has made its connection a member, nothing tells but what arrives.
    for member in &mut members {
        loop {
            publisher.send("hello").await;
            if timeout(Duration::from_millis(100), member.receive()).await.is_ok() {
                break;
            }
        }
    }
    publisher.send("last").await;
    for member in &mut members {
        while member.receive().await.to_string() != "last" {}
    }
}

#[tokio::test]
async fn hyper_serves_a_page_and_a_websocket() {
    let example = Example::start("hyper").await;
    serves(&example, "/", "A plain page. The WebSocket is at /ws.\n").await;
    open(example.address(), "/ws").await.echoes().await;
    Http2::connect(example.address()).await.open("/ws").await.echoes().await;
}

#[tokio::test]
async fn axum_greets_with_its_state_and_the_peers_address() {
    let example = Example::start("axum").await;
    serves(&example, "/", "A page of axum's. The WebSocket is at /ws.\n").await;
    serves(&example, "/ws", "This is a WebSocket: open it as one.\n").await;

    let mut first = open(example.address(), "/ws").await;
    let greeting = first.receive().await.to_string();
    assert!(greeting.starts_with("Hello, visitor 1 from 127.0.0.1:"), "{greeting}");
    first.echoes().await;

    let mut second = Http2::connect(example.address()).await.open("/ws").await;
    let greeting = second.receive().await.to_string();
    assert!(greeting.starts_with("Hello, visitor 2 from 127.0.0.1:"), "{greeting}");
    second.echoes().await;
}

#[tokio::test]
async fn rpc_answers_each_request_when_it_is_done() {
    let example = Example::start("rpc").await;
    let (status, _, page) = get(example.address(), "/").await;
    assert!(status == StatusCode::OK && page.contains("new WebSocket"), "{status}: {page}");
    let mut clients = [open(example.address(), "/ws").await, Http2::connect(example.address()).await.open("/ws").await];
    for client in &mut clients {
        client.send(r#"{"id": 1, "method": "sleep", "params": {"millis": 10000}}"#).await;
        for (request, answer) in [
            (
                r#"{"id": 2, "method": "divide", "params": {"dividend": 6, "divisor": 3}}"#,
                r#"{"type":"result","id":2,"value":2}"#,
            ),
            (
                r#"{"id": 3, "method": "divide", "params": {"dividend": 6, "divisor": 0}}"#,
                r#"{"type":"error","id":3,"message":"this cannot be divided"}"#,
            ),
            (r#"{"id": 4, "method": "echo", "params": "hello"}"#, r#"{"type":"result","id":4,"value":"hello"}"#),
            ("{}", r#"{"type":"error","id":null,"message":"this is no request"}"#),
        ] {
            client.send(request).await;
            assert_eq!(client.receive().await.to_string(), answer);
        }
    }
}

#[tokio::test]
async fn rooms_tell_who_is_there_and_what_was_said() {
    let example = Example::start("rooms").await;
    let mut anna = open(example.address(), "/ws?room=one&name=anna").await;
    assert_eq!(anna.receive().await.to_string(), r#"{"type":"members","names":[]}"#);
    assert!(anna.receive().await.to_string().ends_with(r#""event":{"type":"joined","name":"anna"}}"#));
    anna.send("hello").await;
    let said = anna.receive().await.to_string();
    assert!(said.ends_with(r#""event":{"type":"said","name":"anna","text":"hello"}}"#), "{said}");
    let position = said.split('"').nth(3).expect("it has a position");

    let mut other = open(example.address(), "/ws?room=two&name=carl").await;
    assert_eq!(other.receive().await.to_string(), r#"{"type":"members","names":[]}"#);

    // What came after the position, and no more.
    let path = format!("/ws?room=one&name=bert&after={position}");
    let mut bert = Http2::connect(example.address()).await.open(&path).await;
    assert_eq!(bert.receive().await.to_string(), r#"{"type":"members","names":["anna"]}"#);
    for client in [&mut anna, &mut bert] {
        let joined = client.receive().await.to_string();
        assert!(joined.ends_with(r#""event":{"type":"joined","name":"bert"}}"#), "{joined}");
    }
    drop(anna);
    let left = bert.receive().await.to_string();
    assert!(left.ends_with(r#""event":{"type":"left","name":"anna"}}"#), "{left}");
}

#[tokio::test]
async fn warp_serves_its_filters_and_a_websocket() {
    let example = Example::start("warp").await;
    serves(&example, "/", "A page of warp's. The WebSocket is at /ws.\n").await;
    serves(&example, "/hello/you", "Hello, you!\n").await;
    open(example.address(), "/ws").await.echoes().await;
    Http2::connect(example.address()).await.open("/ws").await.echoes().await;
}

#[tokio::test]
async fn tonic_answers_grpc_and_websockets_on_one_port() {
    let example = Example::start("tonic").await;
    let over_http1 = open(example.address(), "/ws").await;
    let over_http2 = Http2::connect(example.address()).await.open("/ws").await;

    let channel = Channel::from_shared(format!("http://{}", example.address())).unwrap().connect().await.unwrap();
    let mut health = HealthClient::new(channel);
    let echo = || HealthCheckRequest { service: "echo".to_owned() };
    let unary = health.check(echo()).await.unwrap().into_inner();
    assert_eq!(unary.status, ServingStatus::Serving as i32);
    let mut streaming = health.watch(echo()).await.unwrap().into_inner();
    assert_eq!(streaming.message().await.unwrap().map(|update| update.status), Some(ServingStatus::Serving as i32));

    over_http1.echoes().await;
    over_http2.echoes().await;
    let unknown = health.check(HealthCheckRequest { service: "unknown".to_owned() }).await.unwrap_err();
    assert_eq!(unknown.code(), tonic::Code::NotFound);
}

/// A plain request gets the same answer over both protocols.
async fn serves(example: &Example, path: &str, expected: &str) {
    let (status, _, body) = get(example.address(), path).await;
    assert_eq!((status, &*body), (StatusCode::OK, expected));
    let (status, _, body) = Http2::connect(example.address()).await.get(path).await;
    assert_eq!((status, &*body), (StatusCode::OK, expected));
}
