//! Answers to our client, against the rules of RFC 6455 §4.1 as a plain list, and any bytes through `connect_over`.

#![no_main]

use arbitrary::Arbitrary;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode, Version};
use libfuzzer_sys::fuzz_target;
use sha1::{Digest, Sha1};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tower_websocket::fuzz_doors::ClientHandshake;
use tower_websocket::{Connector, ErrorKind};

#[derive(Arbitrary, Debug)]
enum Input {
    /// What the server says, in parts, before it ends.
    Bytes {
        parts: Vec<Vec<u8>>,
        head: bool,
        http2: bool,
    },
    Response {
        http2: bool,
        old: bool,
        status: u16,
        is_usual: bool,
        headers: Vec<(u8, Value)>,
    },
}

#[derive(Arbitrary, Debug)]
enum Value {
    Any(Vec<u8>),
    Known(u8),
    List(Vec<u8>),
}

const NAMES: [&str; 5] =
    ["connection", "sec-websocket-accept", "sec-websocket-extensions", "sec-websocket-protocol", "upgrade"];
const VALUES: [&str; 9] = ["upgrade", "UPGRADE", "keep-alive", "websocket", "WebSocket", "a", "b", "c", "KEY"];

impl Value {
    fn bytes(&self, accept: &str) -> Vec<u8> {
        let known = |index: &u8| match VALUES[usize::from(*index) % VALUES.len()] {
            "KEY" => accept.to_owned(),
            value => value.to_owned(),
        };
        match self {
            Self::Any(bytes) => bytes.clone(),
            Self::Known(index) => known(index).into(),
            Self::List(indices) => indices.iter().map(known).collect::<Vec<_>>().join(", ").into(),
        }
    }
}

fuzz_target!(|input: Input| {
    match input {
        Input::Bytes { parts, head, http2 } => bytes(&parts, head, http2),
        Input::Response { http2, old, status, is_usual, headers } => {
            response(http2, old, status, is_usual, &headers);
        }
    }
});

fn response(http2: bool, old: bool, status: u16, is_usual: bool, more: &[(u8, Value)]) {
    let version = if http2 { Version::HTTP_2 } else { Version::HTTP_11 };
    let mut request = Request::get("/").version(version).header("sec-websocket-protocol", "a, b").body(()).unwrap();
    let opening = ClientHandshake::new(&mut request);
    let accept = request.headers().get("sec-websocket-key").map(|key| derive_accept_key(key.as_bytes()));
    let accept = accept.unwrap_or_default();
    let mut response = Response::new(());
    let usual = if http2 { 200 } else { 101 };
    *response.status_mut() = StatusCode::from_u16(if is_usual { usual } else { status }).unwrap_or(StatusCode::OK);
    *response.version_mut() = if old { Version::HTTP_10 } else { version };
    let headers = response.headers_mut();
    if is_usual && !http2 {
        headers.insert("connection", HeaderValue::from_static("Upgrade"));
        headers.insert("upgrade", HeaderValue::from_static("websocket"));
        headers.insert("sec-websocket-accept", accept.parse().unwrap());
    }
    for (name, value) in more {
        let name = HeaderName::from_static(NAMES[usize::from(*name) % NAMES.len()]);
        if let Ok(value) = HeaderValue::from_bytes(&value.bytes(&accept)) {
            headers.append(name, value);
        }
    }
    let lines = |name: &str| -> Vec<String> {
        let text = |value: &HeaderValue| value.as_bytes().iter().map(|byte| char::from(*byte)).collect();
        response.headers().get_all(name).iter().map(text).collect()
    };
    let has_upgrade = || {
        let is_upgrade =
            |token: &str| token.trim_matches([' ', '\t', '\n', '\r', '\x0c']).eq_ignore_ascii_case("upgrade");
        lines("connection").join(",").split(',').any(is_upgrade)
    };
    let is_websocket = || matches!(&lines("upgrade")[..], [one] if one.eq_ignore_ascii_case("websocket"));
    let opened = if http2 {
        response.status() == 200
    } else {
        !old && response.status() == 101 && is_websocket() && has_upgrade() && lines("sec-websocket-accept") == [accept]
    };
    let chosen = lines("sec-websocket-protocol");
    let was_offered = match &chosen[..] {
        [] => true,
        [one] => one == "a" || one == "b",
        _ => false,
    };
    let confirmed = opening.confirm(&response);
    assert_eq!(confirmed.is_ok(), opened && was_offered, "{response:?}");
    if let Ok(subprotocol) = confirmed {
        assert_eq!(subprotocol.as_deref(), chosen.first().map(String::as_str));
    }
}

fn bytes(parts: &[Vec<u8>], head: bool, http2: bool) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let (near, mut far) = duplex(64 * 1024);
        let connector = if http2 { Connector::new().http2() } else { Connector::new() };
        let server = async {
            let mut request = Vec::new();
            let end = if http2 { &b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..] } else { b"\r\n\r\n" };
            while !request.windows(end.len()).any(|bytes| bytes == end) && far.read_buf(&mut request).await.unwrap() > 0
            {
            }
            if head && !http2 {
                let request = String::from_utf8_lossy(&request);
                let key = request.lines().find_map(|line| {
                    let (name, value) = line.split_once(": ")?;
                    name.eq_ignore_ascii_case("sec-websocket-key").then_some(value)
                });
                let answer = format!(
                    "HTTP/1.1 101 S\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {}\r\n",
                    derive_accept_key(key.unwrap().as_bytes())
                );
                let _ = far.write_all(answer.as_bytes()).await;
            }
            for part in parts {
                let _ = far.write_all(part).await;
                tokio::task::yield_now().await;
            }
            drop(far);
        };
        let (connected, ()) = tokio::join!(connector.connect_over(near, "ws://localhost/"), server);
        match connected {
            Ok(ws) => {
                while let Ok(Some(_)) = ws.recv().await {}
                let _ = ws.done().await;
            }
            Err(error) => assert!(matches!(error.kind(), ErrorKind::Connect | ErrorKind::Handshake), "{error:?}"),
        }
    });
}

/// RFC 6455 §4.2.2.
fn derive_accept_key(key: &[u8]) -> String {
    STANDARD.encode(Sha1::new().chain_update(key).chain_update("258EAFA5-E914-47DA-95CA-C5AB0DC85B11").finalize())
}
