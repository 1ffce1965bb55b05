//! What travels over a WebSocket: text and binary messages.

use std::fmt;
use std::ops::Deref;

use bytes::Bytes;
use faststr::FastStr;

/// A whole data message (RFC 6455 §5.6). Cloning copies no payload.
///
/// There are two kinds and there will be no third without a new RFC, so this enum can be matched exhaustively.
///
/// ```
/// use tower_websocket::Message;
///
/// let message = Message::text("hello");
/// assert_eq!(message.as_text(), Some("hello"));
/// assert_eq!(message.as_bytes(), b"hello");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Any bytes.
    Binary(Bytes),
    /// Text, which is UTF-8.
    Text(Text),
}

impl Message {
    /// A text message.
    pub fn text(text: impl Into<Text>) -> Self {
        Self::Text(text.into())
    }

    /// A binary message.
    pub fn binary(bytes: impl Into<Bytes>) -> Self {
        Self::Binary(bytes.into())
    }

    /// Whether it is text or binary.
    #[must_use]
    pub fn kind(&self) -> MessageKind {
        match self {
            Self::Binary(_) => MessageKind::Binary,
            Self::Text(_) => MessageKind::Text,
        }
    }

    /// The payload in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.as_bytes().len()
    }

    /// Whether the payload is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The payload, of either kind.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Binary(bytes) => bytes,
            Self::Text(text) => text.as_bytes(),
        }
    }

    /// The payload of either kind. Of texts, only those below 16 KiB may be copied.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        match self {
            Self::Binary(bytes) => bytes,
            Self::Text(text) => text.into(),
        }
    }

    /// The text of a text message.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Binary(_) => None,
            Self::Text(text) => Some(text),
        }
    }
}

impl From<&'static str> for Message {
    fn from(text: &'static str) -> Self {
        Self::text(text)
    }
}

impl From<String> for Message {
    fn from(text: String) -> Self {
        Self::text(text)
    }
}

impl From<Text> for Message {
    fn from(text: Text) -> Self {
        Self::Text(text)
    }
}

impl From<Bytes> for Message {
    fn from(bytes: Bytes) -> Self {
        Self::Binary(bytes)
    }
}

impl From<Vec<u8>> for Message {
    fn from(bytes: Vec<u8>) -> Self {
        Self::binary(bytes)
    }
}

/// The kind of a message (RFC 6455 §5.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MessageKind {
    /// Any bytes.
    Binary,
    /// UTF-8.
    Text,
}

/// The text of a message: UTF-8 in shared memory, so that cloning copies nothing but the shortest texts.
#[derive(Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Text(FastStr);

impl Text {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Copies a text that was just checked: the one copy out of the buffer it was received in.
    #[inline]
    pub(crate) fn copied(text: &str) -> Self {
        Self(if (SHORT..LONG).contains(&text.len()) {
            // One allocation. `new` makes two, so that the text can become bytes without another copy.
            FastStr::from_arc_str(text.into())
        } else {
            FastStr::new(text)
        })
    }

    /// Checks owned bytes without copying them.
    pub(crate) fn from_utf8(bytes: Bytes) -> Option<Self> {
        FastStr::from_bytes(bytes).ok().map(Self)
    }
}

/// A shorter text lies within its `FastStr`.
const SHORT: usize = 31;
/// From here on a copy costs more than an allocation, so that `into_bytes` makes none.
const LONG: usize = 16 * 1024;

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for Text {
    fn as_ref(&self) -> &str {
        self
    }
}

impl AsRef<[u8]> for Text {
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl From<&'static str> for Text {
    fn from(text: &'static str) -> Self {
        Self(FastStr::from_static_str(text))
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(FastStr::from_string(text))
    }
}

impl From<Text> for Bytes {
    fn from(text: Text) -> Self {
        text.0.into_bytes()
    }
}

impl From<Text> for String {
    fn from(text: Text) -> Self {
        text.as_str().to_owned()
    }
}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.as_str(), f)
    }
}
