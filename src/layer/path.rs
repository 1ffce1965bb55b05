//! Paths that are matched exactly.

/// Why no request can have this path, so that its endpoint would be unreachable. `None` for a valid path.
pub(super) fn reason_against(path: &str) -> Option<&'static str> {
    let mut segments = path.split('/');
    if !path.starts_with('/') {
        return Some("a path begins with `/`");
    }
    if path.contains(['?', '#']) {
        return Some("it is matched without query and fragment");
    }
    if path.contains(['{', '}']) || segments.any(|segment| segment.starts_with([':', '*'])) {
        return Some("it is matched exactly, and is not a template; use `matching`, or a route of a router");
    }
    let is_encoded = |byte: u8| byte.is_ascii_graphic() && !b"\"<>\\^`".contains(&byte);
    if !path.bytes().all(is_encoded) {
        return Some("it has characters that are percent-encoded in a URL (RFC 3986)");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_no_request_has_is_refused_with_a_reason() {
        for (path, reason) in [
            ("/", None),
            ("/ws", None),
            ("/a/b-c_d.e~/", None),
            ("/gr%C3%BC%C3%9Fe", None),
            ("/it's;v=1,2/a:b/c*@!$&()+=|", None),
            ("", Some("begins with")),
            ("ws", Some("begins with")),
            ("*", Some("begins with")),
            ("http://h/ws", Some("begins with")),
            ("/ws?x", Some("query")),
            ("/ws#x", Some("fragment")),
            ("/rooms/{id}", Some("template")),
            ("/{*rest}", Some("template")),
            ("/rooms/:id", Some("template")),
            ("/rooms/*", Some("template")),
            ("/a b", Some("percent-encoded")),
            ("/gr\u{fc}n", Some("percent-encoded")),
            ("/a\\b", Some("percent-encoded")),
            ("/ws\r\n", Some("percent-encoded")),
        ] {
            let found = reason_against(path);
            assert!(found.unwrap_or_default().contains(reason.unwrap_or_default()), "{path}: {found:?}");
            assert_eq!(found.is_some(), reason.is_some(), "{path}");
        }
    }
}
