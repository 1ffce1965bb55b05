//! The grammar of `Sec-WebSocket-Extensions` (RFC 6455 §9.1).

use std::borrow::Cow;

use super::headers::{Lines, is_token};

/// One element of the list: a name, and its parameters in the order of the header.
#[derive(Debug, PartialEq)]
pub(crate) struct Extension<'a> {
    pub(crate) name: &'a str,
    pub(crate) params: Vec<Param<'a>>,
}

#[derive(Debug, PartialEq)]
pub(crate) struct Param<'a> {
    pub(crate) name: &'a str,
    /// Without its quotes.
    pub(crate) value: Option<Cow<'a, str>>,
}

/// The list does not match the grammar.
#[derive(Debug, PartialEq)]
pub(crate) struct Malformed;

/// All elements of all header lines in order. Parsing of a line ends at its first malformed element.
///
/// An empty list is not an error here: proxies send an empty header to turn compression off (RFC 9110 §5.6.1 allows empty
/// elements).
pub(crate) fn extensions<'a>(lines: &Lines<'a>) -> impl Iterator<Item = Result<Extension<'a>, Malformed>> + use<'a> {
    lines.iter().flat_map(|line| Elements { rest: line })
}

struct Elements<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Elements<'a> {
    type Item = Result<Extension<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        self.skip(|byte| is_space(byte) || byte == b',');
        if self.rest.is_empty() {
            return None;
        }
        let extension = self.extension().filter(|_| matches!(self.rest.first(), None | Some(b',')));
        if extension.is_none() {
            self.rest = &[];
        }
        Some(extension.ok_or(Malformed))
    }
}

impl<'a> Elements<'a> {
    fn extension(&mut self) -> Option<Extension<'a>> {
        let name = self.token()?;
        let mut params = Vec::new();
        while self.eat(b';') {
            let name = self.token()?;
            let value = if self.eat(b'=') { Some(self.value()?) } else { None };
            params.push(Param { name, value });
        }
        Some(Extension { name, params })
    }

    fn value(&mut self) -> Option<Cow<'a, str>> {
        self.skip(is_space);
        if !self.eat(b'"') {
            return self.token().map(Cow::Borrowed);
        }
        let mut value = String::new();
        loop {
            match self.byte()? {
                b'"' => break,
                b'\\' => value.push(self.byte()?.into()),
                byte => value.push(byte.into()),
            }
        }
        self.skip(is_space);
        // RFC 6455 §9.1: a quoted value must be a token, too.
        is_token(value.as_bytes()).then_some(Cow::Owned(value))
    }

    fn token(&mut self) -> Option<&'a str> {
        self.skip(is_space);
        let end = self.rest.iter().position(|&byte| !is_token(&[byte])).unwrap_or(self.rest.len());
        let (token, rest) = self.rest.split_at(end);
        self.rest = rest;
        self.skip(is_space);
        std::str::from_utf8(token).ok().filter(|token| !token.is_empty())
    }

    fn byte(&mut self) -> Option<u8> {
        let (&byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(byte)
    }

    fn eat(&mut self, byte: u8) -> bool {
        let rest = self.rest.strip_prefix(&[byte]);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn skip(&mut self, skipped: impl Fn(u8) -> bool) {
        let start = self.rest.iter().position(|&byte| !skipped(byte)).unwrap_or(self.rest.len());
        self.rest = &self.rest[start..];
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

#[cfg(test)]
mod tests {
    use http::header::{HeaderMap, HeaderValue, SEC_WEBSOCKET_EXTENSIONS};
    use proptest::prelude::*;

    use super::*;

    fn read(lines: &[&[u8]]) -> Vec<String> {
        let lines = lines.iter().map(|line| (SEC_WEBSOCKET_EXTENSIONS, HeaderValue::from_bytes(line).unwrap()));
        let headers: HeaderMap = lines.collect();
        let show = |extension: Extension<'_>| {
            let params = extension.params.iter().map(|param| match &param.value {
                Some(value) => format!(";{}={value}", param.name),
                None => format!(";{}", param.name),
            });
            extension.name.to_owned() + &params.collect::<String>()
        };
        extensions(&Lines::of(&headers, SEC_WEBSOCKET_EXTENSIONS))
            .map(|element| element.map_or("?".to_owned(), show))
            .collect()
    }

    #[test]
    fn reads_lists_over_many_lines() {
        let cases: &[(&[&[u8]], &[&str])] = &[
            (&[], &[]),
            (&[b""], &[]),
            (&[b" , ,\t"], &[]),
            (&[b"a"], &["a"]),
            (&[b"a,b", b"c"], &["a", "b", "c"]),
            (&[b" a ; p ; q = 1 ,, b;r=\"2\" "], &["a;p;q=1", "b;r=2"]),
            (&[b"a;p=\"\\1\\0\""], &["a;p=10"]),
            (&[b"a;p;p=1"], &["a;p;p=1"]),
        ];
        for (lines, elements) in cases {
            assert_eq!(read(lines), *elements);
        }
    }

    #[test]
    fn a_malformed_element_is_the_last_of_its_line() {
        for line in [
            &b";"[..],
            b"=",
            b"a b",
            b"a;",
            b"a;;p",
            b"a;=1",
            b"a;p=",
            b"a;p==1",
            b"a;p=\"\"",
            b"a;p=\"1 2\"",
            b"a;p=\"1",
            b"a;p=\"1\\",
            b"a;p=\"1\"2",
            b"a;p=\xff",
            b"a;p=\"\xc3\xa4\"",
            b"\xc3\xa4",
            b"a/b",
        ] {
            let mut followed = line.to_vec();
            followed.extend_from_slice(b" , ok");
            assert_eq!(read(&[line]), ["?"], "{}", line.escape_ascii());
            assert_eq!(read(&[&followed]), ["?"], "{}", line.escape_ascii());
            assert_eq!(read(&[line, b"ok"]), ["?", "ok"], "{}", line.escape_ascii());
        }
        assert_eq!(read(&[b"ok, a;p=\"1,no\", b"]), ["ok", "?"]);
    }

    proptest! {
        #[test]
        fn any_value_is_read_without_panic(line in "[a-c;=,\"\\\\ \t\u{80}-\u{ff}]{0,40}") {
            read(&[line.as_bytes()]);
        }
    }
}
