//! Lists in settings, which are parsed when they are set.

use std::sync::Arc;

use crate::error::{Error, ErrorKind};

/// Parses every text of a list. The error names the first that is not valid, and `what` it should be.
pub(super) fn parse_all<S: AsRef<str>, T>(
    texts: impl IntoIterator<Item = S>,
    what: &str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Arc<[T]>, Error> {
    let parse = |text: S| parse(text.as_ref()).ok_or_else(|| invalid(format!("{:?} is not {what}", text.as_ref())));
    texts.into_iter().map(parse).collect()
}

/// As [`parse_all`], but an empty list is an error, too: it would forbid everything.
pub(super) fn parse_some<S: AsRef<str>, T>(
    texts: impl IntoIterator<Item = S>,
    what: &str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Arc<[T]>, Error> {
    let parsed = parse_all(texts, what, parse)?;
    if parsed.is_empty() { Err(invalid(format!("the list is empty and should name {what}"))) } else { Ok(parsed) }
}

fn invalid(reason: String) -> Error {
    Error::with_source(ErrorKind::InvalidSetting, reason)
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    #[test]
    fn says_which_text_is_wrong() {
        let number = |text: &str| text.parse::<u8>().ok();
        assert_eq!(*parse_some(["1", "2"], "a number", number).unwrap(), [1, 2]);
        for (error, reason) in [
            (parse_all(["1", "x\n"], "a number", number).unwrap_err(), "\"x\\n\" is not a number"),
            (parse_some([""; 0], "a number", number).unwrap_err(), "the list is empty and should name a number"),
        ] {
            assert_eq!(error.kind(), ErrorKind::InvalidSetting);
            assert_eq!(error.source().unwrap().to_string(), reason);
        }
    }
}
