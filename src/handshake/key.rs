//! `Sec-WebSocket-Key` and the answer to it (RFC 6455 §4.2.2).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use sha1::{Digest, Sha1};

use super::headers::{Lines, Repeated};
use super::rejection::{Rejection, RejectionKind};

/// Checks the request's key and derives the value of `Sec-WebSocket-Accept` from it.
pub(super) fn accept_key(key: &Lines<'_>) -> Result<HeaderValue, Rejection> {
    let refuse = |reason| Rejection::because(RejectionKind::InvalidKey, reason);
    let key = key
        .single()
        .map_err(|Repeated| refuse("Sec-WebSocket-Key must not be repeated"))?
        .ok_or_else(|| refuse("Sec-WebSocket-Key is missing"))?;
    let key = key.as_bytes();
    if !is_key(key) {
        return Err(Rejection::new(RejectionKind::InvalidKey));
    }
    Ok(answer(key))
}

/// The value of `Sec-WebSocket-Accept` for a key.
pub(super) fn answer(key: &[u8]) -> HeaderValue {
    let digest = Sha1::new().chain_update(key).chain_update(GUID).finalize();
    let mut text = [0; ANSWER];
    STANDARD.encode_slice(digest, &mut text).expect("20 bytes are 28 digits of base64");
    HeaderValue::from_bytes(&text).expect("base64 is a valid header value")
}

/// Whether this is canonical base64 of 16 bytes: padded, and without bits after the last byte.
fn is_key(key: &[u8]) -> bool {
    // The decoder needs space for whole groups of three bytes.
    key.len() == 24 && STANDARD.decode_slice(key, &mut [0; 18]) == Ok(16)
}

/// The length of an answer.
const ANSWER: usize = 28;
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handshake::fields::Fields;
    use crate::handshake::fixture::parts;

    fn answer_to(lines: &str) -> Result<HeaderValue, Rejection> {
        accept_key(&Fields::of(&parts(&format!("GET / HTTP/1.1\n{lines}")).headers).key)
    }

    #[test]
    fn answers_the_key_of_the_rfc() {
        let answer = answer_to("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==").unwrap();
        assert_eq!(answer, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn refuses_what_is_not_one_key_of_16_bytes() {
        for (key, lines) in [
            ("missing", ""),
            ("empty", "Sec-WebSocket-Key:"),
            ("repeated", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="),
            ("two in a list", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==, dGhlIHNhbXBsZSBub25jZQ=="),
            ("of 15 bytes", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAA"),
            ("of 17 bytes", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAAA="),
            ("of 18 bytes", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAAAA"),
            ("without padding", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ"),
            ("with half of its padding", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ="),
            ("with bits beyond its end", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZR=="),
            ("in the URL alphabet", "Sec-WebSocket-Key: -_AAAAAAAAAAAAAAAAAAAA=="),
            ("in no alphabet", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j!Q=="),
            ("with a space", "Sec-WebSocket-Key: dGhlIHNhbXBs SBub25jZQ=="),
            ("not in ASCII", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j\u{e9}=="),
        ] {
            let kind = answer_to(lines).map_err(|rejection| rejection.kind());
            assert_eq!(kind, Err(RejectionKind::InvalidKey), "a key {key}");
        }
    }
}
