//! An error with all its causes.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::iter::successors;
use std::sync::Arc;

use crate::close::CloseFrame;
use crate::error::Error;
use crate::log_text::{OneLine, shortened};

/// The error, then each cause. Includes the error in an [`io::Error`], an `Arc` or a `Box`, which their `source()` skips.
pub(crate) fn causes<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    successors(Some(error), |&error| contained(error).or_else(|| error.source()))
}

fn contained<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a (dyn StdError + 'static)> {
    if let Some(error) = error.downcast_ref::<io::Error>() {
        return error.get_ref().map(|error| error as _);
    }
    if let Some(error) = error.downcast_ref::<Arc<dyn StdError + Send + Sync>>() {
        return Some(&**error);
    }
    within::<CloseFrame>(error).or_else(|| within::<Error>(error)).or_else(|| within::<io::Error>(error))
}

fn within<'a, T: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a (dyn StdError + 'static)> {
    let boxed = error.downcast_ref::<Box<T>>().map(|error| &**error as _);
    boxed.or_else(|| error.downcast_ref::<Arc<T>>().map(|error| &**error as _))
}

/// Displays an error with all its causes, in one line of bounded length: some errors, such as serde's, contain data from the peer.
pub(crate) struct Causes<'a>(pub(crate) &'a (dyn StdError + 'static));

impl fmt::Display for Causes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut last = String::new();
        for (number, cause) in causes(self.0).enumerate() {
            let text = cause.to_string();
            // Many errors repeat the text of their cause, and transparent ones are equal to it.
            if number > 0 && last.ends_with(&text) {
                continue;
            }
            write!(f, "{}{}", if number > 0 { ": " } else { "" }, OneLine(shortened(&text, LONGEST_CAUSE)))?;
            last = text;
        }
        Ok(())
    }
}

/// The maximum number of characters of one cause.
const LONGEST_CAUSE: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    fn shown(error: &(dyn StdError + 'static)) -> String {
        Causes(error).to_string()
    }

    #[test]
    fn every_cause_is_shown_once() {
        let decode = Error::with_source(ErrorKind::Decode, "true".parse::<u8>().unwrap_err());
        let text = "could not decode message: invalid digit found in string";
        assert_eq!(shown(&decode), text);
        assert_eq!(shown(&io::Error::from(decode.clone())), text);
        assert_eq!(shown(&Arc::new(decode.clone())), text);
        assert_eq!(shown(&Error::with_source(ErrorKind::Source, decode)), format!("source of data failed: {text}"));
    }

    #[test]
    fn text_of_a_peer_stays_in_its_log_line() {
        let error = io::Error::other("a\r\nERROR forged");
        assert_eq!(shown(&error), "a\\r\\nERROR forged");
    }

    #[test]
    fn what_a_peer_says_is_cut() {
        let error = Error::with_source(ErrorKind::Decode, "x".repeat(5000));
        let text = shown(&error);
        assert!(text.starts_with("could not decode message: xxx") && text.ends_with("x.."), "{text}");
        assert_eq!(text.len(), "could not decode message: ".len() + LONGEST_CAUSE + 2);
    }
}
