//! Splits bytes into lines.

use memchr::memchr;

use super::copy::{Cut, Splitter};

/// A piece is a line with its line ending, which is not sent.
#[derive(Debug, Default)]
pub(super) struct LineSplitter;

impl Splitter for LineSplitter {
    fn cut(&mut self, new: &[u8]) -> Option<Cut> {
        memchr(b'\n', new).map(|at| Cut::Piece(at + 1))
    }

    fn content(piece: &[u8]) -> &[u8] {
        match piece.strip_suffix(b"\n") {
            Some(line) => line.strip_suffix(b"\r").unwrap_or(line),
            None => piece,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_sent_without_its_ending() {
        for (piece, line) in [
            ("a\n", "a"),
            ("a\r\n", "a"),
            ("\n", ""),
            ("\r\n", ""),
            ("a\r\r\n", "a\r"),
            // The end of the source is no line ending.
            ("a", "a"),
            ("a\r", "a\r"),
        ] {
            assert_eq!(LineSplitter::content(piece.as_bytes()), line.as_bytes(), "{piece:?}");
        }
    }
}
