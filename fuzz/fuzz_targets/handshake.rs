//! Requests through the public service, against the rules of RFC 6455 §4.2 as a plain list.

#![no_main]

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use arbitrary::Arbitrary;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderName, HeaderValue, Method, Request, Version};
use libfuzzer_sys::fuzz_target;
use tower_service::Service;
use tower_websocket::{EmptyBody, Manager, Rejection, RejectionKind, Upgrade, Upgrader, WebSocketLayer};

#[derive(Arbitrary, Debug)]
struct Input {
    method: u8,
    version: u8,
    uri: u8,
    any_uri: Option<String>,
    is_usual: bool,
    headers: Vec<(u8, Value)>,
}

#[derive(Arbitrary, Debug)]
enum Value {
    Any(Vec<u8>),
    Known(u8),
    List(Vec<u8>),
}

const NAMES: [&str; 14] = [
    "connection",
    "content-length",
    "forwarded",
    "host",
    "origin",
    "sec-fetch-site",
    "sec-websocket-extensions",
    "sec-websocket-key",
    "sec-websocket-protocol",
    "sec-websocket-version",
    "transfer-encoding",
    "upgrade",
    "x-forwarded-host",
    "x-other",
];
const VALUES: [&str; 20] = [
    "upgrade",
    "Upgrade",
    "keep-alive",
    "websocket",
    "WebSocket",
    "13",
    "8",
    "0",
    "dGhlIHNhbXBsZSBub25jZQ==",
    "dGhlIHNhbXBsZSBub25jZR==",
    "example.com",
    "http://example.com",
    "http://example.com:80",
    "https://evil.example",
    "null",
    "localhost",
    "127.0.0.1:80",
    "chat",
    "cross-site",
    "permessage-deflate",
];
const URIS: [&str; 6] = ["/", "/ws?q", "http://example.com/", "ws://example.com/ws", "ftp://example.com/", "*"];

impl Value {
    fn bytes(&self) -> Vec<u8> {
        let known = |index: &u8| VALUES[usize::from(*index) % VALUES.len()];
        match self {
            Self::Any(bytes) => bytes.clone(),
            Self::Known(index) => known(index).into(),
            Self::List(indices) => indices.iter().map(known).collect::<Vec<_>>().join(", ").into(),
        }
    }
}

fuzz_target!(|input: Input| {
    let methods = [Method::GET, Method::POST, Method::CONNECT, Method::HEAD];
    let versions = [Version::HTTP_11, Version::HTTP_10, Version::HTTP_2, Version::HTTP_11];
    let uri = input.any_uri.as_deref().unwrap_or(URIS[usize::from(input.uri) % URIS.len()]);
    let Ok(mut request) = Request::builder().uri(uri).body(EmptyBody::default()) else { return };
    *request.method_mut() = methods[usize::from(input.method) % 4].clone();
    *request.version_mut() = versions[usize::from(input.version) % 4];
    if input.is_usual {
        for (name, value) in [
            ("host", "example.com"),
            ("connection", "Upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ] {
            request.headers_mut().insert(name, HeaderValue::from_static(value));
        }
    }
    for (name, value) in &input.headers {
        let name = HeaderName::from_static(NAMES[usize::from(*name) % NAMES.len()]);
        if let Ok(value) = HeaderValue::from_bytes(&value.bytes()) {
            request.headers_mut().append(name, value);
        }
    }
    let expected = expected(&request);
    let upgraded: Result<(http::Response<()>, Upgrade), Rejection> = Upgrader::new().upgrade(&mut request);
    // There is no hyper below that could hand a connection over.
    let rejection = upgraded.expect_err("there is nothing to upgrade");
    let kind = rejection.kind();
    let extensions = request.headers().get_all("sec-websocket-extensions");
    match expected {
        // Whether offers are a list is the model of `negotiation`.
        _ if kind == RejectionKind::InvalidExtensions => assert!(extensions.iter().any(|value| !value.is_empty())),
        Expected::Kind(expected) => assert_eq!(kind, expected),
        Expected::OfTarget => assert!(
            matches!(
                kind,
                RejectionKind::InvalidHost
                    | RejectionKind::InvalidTarget
                    | RejectionKind::InvalidSubprotocol
                    | RejectionKind::NotUpgradable
                    | RejectionKind::Origin
            ),
            "{kind:?}"
        ),
    }
    if kind == RejectionKind::NotUpgradable {
        check_accepted(&request);
    }
    assert_eq!(tower_websocket::is_websocket_request(&request), kind != RejectionKind::NotWebSocket);

    let mut service = WebSocketLayer::new(|_: Manager| async {}).into_service();
    let version = request.version();
    let response = pin!(service.call(request)).poll(&mut Context::from_waker(Waker::noop()));
    let Poll::Ready(Ok(response)) = response else { panic!("the answer waits") };
    assert_eq!(response.status(), rejection.status());
    let told = response.extensions().get::<Rejection>().map(Rejection::kind);
    assert_eq!(told, Some(kind));
    let alone = rejection.into_response(version);
    assert_eq!(alone.headers(), response.headers());
});

/// What the rules say.
enum Expected {
    Kind(RejectionKind),
    /// The target, the host, the origin or the subprotocol decide.
    OfTarget,
}

fn expected(request: &Request<EmptyBody>) -> Expected {
    let lines = |name: &str| -> Vec<String> {
        let text = |value: &HeaderValue| value.as_bytes().iter().map(|byte| char::from(*byte)).collect();
        request.headers().get_all(name).iter().map(text).collect()
    };
    let has = |name: &str, token: &str| {
        lines(name).join(",").split(',').any(|element| element.trim_matches(SPACE).eq_ignore_ascii_case(token))
    };
    let is_handshake =
        request.version() < Version::HTTP_2 && has("connection", "upgrade") && has("upgrade", "websocket");
    let is_zero = |length: &String| length.trim_matches(SPACE).chars().all(|digit| digit == '0');
    let key = lines("sec-websocket-key");
    let is_key = |key: &String| {
        STANDARD.decode(key.as_bytes()).is_ok_and(|bytes| bytes.len() == 16 && STANDARD.encode(bytes) == *key)
    };
    let version = lines("sec-websocket-version");
    for (holds, kind) in [
        (is_handshake, RejectionKind::NotWebSocket),
        (request.version() == Version::HTTP_11, RejectionKind::HttpVersion),
        (request.method() == Method::GET, RejectionKind::Method),
        (lines("transfer-encoding").is_empty() && lines("content-length").iter().all(is_zero), RejectionKind::Body),
        (version.len() == 1 && version[0].trim_matches(SPACE) == "13", RejectionKind::Version),
        (key.len() == 1 && is_key(&key[0]), RejectionKind::InvalidKey),
        (lines("host").len() == 1, RejectionKind::InvalidHost),
    ] {
        // What is wrong with the target comes before what is wrong with the host.
        if !holds && kind != RejectionKind::InvalidHost {
            return Expected::Kind(kind);
        }
    }
    let plain = request.uri().path().starts_with('/') && request.uri().scheme().is_none();
    if plain && lines("host").len() != 1 {
        return Expected::Kind(RejectionKind::InvalidHost);
    }
    if plain && lines("host") == ["example.com"] && lines("origin").is_empty() && lines("sec-fetch-site").is_empty() {
        let is_token = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c));
        let protocols = lines("sec-websocket-protocol").join(",");
        let all = protocols.split(',').all(|protocol| is_token(protocol.trim_matches(SPACE)));
        let kind = if all { RejectionKind::NotUpgradable } else { RejectionKind::InvalidSubprotocol };
        return Expected::Kind(kind);
    }
    Expected::OfTarget
}

/// What is accepted has one host, and an origin of that host, or both are the machine's own.
fn check_accepted(request: &Request<EmptyBody>) {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase();
    let header = |name: &str| request.headers().get(name).map(text);
    let host = request.uri().authority().map(|named| named.as_str().to_ascii_lowercase()).or_else(|| header("host"));
    let host = without_port(&host.unwrap());
    let origins: Vec<_> = request.headers().get_all("origin").iter().collect();
    assert!(origins.len() <= 1);
    match header("origin") {
        None => assert!(header("sec-fetch-site").is_none_or(|site| site != "cross-site")),
        Some(origin) => {
            let (scheme, rest) = origin.split_once("://").unwrap();
            assert!(!scheme.is_empty() && !rest.contains(['/', '@', '?', '#', ' ']), "{origin}");
            let named = without_port(rest);
            let is_local = |host: &str| {
                let host = host.trim_end_matches('.');
                host == "localhost" || host.starts_with("127.") || host.starts_with('[') || host.ends_with(".localhost")
            };
            let same = named == host || (named.starts_with('[') && host.starts_with('['));
            assert!(same || (is_local(&named) && is_local(&host)), "{origin} at {host}");
        }
    }
}

fn without_port(authority: &str) -> String {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.chars().all(|digit| digit.is_ascii_digit()) => host.to_owned(),
        _ => authority.to_owned(),
    }
}

const SPACE: [char; 5] = [' ', '\t', '\n', '\r', '\x0c'];
