//! Reading header values: lists, and headers that must not be repeated.

use http::header::GetAll;
use http::{HeaderMap, HeaderName, HeaderValue};

/// The lines of one header. Usually there is one or none.
#[derive(Debug, Default)]
pub(crate) enum Lines<'a> {
    #[default]
    None,
    One(&'a HeaderValue),
    Many(GetAll<'a, HeaderValue>),
}

impl<'a> Lines<'a> {
    /// The lines with this name.
    pub(crate) fn of(headers: &'a HeaderMap, name: HeaderName) -> Self {
        let all = headers.get_all(name);
        let mut lines = all.iter();
        match (lines.next(), lines.next()) {
            (None, _) => Self::None,
            (Some(line), None) => Self::One(line),
            (Some(_), Some(_)) => Self::Many(all),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        matches!(self, Self::None)
    }

    /// The value of each line.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let (one, many) = match self {
            Self::None => (None, None),
            Self::One(line) => (Some(*line), None),
            Self::Many(all) => (None, Some(all.iter())),
        };
        one.into_iter().chain(many.into_iter().flatten()).map(HeaderValue::as_bytes)
    }

    /// The value of a header that must not be repeated.
    pub(crate) fn single(&self) -> Result<Option<&'a HeaderValue>, Repeated> {
        match self {
            Self::None => Ok(None),
            Self::One(line) => Ok(Some(line)),
            Self::Many(_) => Err(Repeated),
        }
    }

    /// The elements of a comma-separated list over all lines, without the empty ones (RFC 9110 §5.6.1).
    pub(crate) fn elements(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.iter().flat_map(split).filter(|element| !element.is_empty())
    }
}

/// Whether a list contains this token. Case-insensitive.
pub(crate) fn has_token(headers: &HeaderMap, name: HeaderName, token: &str) -> bool {
    let is_token = |element: &[u8]| element == token.as_bytes() || element.eq_ignore_ascii_case(token.as_bytes());
    // Usually the token is the whole line. Without `Lines`, because this runs for every request.
    let lines = headers.get_all(name).into_iter();
    lines.map(HeaderValue::as_bytes).any(|line| is_token(line) || split(line).any(is_token))
}

/// The elements of one line, including empty ones.
fn split(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|byte| *byte == b',').map(<[u8]>::trim_ascii)
}

/// A header that must not be repeated is repeated.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Repeated;

/// Whether this is a token (RFC 9110 §5.6.2).
pub(crate) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
}

#[cfg(test)]
mod tests {
    use http::header::CONNECTION;

    use super::*;
    use crate::handshake::fixture::parts;

    #[test]
    fn finds_a_token_in_lists_over_all_lines() {
        for (lines, found) in [
            ("Connection: Upgrade", true),
            ("Connection: keep-alive, Upgrade", true),
            ("Connection: keep-alive\nConnection: Upgrade", true),
            ("Connection: UPGRADE,close", true),
            ("Connection: , ,\tupgrade\t, ,", true),
            ("Connection: upgradex", false),
            ("Connection: xupgrade", false),
            ("Connection: keep-alive upgrade", false),
            ("Connection: up,grade", false),
            ("Connection: upgrade\u{e9}", false),
            ("Connection: ,", false),
            ("Connection:", false),
            ("Upgrade: upgrade", false),
        ] {
            let parts = parts(&format!("GET / HTTP/1.1\n{lines}"));
            assert_eq!(has_token(&parts.headers, CONNECTION, "upgrade"), found, "{lines}");
        }
    }

    #[test]
    fn reads_a_header_that_may_stand_once() {
        for (lines, value) in [
            ("", Ok(None)),
            ("Connection:", Ok(Some(""))),
            ("Connection: a", Ok(Some("a"))),
            ("Connection: a\nConnection: a", Err(Repeated)),
        ] {
            let parts = parts(&format!("GET / HTTP/1.1\n{lines}"));
            let read =
                Lines::of(&parts.headers, CONNECTION).single().map(|line| line.map(|line| line.to_str().unwrap()));
            assert_eq!(read, value, "{lines}");
        }
    }

    #[test]
    fn knows_a_token() {
        for (text, token) in [("chat.v1", true), ("csrf.a~b!|", true), ("", false), ("a b", false), ("a/b", false)] {
            assert_eq!(is_token(text.as_bytes()), token, "{text}");
        }
        assert!(!is_token("é".as_bytes()));
    }
}
