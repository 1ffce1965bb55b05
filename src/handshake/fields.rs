//! The headers that decide about a handshake.

use http::HeaderMap;
use http::header::{
    CONTENT_LENGTH, HOST, ORIGIN, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, TRANSFER_ENCODING,
};

use super::headers::Lines;

/// The headers that decide about a handshake. They are found in one pass over all headers, which needs a fourth of the
/// instructions of nine look-ups (callgrind).
#[derive(Debug, Default)]
pub(super) struct Fields<'a> {
    pub(super) content_length: Lines<'a>,
    pub(super) extensions: Lines<'a>,
    pub(super) fetch_site: Lines<'a>,
    pub(super) host: Lines<'a>,
    pub(super) key: Lines<'a>,
    pub(super) origin: Lines<'a>,
    pub(super) subprotocols: Lines<'a>,
    pub(super) transfer_encoding: Lines<'a>,
    pub(super) version: Lines<'a>,
}

impl<'a> Fields<'a> {
    pub(super) fn of(headers: &'a HeaderMap) -> Self {
        let mut fields = Self::default();
        for (name, line) in headers {
            let lines = match *name {
                CONTENT_LENGTH => &mut fields.content_length,
                HOST => &mut fields.host,
                ORIGIN => &mut fields.origin,
                SEC_WEBSOCKET_EXTENSIONS => &mut fields.extensions,
                SEC_WEBSOCKET_KEY => &mut fields.key,
                SEC_WEBSOCKET_PROTOCOL => &mut fields.subprotocols,
                SEC_WEBSOCKET_VERSION => &mut fields.version,
                TRANSFER_ENCODING => &mut fields.transfer_encoding,
                _ if name == SEC_FETCH_SITE => &mut fields.fetch_site,
                _ => continue,
            };
            *lines = match lines {
                Lines::None => Lines::One(line),
                Lines::One(_) => Lines::Many(headers.get_all(name)),
                // `get_all` has all lines already.
                Lines::Many(_) => continue,
            };
        }
        fields
    }
}

const SEC_FETCH_SITE: &str = "sec-fetch-site";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handshake::fixture::parts;

    #[test]
    fn each_header_is_found_with_all_of_its_lines() {
        for name in find(&HeaderMap::new()).map(|(name, _)| name) {
            for lines in [&["a"][..], &["a", "b"], &["a", "b", "c"]] {
                let text: String = lines.iter().map(|line| format!("\n{name}: {line}\nX-Other: {line}")).collect();
                for (found, values) in find(&parts(&format!("GET / HTTP/1.1\nCookie: a{text}")).headers) {
                    let expected = if found == name { lines } else { &[] };
                    assert_eq!(values, expected, "{found} of {text}");
                }
            }
        }
    }

    fn find(headers: &HeaderMap) -> [(&'static str, Vec<&str>); 9] {
        let fields = Fields::of(headers);
        [
            ("Content-Length", fields.content_length),
            ("Host", fields.host),
            ("Origin", fields.origin),
            ("Sec-Fetch-Site", fields.fetch_site),
            ("Sec-WebSocket-Extensions", fields.extensions),
            ("Sec-WebSocket-Key", fields.key),
            ("Sec-WebSocket-Protocol", fields.subprotocols),
            ("Sec-WebSocket-Version", fields.version),
            ("Transfer-Encoding", fields.transfer_encoding),
        ]
        .map(|(name, lines)| (name, lines.iter().map(|line| str::from_utf8(line).unwrap()).collect()))
    }
}
