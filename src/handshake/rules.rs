//! The rules of an endpoint for handshakes.

use http::{Method, Version};

use super::accepted::Accepted;
use super::extensions::extensions;
use super::fields::Fields;
use super::head::{Head, Protocol};
use super::key::accept_key;
use super::origin::OriginPolicy;
use super::rejection::{Rejection, RejectionKind};
use super::subprotocol::Subprotocols;

/// The settings of an endpoint on which the decision depends.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rules {
    pub(crate) origin: OriginPolicy,
    pub(crate) subprotocols: Subprotocols,
}

impl Rules {
    /// Checks a handshake: first whether it is valid, then whether this endpoint accepts it.
    pub(crate) fn check(&self, head: Head<'_>, protocol: Protocol) -> Result<Accepted, Rejection> {
        let fields = Fields::of(head.headers);
        if protocol == Protocol::Http1 {
            require(head.version >= Version::HTTP_11, RejectionKind::HttpVersion)?;
            require(head.method == Method::GET, RejectionKind::Method)?;
        }
        match protocol {
            Protocol::Http1 => require(!has_body(&fields), RejectionKind::Body)?,
            Protocol::Http2 if !fields.content_length.is_empty() => {
                return Err(Rejection::because(RejectionKind::Body, NO_LENGTH));
            }
            Protocol::Http2 => {}
        }
        require(has_version_13(&fields), RejectionKind::Version)?;
        let accept_key = match protocol {
            Protocol::Http1 => Some(accept_key(&fields.key)?),
            Protocol::Http2 => None,
        };
        require(extensions(&fields.extensions).all(|extension| extension.is_ok()), RejectionKind::InvalidExtensions)?;
        head.check_target(&fields, protocol)?;
        self.origin.check(head, &fields)?;
        Ok(Accepted::new(accept_key, self.subprotocols.choose(&fields.subprotocols)?))
    }
}

fn require(condition: bool, kind: RejectionKind) -> Result<(), Rejection> {
    if condition { Ok(()) } else { Err(Rejection::new(kind)) }
}

/// Whether the request has a body, which would be read as frames.
fn has_body(fields: &Fields<'_>) -> bool {
    let is_zero = |length: &[u8]| length.iter().all(|digit| *digit == b'0');
    !fields.transfer_encoding.is_empty() || fields.content_length.iter().any(|length| !is_zero(length.trim_ascii()))
}

fn has_version_13(fields: &Fields<'_>) -> bool {
    matches!(fields.version.single(), Ok(Some(version)) if version.as_bytes().trim_ascii() == b"13")
}

const NO_LENGTH: &str = "a WebSocket handshake over HTTP/2 must not have a Content-Length, as its stream goes on";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handshake::fixture::{http1, http2, parts};

    const KEY: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";

    fn check(parts: &http::request::Parts) -> Result<Accepted, RejectionKind> {
        let subprotocols = Subprotocols::list(["chat"]).unwrap();
        let rules = Rules { subprotocols, ..Rules::default() };
        let head = Head::from(parts);
        let protocol = head.protocol().ok_or(RejectionKind::NotWebSocket)?;
        rules.check(head, protocol).map_err(|rejection| rejection.kind())
    }

    #[test]
    fn accepts_the_handshakes_of_the_rfcs() {
        let more = "Origin: http://example.com\nSec-WebSocket-Protocol: superchat, chat";
        for (parts, status) in [(http1(more), 101), (http2(more), 200)] {
            let accepted = check(&parts).unwrap();
            assert_eq!(accepted.subprotocol(), Some("chat"));
            assert_eq!(accepted.into_response::<()>(None).status(), status);
        }
    }

    #[test]
    fn accepts_a_handshake_that_is_written_unusually() {
        let request = format!(
            "GET http://example.com/ws HTTP/1.1\nhost: other.example\nUPGRADE: h2c\nUPGRADE: WEBSOCKET\n\
             connection: keep-alive\nconnection: , UPGRADE ,\nContent-Length: 0\nsec-websocket-version: 13\n{KEY}"
        );
        check(&parts(&request)).unwrap();
    }

    #[test]
    fn refuses_with_the_first_reason() {
        use RejectionKind::*;

        let upgrade = "Connection: Upgrade\nUpgrade: websocket";
        let v13 = "Sec-WebSocket-Version: 13";
        for (text, kind) in [
            (format!("GET / HTTP/1.1\n{v13}\n{KEY}"), NotWebSocket),
            (format!("GET / HTTP/1.1\nConnection: upgradex\nUpgrade: websocket\n{v13}\n{KEY}"), NotWebSocket),
            (format!("GET / HTTP/1.0\n{upgrade}\n{v13}\n{KEY}"), HttpVersion),
            (format!("POST / HTTP/1.1\n{upgrade}\n{v13}\n{KEY}"), Method),
            (format!("HEAD / HTTP/1.1\n{upgrade}\n{v13}\n{KEY}"), Method),
            (format!("GET / HTTP/1.1\n{upgrade}\n{v13}\n{KEY}\nContent-Length: 5"), Body),
            (format!("GET / HTTP/1.1\n{upgrade}\n{v13}\n{KEY}\nContent-Length: 0\nContent-Length: 05"), Body),
            (format!("GET / HTTP/1.1\n{upgrade}\n{v13}\n{KEY}\nTransfer-Encoding: chunked"), Body),
            (format!("GET / HTTP/1.1\n{upgrade}\n{KEY}"), Version),
            (format!("GET / HTTP/1.1\n{upgrade}\n{KEY}\nSec-WebSocket-Version: 8"), Version),
            (format!("GET / HTTP/1.1\n{upgrade}\n{KEY}\nSec-WebSocket-Version: 013"), Version),
            (format!("GET / HTTP/1.1\n{upgrade}\n{KEY}\nSec-WebSocket-Version: 13, 8"), Version),
            (format!("GET / HTTP/1.1\n{upgrade}\n{KEY}\n{v13}\n{v13}"), Version),
            (format!("GET / HTTP/1.1\n{upgrade}\n{KEY}\nSec-WebSocket-Version: 1\u{b3}"), Version),
            (format!("GET / HTTP/1.1\n{upgrade}\n{v13}"), InvalidKey),
            (format!("GET / HTTP/1.1\n{upgrade}\n{v13}\n{KEY}\n{KEY}"), InvalidKey),
            (format!("GET / HTTP/1.1\n{upgrade}\n{v13}\n{KEY}\nOrigin: http://a.example"), InvalidHost),
            (format!("GET / HTTP/1.1\nHost: b\n{upgrade}\n{v13}\n{KEY}\nOrigin: http://a"), Origin),
            (
                format!("GET / HTTP/1.1\nHost: b\n{upgrade}\n{v13}\n{KEY}\nSec-WebSocket-Protocol: a b"),
                InvalidSubprotocol,
            ),
            (format!("CONNECT https://example.com/ HTTP/2\n{v13}\nContent-Length: 0"), Body),
            (format!("CONNECT https://example.com/ HTTP/2\n{v13}\nContent-Length:"), Body),
            ("CONNECT https://example.com/ HTTP/2".to_owned(), Version),
            (format!("CONNECT https://example.com/ HTTP/2\n{v13}\nContent-Length: 5"), Body),
            (format!("CONNECT https://example.com/ HTTP/2\n{v13}\nOrigin: https://a.example"), Origin),
            (format!("GET https://example.com/ HTTP/2\n{upgrade}\n{v13}\n{KEY}"), NotWebSocket),
        ] {
            assert_eq!(check(&parts(&text)).unwrap_err(), kind, "{text}");
        }
    }

    #[test]
    fn every_handshake_names_one_host() {
        let more = format!("Connection: Upgrade\nUpgrade: websocket\nSec-WebSocket-Version: 13\n{KEY}");
        for (lines, accepted) in [
            ("Host: example.com", true),
            ("Host: example.com:8080", true),
            ("Host: example.com:", true),
            ("Host: [::1]:80", true),
            ("Host: a_b.example.", true),
            ("", false),
            ("Host:", false),
            ("Host: a\nHost: a", false),
            ("Host: a\nHost: b", false),
            ("Host: a/b", false),
            ("Host: u@h", false),
            ("Host: a, b", false),
            ("Host: a,b", false),
            ("Host: a b", false),
            ("Host: h:99999", false),
            ("Host: h:+80", false),
            ("Host: h:8o", false),
            ("Host: h:80:80", false),
            ("Host: [::1", false),
            ("Host: [fe80::1%25eth0]", false),
            ("Host: http://h", false),
            ("Host: h?q", false),
            ("Host: h%2f", false),
            ("Host: *", false),
            ("Host: a..b", false),
            ("Host: h\u{e4}", false),
        ] {
            for origin in ["", "Origin: http://example.com\n", "Origin: null\n"] {
                for target in ["/", "http://example.com/"] {
                    let rules = Rules { origin: OriginPolicy::insecure_any(), ..Rules::default() };
                    let parts = parts(&format!("GET {target} HTTP/1.1\n{origin}{more}\n{lines}"));
                    let decision = rules.check(Head::from(&parts), Protocol::Http1).map_err(|refused| refused.kind());
                    let expected = if accepted { Ok(()) } else { Err(RejectionKind::InvalidHost) };
                    assert_eq!(decision.map(drop), expected, "{lines:?} {origin:?} {target}");
                }
            }
        }
    }

    #[test]
    fn every_handshake_asks_for_a_path_of_http() {
        for (target, refused) in [
            ("/ws", None),
            ("/ws?q", None),
            ("http://example.com/ws", None),
            ("https://example.com", None),
            ("ws://example.com/ws", None),
            ("ftp://example.com/ws", Some(RejectionKind::InvalidTarget)),
            ("*", Some(RejectionKind::InvalidTarget)),
            ("example.com:80", Some(RejectionKind::InvalidTarget)),
            ("http://u@example.com/", Some(RejectionKind::InvalidHost)),
            ("http://a..b/", Some(RejectionKind::InvalidHost)),
        ] {
            let parts =
                parts(&http1("").headers.iter().fold(format!("GET {target} HTTP/1.1"), |text, (name, value)| {
                    format!("{text}\n{name}: {}", value.to_str().unwrap())
                }));
            assert_eq!(check(&parts).err(), refused, "{target}");
        }
    }

    #[test]
    fn extended_connect_has_an_authority_that_no_host_contradicts() {
        for (text, refused) in [
            ("CONNECT http://example.com:8080/ws?q HTTP/2", None),
            ("CONNECT https://example.com/ HTTP/2\nHost: EXAMPLE.com", None),
            ("CONNECT https://[::1]:80/ HTTP/2\nHost: [0::1]:80", None),
            ("CONNECT https://example.com/ HTTP/2\nHost: example.com:443", None),
            ("CONNECT http://example.com:80/ HTTP/2\nHost: example.com", None),
            ("CONNECT https://example.com:80/ HTTP/2\nHost: example.com", Some(RejectionKind::InvalidHost)),
            ("CONNECT https://example.com/ HTTP/2\nHost: other.example", Some(RejectionKind::InvalidHost)),
            ("CONNECT https://example.com/ HTTP/2\nHost: example.com:1", Some(RejectionKind::InvalidHost)),
            ("CONNECT https://example.com/ HTTP/2\nHost:", Some(RejectionKind::InvalidHost)),
            (
                "CONNECT https://example.com/ HTTP/2\nHost: example.com\nHost: example.com",
                Some(RejectionKind::InvalidHost),
            ),
            ("CONNECT https://u@example.com/ HTTP/2", Some(RejectionKind::InvalidHost)),
            ("CONNECT https://h:99999/ HTTP/2", Some(RejectionKind::InvalidHost)),
            ("CONNECT / HTTP/2", Some(RejectionKind::InvalidHost)),
            ("CONNECT / HTTP/2\nHost: example.com", Some(RejectionKind::InvalidHost)),
            ("CONNECT ftp://example.com/ HTTP/2", Some(RejectionKind::InvalidTarget)),
            ("CONNECT wss://example.com/ HTTP/2", Some(RejectionKind::InvalidTarget)),
            ("CONNECT example.com:443 HTTP/2", Some(RejectionKind::InvalidTarget)),
        ] {
            assert_eq!(check(&parts(&format!("{text}\nSec-WebSocket-Version: 13"))).err(), refused, "{text}");
        }
    }

    /// RFC 6455 §9.1: the recipient of malformed data must fail the connection, whatever it would have chosen.
    #[test]
    fn the_extensions_of_every_handshake_are_of_the_grammar() {
        for (lines, accepted) in [
            // What browsers, gorilla, ws, websockets and older Safaris send.
            ("Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits", true),
            (
                "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover",
                true,
            ),
            (
                "Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover; client_max_window_bits=\"15\"",
                true,
            ),
            ("Sec-WebSocket-Extensions: x-webkit-deflate-frame", true),
            ("Sec-WebSocket-Extensions: a, b;c=d\nSec-WebSocket-Extensions: e", true),
            // A proxy that turns compression off.
            ("Sec-WebSocket-Extensions:", true),
            ("Sec-WebSocket-Extensions: , ,", true),
            // Of the grammar, if not of permessage-deflate.
            ("Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=99", true),
            ("Sec-WebSocket-Extensions: permessage-deflate;", false),
            ("Sec-WebSocket-Extensions: permessage-deflate; ;a", false),
            ("Sec-WebSocket-Extensions: permessage-deflate; a=", false),
            ("Sec-WebSocket-Extensions: permessage-deflate; a=\"b", false),
            ("Sec-WebSocket-Extensions: permessage-deflate; a=\"b c\"", false),
            ("Sec-WebSocket-Extensions: permessage-deflate client_max_window_bits", false),
            ("Sec-WebSocket-Extensions: permessage-deflate\nSec-WebSocket-Extensions: =", false),
            ("Sec-WebSocket-Extensions: a/b", false),
            ("Sec-WebSocket-Extensions: permessage-d\u{e9}flate", false),
        ] {
            for parts in [http1(lines), http2(lines)] {
                let expected = if accepted { None } else { Some(RejectionKind::InvalidExtensions) };
                assert_eq!(check(&parts).err(), expected, "{lines}");
            }
        }
    }

    #[test]
    fn http2_needs_no_key_and_ignores_one() {
        for lines in ["", "Sec-WebSocket-Key: nonsense"] {
            let response = check(&http2(lines)).unwrap().into_response::<()>(None);
            assert!(response.headers().is_empty(), "{lines}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_header_value_gets_an_answer(value in "[^\\p{Cc}]{0,40}", name in 0..NAMES.len()) {
            let mut parts = http1("");
            parts.headers.insert(NAMES[name], http::HeaderValue::from_str(&value).unwrap());
            let _ = check(&parts);
        }

        #[test]
        fn any_origin_that_is_accepted_names_the_host(
            origin in "https?://(|a@|[a-z.@:/]{1,3})example\\.com(|:[0-9]{1,5}|[a-z.@:/]{1,6})",
        ) {
            if check(&http1(&format!("Origin: {origin}"))).is_ok() {
                let host = origin.split_once("://").unwrap().1.split(':').next().unwrap();
                assert_eq!(host, "example.com");
            }
        }
    }

    const NAMES: [&str; 9] = [
        "connection",
        "content-length",
        "host",
        "origin",
        "sec-websocket-extensions",
        "sec-websocket-key",
        "sec-websocket-protocol",
        "sec-websocket-version",
        "upgrade",
    ];
}
