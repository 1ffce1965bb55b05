//! What a server must answer for our client to go on (RFC 6455 §4.1, RFC 8441 §5).

#![expect(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

use std::error::Error as _;

use bytes::Bytes;
use http::{Response, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tower_websocket::{Connector, Error, ErrorKind};

/// The answer to our client's request over HTTP/1.1, made by `answer` out of the key that it was asked with.
async fn answered(answer: impl Fn(&str) -> String) -> Result<(), Error> {
    let (near, mut far) = duplex(4096);
    let server = async {
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            far.read_buf(&mut request).await.unwrap();
        }
        let request = String::from_utf8(request).unwrap();
        let key = request.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("sec-websocket-key").then_some(value)
        });
        far.write_all(answer(key.unwrap()).as_bytes()).await.unwrap();
    };
    let connector = Connector::new();
    let (connected, ()) = tokio::join!(connector.connect_over(near, "ws://h/"), server);
    connected.map(drop)
}

/// A 101 with these lines, where `ACCEPT` stands for the right answer to the key.
fn switching(lines: &'static [&'static str]) -> impl Fn(&str) -> String {
    move |key| {
        let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
        let lines = lines.replace("ACCEPT", &derive_accept_key(key.as_bytes()));
        format!("HTTP/1.1 101 Switching Protocols\r\n{lines}\r\n")
    }
}

#[tokio::test(start_paused = true)]
async fn a_proper_answer_is_accepted() {
    for lines in [
        &["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Accept: ACCEPT"][..],
        &["connection: keep-alive, upgrade", "UPGRADE: WebSocket", "sec-websocket-accept: ACCEPT"],
        &["Connection: keep-alive", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Accept: ACCEPT"],
    ] {
        answered(switching(lines)).await.unwrap_or_else(|error| panic!("{lines:?}: {error:?}"));
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_to_another_key_is_refused() {
    for lines in [
        // The answer to the key of RFC 6455's example, which our client never sends.
        &["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="][..],
        &["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Accept: "],
        &["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Accept: ACCEPT, ACCEPT"],
        &["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Accept: ACCEPT", "Sec-WebSocket-Accept: ACCEPT"],
        &["Connection: Upgrade", "Upgrade: websocket"],
    ] {
        let error = answered(switching(lines)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Handshake, "{lines:?}");
        let reason = error.source().unwrap().to_string();
        assert!(reason.contains("Sec-WebSocket-Accept"), "{lines:?}: {reason}");
    }
}

/// hyper switches for any 101 with an `Upgrade`: the rest is ours to check.
#[tokio::test(start_paused = true)]
async fn an_answer_that_does_not_switch_to_websocket_is_refused() {
    for lines in [
        &["Upgrade: websocket", "Sec-WebSocket-Accept: ACCEPT"][..],
        &["Connection: keep-alive", "Upgrade: websocket", "Sec-WebSocket-Accept: ACCEPT"],
        &["Connection: upgraded", "Upgrade: websocket", "Sec-WebSocket-Accept: ACCEPT"],
        &["Connection: Upgrade", "Upgrade: h2c", "Sec-WebSocket-Accept: ACCEPT"],
        &["Connection: Upgrade", "Upgrade: websocket, h2c", "Sec-WebSocket-Accept: ACCEPT"],
    ] {
        let error = answered(switching(lines)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Handshake, "{lines:?}");
        let reason = error.source().unwrap().to_string();
        assert!(reason.contains("did not switch to WebSocket"), "{lines:?}: {reason}");
    }
}

#[tokio::test(start_paused = true)]
async fn over_http2_only_a_success_is_an_answer() {
    for (status, accepted) in [(200, true), (300, false), (403, false), (404, false), (500, false)] {
        let (near, far) = duplex(4096);
        let server = tokio::spawn(async move {
            let mut builder = h2::server::Builder::new();
            let mut connection = builder.enable_connect_protocol().handshake::<_, Bytes>(far).await.unwrap();
            let (_request, mut respond) = connection.accept().await.unwrap().unwrap();
            let mut response = Response::new(());
            *response.status_mut() = StatusCode::from_u16(status).unwrap();
            let _stream = respond.send_response(response, !accepted).unwrap();
            while connection.accept().await.is_some() {}
        });
        let connected = Connector::new().http2().connect_over(near, "ws://h/").await;
        match connected {
            Ok(_) => assert!(accepted, "{status}"),
            Err(error) => {
                assert!(!accepted, "{status}: {error:?}");
                assert_eq!(error.kind(), ErrorKind::Handshake);
                assert_eq!(error.response().unwrap().status(), status);
            }
        }
        server.abort();
    }
}
