//! Splits bytes into JSON values (RFC 8259), in one pass over the bytes.

use memchr::memchr2;
use serde::de::IgnoredAny;

use super::copy::{Cut, Splitter};
use crate::error::BoxError;

/// A piece is a JSON value, a gap is whitespace between two values, which is optional.
///
/// This only finds the end of a value; serde_json then checks the whole value. A byte that cannot begin a value is a piece, which
/// the check refuses.
#[derive(Debug, Default)]
pub(super) enum JsonSplitter {
    /// Between two values.
    #[default]
    Between,
    /// In a number or a literal, which ends before whitespace, or before another kind of value.
    Scalar,
    /// In a string, within `depth` arrays and objects. With depth 0, the string is the whole value.
    String { depth: usize, escaped: bool },
    /// In `depth` arrays and objects.
    Nested { depth: usize },
}

impl Splitter for JsonSplitter {
    fn cut(&mut self, new: &[u8]) -> Option<Cut> {
        let mut at = 0;
        while at < new.len() {
            let byte = new[at];
            match *self {
                Self::Between => match byte {
                    b' ' | b'\t' | b'\n' | b'\r' => return Some(Cut::Gap(whitespace(new))),
                    b'{' | b'[' => *self = Self::Nested { depth: 1 },
                    b'"' => *self = Self::String { depth: 0, escaped: false },
                    b'}' | b']' | b',' | b':' => return Some(Cut::Piece(1)),
                    _ => *self = Self::Scalar,
                },
                Self::Scalar => {
                    if ends_scalar(byte) {
                        *self = Self::Between;
                        return Some(Cut::Piece(at));
                    }
                }
                Self::String { depth, escaped: true } => *self = Self::String { depth, escaped: false },
                Self::String { depth, escaped: false } => {
                    at += memchr2(b'"', b'\\', &new[at..])?;
                    match (new[at], depth) {
                        (b'\\', _) => *self = Self::String { depth, escaped: true },
                        (_, 0) => return self.end(at),
                        _ => *self = Self::Nested { depth },
                    }
                }
                Self::Nested { depth } => match byte {
                    b'"' => *self = Self::String { depth, escaped: false },
                    b'{' | b'[' => *self = Self::Nested { depth: depth + 1 },
                    b'}' | b']' if depth == 1 => return self.end(at),
                    b'}' | b']' => *self = Self::Nested { depth: depth - 1 },
                    _ => {}
                },
            }
            at += 1;
        }
        None
    }

    fn check(value: &str) -> Result<(), BoxError> {
        // serde_json skips ignored values without recursion, so that no depth overflows the stack.
        serde_json::from_str::<IgnoredAny>(value)?;
        Ok(())
    }
}

impl JsonSplitter {
    /// Ends the value after the byte at this index.
    fn end(&mut self, at: usize) -> Option<Cut> {
        *self = Self::Between;
        Some(Cut::Piece(at + 1))
    }
}

fn whitespace(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count()
}

/// The same bytes as for `serde_json::StreamDeserializer`.
fn ends_scalar(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b'{' | b'}' | b'[' | b']' | b'"' | b',' | b':')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The pieces of a source that is read in chunks, and the rest.
    fn split(input: &[u8], mut sizes: impl Iterator<Item = usize>) -> (Vec<&[u8]>, &[u8]) {
        let mut splitter = JsonSplitter::default();
        let (mut pieces, mut start, mut seen, mut read) = (Vec::new(), 0, 0, 0);
        while read < input.len() {
            read = input.len().min(read + sizes.next().unwrap_or(usize::MAX - read).max(1));
            while let Some(cut) = splitter.cut(&input[seen..read]) {
                match cut {
                    Cut::Gap(len) => start = seen + len,
                    Cut::Piece(len) => {
                        pieces.push(&input[start..seen + len]);
                        start = seen + len;
                    }
                }
                seen = start;
            }
            seen = read;
        }
        (pieces, &input[start..])
    }

    #[test]
    fn values_end_where_they_end() {
        for (input, pieces, rest) in [
            ("", &[][..], ""),
            (" \n\t\r ", &[], ""),
            ("{}", &["{}"], ""),
            (" {} [] ", &["{}", "[]"], ""),
            ("{}[]\"\"{}", &["{}", "[]", "\"\"", "{}"], ""),
            (r#"{"a":[1,{"b":"}]"}]}[2]"#, &[r#"{"a":[1,{"b":"}]"}]}"#, "[2]"], ""),
            (r#""\"" "\\" "\\\"x" "#, &[r#""\"""#, r#""\\""#, r#""\\\"x""#], ""),
            (r#"["\""]["\\"]"#, &[r#"["\""]"#, r#"["\\"]"#], ""),
            ("1 -2.5e3 true null", &["1", "-2.5e3", "true"], "null"),
            ("1[2]3{}4\"5\"6", &["1", "[2]", "3", "{}", "4", "\"5\""], "6"),
            ("1,2", &["1", ","], "2"),
            ("] }", &["]", "}"], ""),
            ("{\"a\":", &[], "{\"a\":"),
            (r#""\""#, &[], r#""\""#),
        ] {
            let (found, left) = split(input.as_bytes(), [].into_iter());
            let pieces: Vec<_> = pieces.iter().map(|piece| piece.as_bytes()).collect();
            assert_eq!((found, left), (pieces, rest.as_bytes()), "{input}");
        }
    }

    #[test]
    fn only_json_may_be_sent() {
        let deep = "[".repeat(200_000) + &"]".repeat(200_000);
        for good in ["{}", "[1,2]", "\"\\u00e4\"", "-0.5E+7", "null", &deep] {
            assert!(JsonSplitter::check(good).is_ok());
        }
        for bad in ["", "]", "{]", "{a:1}", "[1,]", "01", "nul", "\"\n\"", "\"\\x\"", "{\"a\":"] {
            assert!(JsonSplitter::check(bad).is_err(), "{bad}");
        }
    }

    /// JSON values, whitespace, and things that are neither, in any order.
    fn soup() -> impl Strategy<Value = String> {
        const WORDS: &[&str] = &[
            "{",
            "}",
            "[",
            "]",
            "\"",
            "\\",
            ",",
            ":",
            " ",
            "\n",
            "1",
            "-2.5e3",
            "true",
            "null",
            "x",
            "ä",
            "{}",
            "[[]]",
            "\"a\\\"b\"",
            "{\"key\":[1,\"}\"]}",
            "\\u00e4",
        ];
        prop::collection::vec(prop::sample::select(WORDS), 0..40).prop_map(|words| words.concat())
    }

    proptest! {
        #[test]
        fn any_split_of_the_input_gives_the_same_values(
            input in soup(),
            sizes in prop::collection::vec(1..5_usize, 0..200),
        ) {
            prop_assert_eq!(split(input.as_bytes(), sizes.into_iter()), split(input.as_bytes(), [].into_iter()));
        }

        #[test]
        fn values_are_those_that_serde_json_finds(input in soup()) {
            let mut stream = serde_json::Deserializer::from_str(&input).into_iter::<IgnoredAny>();
            let mut start = 0;
            let mut expected = Vec::new();
            while let Some(Ok(_)) = stream.next() {
                expected.push(input[start..stream.byte_offset()].trim_ascii().as_bytes());
                start = stream.byte_offset();
            }
            let (mut pieces, rest) = split(input.as_bytes(), [].into_iter());
            pieces.push(rest);
            let good = pieces.iter().take_while(|piece| JsonSplitter::check(str::from_utf8(piece).unwrap()).is_ok());
            prop_assert_eq!(good.copied().collect::<Vec<_>>(), expected);
        }
    }
}
