//! The names of the stream and its subjects.

use std::fmt::Write;

use sha1::{Digest, Sha1};

#[derive(Clone, Debug)]
pub(super) struct Subjects {
    /// The stream's name.
    pub(super) prefix: String,
}

impl Subjects {
    pub(super) fn new(prefix: &str) -> Self {
        Self { prefix: token(prefix) }
    }

    /// Where the publications of all topics are kept.
    pub(super) fn logs(&self) -> String {
        format!("{}.log.*", self.prefix)
    }

    /// Where the publications of a topic are kept.
    pub(super) fn log(&self, topic: &str) -> String {
        format!("{}.log.{}", self.prefix, token(topic))
    }

    /// Where the stream republishes those of all topics.
    pub(super) fn all_live(&self) -> String {
        format!("{}.live.{{{{wildcard(1)}}}}", self.prefix)
    }

    /// Where the stream republishes those of a topic.
    pub(super) fn live(&self, topic: &str) -> String {
        format!("{}.live.{}", self.prefix, token(topic))
    }

    /// Where servers announce a new epoch of the stream.
    pub(super) fn epoch(&self) -> String {
        format!("{}.epoch", self.prefix)
    }
}

/// Escapes a name as one token of a subject: each byte other than ASCII letters, digits, hyphens and underscores becomes `=` and
/// two hexadecimal digits. The empty name becomes `=`, and a name that is too long for a server becomes `=-` and its SHA-1.
fn token(name: &str) -> String {
    let mut token = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_' {
            token.push(byte.into());
        } else {
            let _ = write!(token, "={byte:02x}");
        }
    }
    match token.len() {
        0 => "=".to_owned(),
        1..=LONGEST => token,
        _ => Sha1::digest(name).iter().fold("=-".to_owned(), |token, byte| token + &format!("{byte:02x}")),
    }
}

/// In bytes. Servers accept lines of up to 4 KiB, which can contain a subject more than once.
const LONGEST: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_has_a_token_of_its_own() {
        for (name, expected) in [
            ("prices", "prices"),
            ("a.b", "a=2eb"),
            ("", "="),
            ("ü *>", "=c3=bc=20=2a=3e"),
            ("=", "=3d"),
            ("a-_Z9", "a-_Z9"),
        ] {
            assert_eq!(token(name), expected);
        }
        let long = "x".repeat(LONGEST);
        assert_eq!(token(&long), long);
        assert_eq!(token(&format!("{long}x")), "=-0796067748b6b0c2af864656a399f7722ef9283a");
    }
}
