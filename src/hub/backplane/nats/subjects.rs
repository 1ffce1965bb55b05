//! What the stream and its subjects are called.

use std::fmt::Write;

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

    /// Where those of a topic are kept.
    pub(super) fn log(&self, topic: &str) -> String {
        format!("{}.log.{}", self.prefix, token(topic))
    }

    /// Where those of all topics are told.
    pub(super) fn all_live(&self) -> String {
        format!("{}.live.{{{{wildcard(1)}}}}", self.prefix)
    }

    /// Where those of a topic are told.
    pub(super) fn live(&self, topic: &str) -> String {
        format!("{}.live.{}", self.prefix, token(topic))
    }

    /// Where it is told that the stream has a new epoch.
    pub(super) fn epoch(&self) -> String {
        format!("{}.epoch", self.prefix)
    }
}

/// The name as one token of a subject: what is not a letter or digit of ASCII, a hyphen or an underscore is `=` and its bytes in
/// hexadecimal digits. The empty name is `=`.
fn token(name: &str) -> String {
    let mut token = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_' {
            token.push(byte.into());
        } else {
            let _ = write!(token, "={byte:02x}");
        }
    }
    if token.is_empty() { "=".to_owned() } else { token }
}

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
    }
}
