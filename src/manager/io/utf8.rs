//! Joins text that is split anywhere, so that each message ends after a whole character.

use std::fmt;
use std::io;

/// The incomplete character at the end of the bytes so far.
#[derive(Debug, Default)]
pub(super) struct Utf8Tail {
    bytes: [u8; 3],
    len: usize,
}

impl Utf8Tail {
    /// Returns the text up to the last whole character of the chunk; the rest is stored for the next call. On an error nothing
    /// changes.
    pub(super) fn join(&mut self, chunk: &[u8]) -> Result<String, NotUtf8> {
        let mut first = [0; 4];
        first[..self.len].copy_from_slice(&self.bytes[..self.len]);
        let missing = (char_len(first[0]).saturating_sub(self.len)).min(chunk.len());
        let (more, chunk) = chunk.split_at(missing);
        first[self.len..self.len + missing].copy_from_slice(more);
        let (first, begun) = split(&first[..self.len + missing])?;
        // If the first character is still incomplete, it has used up the whole chunk.
        let (text, tail) = if begun.is_empty() { split(chunk)? } else { ("", begun) };
        let joined = [first, text].concat();
        self.bytes[..tail.len()].copy_from_slice(tail);
        self.len = tail.len();
        Ok(joined)
    }

    /// Checks that the text may end here: that no character is incomplete.
    pub(super) fn finish(&self) -> Result<(), NotUtf8> {
        if self.len == 0 { Ok(()) } else { Err(NotUtf8) }
    }
}

/// Splits into whole characters, and the incomplete one at the end.
fn split(bytes: &[u8]) -> Result<(&str, &[u8]), NotUtf8> {
    let error = match simdutf8::compat::from_utf8(bytes) {
        Ok(text) => return Ok((text, &[])),
        Err(error) => error,
    };
    if error.error_len().is_some() {
        return Err(NotUtf8);
    }
    let (whole, begun) = bytes.split_at(error.valid_up_to());
    simdutf8::basic::from_utf8(whole).map(|text| (text, begun)).map_err(|_| NotUtf8)
}

/// The length of the character that begins with this byte, which must be the first of a valid character of several bytes. 0 for
/// others.
fn char_len(first: u8) -> usize {
    match first {
        0xF0.. => 4,
        0xE0.. => 3,
        0xC0.. => 2,
        _ => 0,
    }
}

/// Bytes that should be text are not UTF-8.
#[derive(Debug, PartialEq)]
pub(super) struct NotUtf8;

impl fmt::Display for NotUtf8 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text is not UTF-8")
    }
}

impl std::error::Error for NotUtf8 {}

impl From<NotUtf8> for io::Error {
    fn from(error: NotUtf8) -> Self {
        Self::new(io::ErrorKind::InvalidData, error)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_character_waits_until_it_is_whole() {
        for (chunks, texts) in [
            (&[&b"abc"[..], b"", b"d"][..], &["abc", "", "d"][..]),
            (&[b"gr\xC3", b"\xBCn"], &["gr", "ün"]),
            (&[b"\xE2", b"\x82", b"\xAC"], &["", "", "€"]),
            (&[b"\xF0\x9F\xA6\x80\xF0", b"\x9F\xA6", b"", b"\x80!\xE2\x82"], &["🦀", "", "", "🦀!"]),
        ] {
            let mut tail = Utf8Tail::default();
            let joined: Vec<_> = chunks.iter().map(|chunk| tail.join(chunk).unwrap()).collect();
            assert_eq!(joined, texts);
        }
    }

    #[test]
    fn what_is_not_utf8_takes_nothing() {
        for wrong in [&b"\xFF"[..], b"\xC0\x80", b"\xE0\x80", b"\xED\xA0", b"\xF4\x90", b"ok\x80"] {
            for begun in [&b""[..], b"\xE2", b"\xE2\x82"] {
                let mut tail = Utf8Tail::default();
                tail.join(begun).unwrap();
                assert_eq!(tail.join(wrong), Err(NotUtf8), "{begun:x?} {wrong:x?}");
                assert_eq!(tail.finish().is_ok(), begun.is_empty());
                assert_eq!(tail.join(&"€".as_bytes()[begun.len()..]).unwrap(), "€");
                assert_eq!(tail.finish(), Ok(()));
            }
        }
    }

    proptest! {
        #[test]
        fn any_split_of_a_text_gives_the_text(text in any::<String>(), sizes in prop::collection::vec(0..6_usize, 1..40)) {
            let mut tail = Utf8Tail::default();
            let mut joined = String::new();
            let mut rest = text.as_bytes();
            for size in sizes.into_iter().chain([usize::MAX]) {
                let (chunk, more) = rest.split_at(size.min(rest.len()));
                joined.push_str(&tail.join(chunk).unwrap());
                rest = more;
            }
            prop_assert_eq!(joined, text);
            prop_assert_eq!(tail.finish(), Ok(()));
        }

        #[test]
        fn any_bytes_are_text_or_refused(chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..5), 0..8)) {
            let mut tail = Utf8Tail::default();
            let joined: Result<String, _> = chunks.iter().map(|chunk| tail.join(chunk)).collect();
            let joined = joined.and_then(|text| tail.finish().map(|()| text)).ok();
            prop_assert_eq!(joined, String::from_utf8(chunks.concat()).ok());
        }
    }
}
