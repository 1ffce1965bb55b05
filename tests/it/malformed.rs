//! Handshakes that HTTP itself forbids, as bytes: they are answered with 400 and a sentence, and no handler runs.

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tower_websocket::{OriginPolicy, Upgrader};

use crate::support::{KEY, Peer, handler, serve, status};

#[tokio::test(start_paused = true)]
async fn over_http1_every_handshake_names_one_host() {
    for (hosts, expected) in [
        ("Host: localhost\r\n", 101),
        ("Host: localhost:\r\n", 101),
        ("Host: [::1]:3000\r\n", 101),
        ("", 400),
        ("Host:\r\n", 400),
        ("Host: a\r\nHost: a\r\n", 400),
        ("Host: a/b\r\n", 400),
        ("Host: u@h\r\n", 400),
        ("Host: a, b\r\n", 400),
        ("Host: h:99999\r\n", 400),
        ("Host: h:-1\r\n", 400),
        ("Host: h\\\r\n", 400),
        ("Host: [::1\r\n", 400),
        ("Host: \"h\"\r\n", 400),
    ] {
        for target in ["/", "http://localhost/"] {
            for policy in [OriginPolicy::same_host(), OriginPolicy::insecure_any()] {
                let (service, mut managers) = handler(Upgrader::new().origin(policy));
                let mut peer = serve(service);
                let head = peer
                    .ask(&format!(
                        "GET {target} HTTP/1.1\r\n{hosts}Connection: Upgrade\r\nUpgrade: websocket\r\n\
                         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n\r\n"
                    ))
                    .await;
                assert_eq!(status(&head), expected, "{hosts:?} {target}: {head}");
                if expected == 400 {
                    assert!(peer.read_body(4).await.starts_with(|first: char| first.is_alphabetic()));
                    assert!(managers.try_recv().is_err());
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn over_http1_a_target_of_another_scheme_is_refused() {
    for (target, expected) in [("http://h/", 101), ("https://h/ws", 101), ("ftp://h/ws", 400), ("gopher://h/", 400)] {
        let (service, _managers) = handler(Upgrader::new());
        let head = serve(service).ask(&Peer::request("").replace("/ws", target)).await;
        assert_eq!(status(&head), expected, "{target}: {head}");
    }
}

/// Whether compression is wanted or not.
#[tokio::test(start_paused = true)]
async fn over_http1_extensions_that_are_no_list_are_refused() {
    for (value, expected) in [
        ("permessage-deflate; client_max_window_bits", 101),
        ("permessage-deflate; server_no_context_takeover; client_no_context_takeover", 101),
        ("unknown; a=\"b\"", 101),
        ("", 101),
        ("permessage-deflate;", 400),
        ("permessage-deflate; a=\"b", 400),
        ("permessage-deflate client_max_window_bits", 400),
        ("=", 400),
    ] {
        for upgrader in [Upgrader::new(), Upgrader::new().without_compression()] {
            let (service, mut managers) = handler(upgrader);
            let mut peer = serve(service);
            let head = peer.ask(&Peer::request(&format!("Sec-WebSocket-Extensions: {value}\r\n"))).await;
            assert_eq!(status(&head), expected, "{value}: {head}");
            if expected == 400 {
                assert_eq!(peer.read_body(24).await, "Sec-WebSocket-Extensions");
                assert!(managers.try_recv().is_err());
            }
        }
    }
}

/// What no client lets pass is sent frame by frame.
#[tokio::test(start_paused = true)]
async fn over_http2_what_the_rfcs_call_malformed_is_refused() {
    let proper: &[(&str, &str)] = &[
        (":method", "CONNECT"),
        (":protocol", "websocket"),
        (":scheme", "https"),
        (":path", "/ws"),
        (":authority", "h"),
        ("sec-websocket-version", "13"),
    ];
    assert_eq!(answer(proper).await, Answer::Status(200));
    for (name, value, expected) in [
        (":scheme", Some("http"), Answer::Status(200)),
        (":scheme", Some("HTTPS"), Answer::Status(200)),
        (":scheme", Some("ftp"), Answer::Status(400)),
        (":scheme", Some("wss"), Answer::Status(400)),
        (":scheme", Some(""), Answer::Status(400)),
        (":scheme", None, Answer::Reset),
        (":path", Some(""), Answer::Reset),
        (":path", Some("*"), Answer::Status(400)),
        (":path", None, Answer::Reset),
        (":authority", None, Answer::Status(400)),
        (":authority", Some(""), Answer::Reset),
        (":authority", Some("u@h"), Answer::Status(400)),
        (":authority", Some("h:99999"), Answer::Status(400)),
        (":authority", Some("a..b"), Answer::Status(400)),
        (":method", Some("GET"), Answer::Reset),
    ] {
        let fields: Vec<_> = proper
            .iter()
            .filter_map(|field| if field.0 == name { value.map(|value| (name, value)) } else { Some(*field) })
            .collect();
        assert_eq!(answer(&fields).await, expected, "{name} {value:?}");
    }
    for (more, expected) in [
        (&[("host", "h")][..], Answer::Status(200)),
        (&[("host", "other")], Answer::Status(400)),
        (&[("host", "h:1")], Answer::Status(400)),
        (&[("host", "h"), ("host", "h")], Answer::Status(400)),
        (&[("content-length", "0")], Answer::Status(400)),
        (&[("content-length", "00")], Answer::Status(400)),
        (&[("sec-websocket-extensions", "permessage-deflate; client_max_window_bits")], Answer::Status(200)),
        (&[("sec-websocket-extensions", "permessage-deflate;")], Answer::Status(400)),
        (&[("sec-websocket-extensions", "a b")], Answer::Status(400)),
        (&[("sec-websocket-protocol", "a b")], Answer::Status(400)),
        (&[("connection", "upgrade")], Answer::Reset),
        (&[("transfer-encoding", "chunked")], Answer::Reset),
    ] {
        assert_eq!(answer(&[proper, more].concat()).await, expected, "{more:?}");
    }
    // A host of HTTP/1.1 is no way around the authority.
    let fields: Vec<_> =
        proper.iter().map(|field| if field.0 == ":authority" { ("host", "h") } else { *field }).collect();
    assert_eq!(answer(&fields).await, Answer::Status(400));
}

#[derive(Debug, PartialEq)]
enum Answer {
    /// RST_STREAM or the end of the connection: the layer is never asked.
    Reset,
    Status(u16),
}

/// Sends one request as HTTP/2 (RFC 9113 §4, RFC 7541 §6.2.2) and reads what becomes of it.
async fn answer(fields: &[(&str, &str)]) -> Answer {
    let (service, mut managers) = handler(Upgrader::new());
    let (mut client, server) = duplex(64 * 1024);
    tokio::spawn(crate::net::serve_stream(server, service));
    client.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    client.write_all(&frame(SETTINGS, 0, 0, &[])).await.unwrap();
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            block.push(u8::try_from(text.len()).unwrap());
            block.extend_from_slice(text.as_bytes());
        }
    }
    client.write_all(&frame(HEADERS, END_HEADERS, 1, &block)).await.unwrap();
    let answer = loop {
        let Some((kind, payload)) = read_frame(&mut client).await else { break Answer::Reset };
        match kind {
            // The first field is `:status`, of the static table or with a value.
            HEADERS => match payload[0] {
                0x88 => break Answer::Status(200),
                0x8c => break Answer::Status(400),
                other => panic!("a status that is not looked for: {other:#x} {payload:?}"),
            },
            RST_STREAM | GOAWAY => break Answer::Reset,
            _ => {}
        }
    };
    if answer != Answer::Status(200) {
        assert!(managers.try_recv().is_err(), "a handler runs");
    }
    answer
}

fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let [.., high, low] = payload.len().to_be_bytes();
    [&[0, high, low, kind, flags, 0, 0, 0, stream], payload].concat()
}

async fn read_frame(client: &mut DuplexStream) -> Option<(u8, Vec<u8>)> {
    let mut head = [0; 9];
    client.read_exact(&mut head).await.ok()?;
    let mut payload = vec![0; usize::from(head[1]) << 8 | usize::from(head[2])];
    client.read_exact(&mut payload).await.ok()?;
    Some((head[3], payload))
}

const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const END_HEADERS: u8 = 4;
