//! Requests for tests, written as they travel.

use http::request::Parts;
use http::{HeaderName, HeaderValue, Request, Version};

/// A request's head from its text: `METHOD target version`, then one header a line.
///
/// A `CONNECT` over HTTP/2 is an extended one for WebSockets.
pub(super) fn parts(text: &str) -> Parts {
    let mut lines = text.lines();
    let start: Vec<_> = lines.next().unwrap().split(' ').collect();
    let version = match start[2] {
        "HTTP/1.0" => Version::HTTP_10,
        "HTTP/1.1" => Version::HTTP_11,
        "HTTP/2" => Version::HTTP_2,
        other => panic!("unknown version {other}"),
    };
    let (mut parts, ()) =
        Request::builder().method(start[0]).uri(start[1]).version(version).body(()).unwrap().into_parts();
    for line in lines {
        let (name, value) = line.split_once(':').unwrap();
        let value = HeaderValue::from_bytes(value.trim().as_bytes()).unwrap();
        parts.headers.append(name.parse::<HeaderName>().unwrap(), value);
    }
    if start[0] == "CONNECT" && version == Version::HTTP_2 {
        parts.extensions.insert(hyper::ext::Protocol::from_static("websocket"));
    }
    parts
}

/// The handshake of RFC 6455 §1.3 without its `Origin`, and further header lines.
pub(super) fn http1(more: &str) -> Parts {
    parts(&format!(
        "GET /ws HTTP/1.1\nHost: example.com\nUpgrade: websocket\nConnection: Upgrade\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\nSec-WebSocket-Version: 13\n{more}"
    ))
}

/// The handshake of RFC 8441 §5.1 without its `Origin`, and further header lines.
pub(super) fn http2(more: &str) -> Parts {
    parts(&format!("CONNECT https://example.com/ws HTTP/2\nSec-WebSocket-Version: 13\n{more}"))
}
