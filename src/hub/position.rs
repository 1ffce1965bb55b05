//! The position of a publication in its topic.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, ErrorKind};

/// The position of a publication in its topic. A client that reconnects sends the last one that it has seen, and gets what
/// it has missed.
///
/// It consists of an epoch and of an offset, which counts up within the epoch. A topic has a new epoch after a restart of
/// the server, and after it was dropped in between, so that old positions are recognised.
///
/// It can be sent as text:
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
/// It is safe to accept any position from a client: an invented one results in [`Recovered::Gap`](crate::Recovered::Gap),
/// or in publications that the topic keeps for its members.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Position {
    epoch: u64,
    offset: u64,
}

impl Position {
    pub(super) fn new(epoch: u64, offset: u64) -> Self {
        Self { epoch, offset }
    }

    /// Whether it is later than the other one. Positions of different epochs are comparable with a broker only: there, later
    /// epochs have larger numbers.
    pub(super) fn is_later(self, than: Self) -> bool {
        (self.epoch, self.offset) > (than.epoch, than.offset)
    }

    /// The epoch, within which offsets count up.
    #[must_use]
    pub fn epoch(self) -> u64 {
        self.epoch
    }

    /// The number of the publication in its epoch. Zero is before the first.
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

/// Parses what [`Display`](fmt::Display) writes. For other texts, the error's kind is [`ErrorKind::Decode`].
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

    #[cfg(feature = "json")]
    #[test]
    fn json_has_it_as_a_string() {
        let position = Position::new(0xab, 12);
        let json = serde_json::to_string(&position).unwrap();
        assert_eq!(json, r#""ab-12""#);
        assert_eq!(serde_json::from_str::<Position>(&json).unwrap(), position);
        assert!(serde_json::from_str::<Position>(r#""ab""#).is_err());
    }

    #[test]
    fn parses_what_display_writes_and_nothing_else() {
        for position in [Position::new(0, 0), Position::new(u64::MAX, u64::MAX), Position::new(0xab, 12)] {
            assert_eq!(position.to_string().parse::<Position>().unwrap(), position);
        }
        for text in ["", "-", "1-", "-1", "1", "1-2-3", "+1-2", "1-+2", " 1-2", "g-1", "1-a", "10000000000000000-1"] {
            assert_eq!(text.parse::<Position>().unwrap_err().kind(), ErrorKind::Decode, "{text}");
        }
    }
}
