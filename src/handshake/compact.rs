//! Copies of a request's head that do not keep hyper's read buffer in memory.

use bytes::{Bytes, BytesMut};
use http::header::{COOKIE, HOST};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Request, Uri, Version};

use super::head::Head;

/// Copies a head into memory of its own. hyper's header values are slices of its 8 KiB read buffer: a stored value would keep that
/// buffer in memory for as long as the connection.
pub(super) fn compact(request: &mut Parts) {
    request.uri = compact_uri(&request.uri);
    compact_headers(&mut request.headers);
    set_host(request);
    if request.version >= Version::HTTP_2 {
        join_cookies(&mut request.headers);
    }
}

/// A copy of a request's head, which shares the memory of its values.
pub(crate) fn copied<'a>(request: impl Into<Head<'a>>) -> Parts {
    let head = request.into();
    let (mut parts, ()) = Request::new(()).into_parts();
    parts.method = head.method.clone();
    parts.uri = head.uri.clone();
    parts.version = head.version;
    parts.headers = head.headers.clone();
    parts.extensions = head.extensions.clone();
    parts
}

/// Joins the fields over which browsers split cookies in HTTP/2, as they would be in HTTP/1.1 (RFC 9113 §8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    if headers.get_all(COOKIE).iter().nth(1).is_some() {
        let crumbs: Vec<_> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
        if let Ok(joined) = HeaderValue::from_maybe_shared(Bytes::from(crumbs.join(&b"; "[..]))) {
            headers.insert(COOKIE, joined);
        }
    }
}

/// Sets `Host` to the host in the URI, if there is one: that is the host that was checked, and a different `Host` header is ignored
/// (RFC 9112 §3.2.2, RFC 9113 §8.3.1). Handlers must not see another one.
fn set_host(request: &mut Parts) {
    if let Some(authority) = request.uri.authority()
        && let Some(host) = authority.as_str().rsplit('@').next()
        && let Ok(host) = HeaderValue::from_str(host)
    {
        request.headers.insert(HOST, host);
    }
}

/// Copies all values into one allocation.
fn compact_headers(headers: &mut HeaderMap) {
    let mut memory = BytesMut::with_capacity(headers.values().map(HeaderValue::len).sum());
    for value in headers.values() {
        memory.extend_from_slice(value.as_bytes());
    }
    let mut memory = memory.freeze();
    for value in headers.values_mut() {
        if let Ok(mut copy) = HeaderValue::from_maybe_shared(memory.split_to(value.len())) {
            copy.set_sensitive(value.is_sensitive());
            *value = copy;
        }
    }
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
            .extension(7_u8)
            .body(())
            .unwrap();
        let mut parts = copied(&request);
        compact(&mut parts);
        assert_eq!(parts.uri, *request.uri());
        assert_eq!(parts.headers, *request.headers());
        assert_eq!(parts.extensions.get(), Some(&7_u8));
    }

    #[test]
    fn a_compact_head_lies_in_memory_of_its_own() {
        let buffer = Bytes::from(b"value and the rest of a read buffer".to_vec());
        let value = HeaderValue::from_maybe_shared(buffer.slice(..5)).unwrap();
        let mut sensitive = value.clone();
        sensitive.set_sensitive(true);
        let request = Request::get("/").header("x-a", value).header("x-b", sensitive).body(()).unwrap();
        let (mut parts, ()) = request.into_parts();
        compact(&mut parts);
        assert!(buffer.is_unique(), "a header keeps the read buffer");
        assert_eq!(parts.headers["x-a"], "value");
        assert!(parts.headers["x-b"].is_sensitive() && !parts.headers["x-a"].is_sensitive());
    }

    fn compacted(request: &Request<()>) -> HeaderMap {
        let mut parts = copied(request);
        compact(&mut parts);
        parts.headers
    }

    #[test]
    fn over_http2_there_is_one_cookie_field_and_a_host() {
        let request = Request::connect("https://user@a.example:8443/chat")
            .version(Version::HTTP_2)
            .header("cookie", "theme=dark")
            .header("cookie", "session=secret; a=b")
            .body(())
            .unwrap();
        let headers = compacted(&request);
        assert_eq!(headers.get_all("cookie").iter().collect::<Vec<_>>(), ["theme=dark; session=secret; a=b"]);
        assert_eq!(headers["host"], "a.example:8443");
    }

    #[test]
    fn the_host_is_the_one_that_was_checked() {
        for request in
            [Request::connect("https://a.example/").version(Version::HTTP_2), Request::get("http://a.example/")]
        {
            let headers = compacted(&request.header("host", "b.example").body(()).unwrap());
            assert_eq!(headers.get_all("host").iter().collect::<Vec<_>>(), ["a.example"]);
        }
    }
}
