//! A copy of a request's head that keeps nothing else alive.

use bytes::{Bytes, BytesMut};
use http::request::Parts;
use http::{Extensions, HeaderMap, HeaderValue, Request, Uri};

use super::head::Head;

impl Head<'_> {
    /// A copy in memory of its own. hyper's header values are slices of its 8 KiB read buffer: one kept value would keep
    /// all of that for as long as the connection.
    pub(crate) fn compact(&self, extensions: Extensions) -> Parts {
        let (mut parts, ()) = Request::new(()).into_parts();
        parts.method = self.method.clone();
        parts.uri = compact_uri(self.uri);
        parts.version = self.version;
        parts.headers = compact_headers(self.headers);
        parts.extensions = extensions;
        parts
    }
}

/// All values lie in one piece of memory.
fn compact_headers(headers: &HeaderMap) -> HeaderMap {
    let mut memory = BytesMut::with_capacity(headers.values().map(HeaderValue::len).sum());
    for value in headers.values() {
        memory.extend_from_slice(value.as_bytes());
    }
    let mut memory = memory.freeze();
    let mut compact = HeaderMap::with_capacity(headers.len());
    for (name, value) in headers {
        if let Ok(mut copy) = HeaderValue::from_maybe_shared(memory.split_to(value.len())) {
            copy.set_sensitive(value.is_sensitive());
            compact.append(name, copy);
        }
    }
    compact
}

fn compact_uri(uri: &Uri) -> Uri {
    let text = Bytes::from(uri.to_string());
    Uri::from_maybe_shared(text).unwrap_or_else(|_| uri.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_compact_head_says_the_same() {
        let request = Request::get("/chat?room=1")
            .header("cookie", "a=1")
            .header("cookie", "b=2")
            .header("x-binary", HeaderValue::from_bytes(b"\xff\xfe").unwrap())
            .header("x-empty", "")
            .body(())
            .unwrap();
        let mut extensions = Extensions::new();
        extensions.insert(7_u8);
        let parts = Head::from(&request).compact(extensions);
        assert_eq!(parts.uri, *request.uri());
        assert_eq!(parts.headers, *request.headers());
        assert_eq!(parts.extensions.get(), Some(&7_u8));
    }
}
