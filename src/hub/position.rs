//! Where a publication stands in its topic.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, ErrorKind};

/// Where a publication stands in the order of its topic: for a client that comes back and wants what it has missed.
///
/// It consists of the topic's epoch, which says which run of offsets this is, and of an offset, which counts up. A position
/// from before a restart of the server, or of a topic that was forgotten in between, has another epoch, and is seen to be
/// of no use any more.
///
/// As text it can be kept by a browser:
///
/// ```
/// use tower_websocket::{ErrorKind, Position};
///
/// let position: Position = "5e1f00c0ffee-57".parse()?;
/// assert_eq!(position.to_string(), "5e1f00c0ffee-57");
/// assert_eq!("57".parse::<Position>().unwrap_err().kind(), ErrorKind::Decode);
/// # Ok::<(), tower_websocket::Error>(())
/// ```
///
/// A client may send any position: one that it made up gets it nothing but
/// [`Recovered::Gap`](crate::Recovered::Gap), or publications that the topic keeps for its members anyway.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Position {
    epoch: u64,
    offset: u64,
}

impl Position {
    pub(super) fn new(epoch: u64, offset: u64) -> Self {
        Self { epoch, offset }
    }

    /// Which run of offsets this belongs to.
    #[must_use]
    pub fn epoch(self) -> u64 {
        self.epoch
    }

    /// The number of the publication: later ones have larger numbers. Zero is before the first.
    #[must_use]
    pub fn offset(self) -> u64 {
        self.offset
    }
}

/// The epoch in hexadecimal digits, a hyphen, and the offset in decimal ones.
impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}-{}", self.epoch, self.offset)
    }
}

/// What [`Display`](fmt::Display) writes. Anything else is an error of the kind [`ErrorKind::Decode`].
impl FromStr for Position {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let parse = || {
            let (epoch, offset) = text.split_once('-')?;
            let is_plain = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_hexdigit());
            if !is_plain(epoch) || !is_plain(offset) {
                return None;
            }
            Some(Self { epoch: u64::from_str_radix(epoch, 16).ok()?, offset: offset.parse().ok()? })
        };
        parse().ok_or_else(|| Error::with_source(ErrorKind::Decode, "a position is an epoch, a hyphen and an offset"))
    }
}

#[cfg(feature = "json")]
#[cfg_attr(docsrs, doc(cfg(feature = "json")))]
impl serde::Serialize for Position {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(feature = "json")]
#[cfg_attr(docsrs, doc(cfg(feature = "json")))]
impl<'de> serde::Deserialize<'de> for Position {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_nothing_else() {
        for position in [Position::new(0, 0), Position::new(u64::MAX, u64::MAX), Position::new(0xab, 12)] {
            assert_eq!(position.to_string().parse::<Position>().unwrap(), position);
        }
        for text in ["", "-", "1-", "-1", "1", "1-2-3", "+1-2", "1-+2", " 1-2", "g-1", "1-a", "10000000000000000-1"] {
            assert_eq!(text.parse::<Position>().unwrap_err().kind(), ErrorKind::Decode, "{text}");
        }
    }
}
