//! What travels over a WebSocket: text and binary messages.

use std::borrow::Cow;
use std::convert::Infallible;
use std::fmt;
use std::ops::Deref;
use std::str::FromStr;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use faststr::FastStr;

use crate::error::{Error, ErrorKind};

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

macro_rules! text_messages {
    ($($text:ty),*) => {$(
        /// A text message. Of owned values nothing is copied but texts below 32 bytes, of borrowed ones everything, once.
        impl From<$text> for Message {
            #[inline]
            fn from(text: $text) -> Self {
                Self::Text(text.into())
            }
        }
    )*};
}

text_messages!(&str, &String, &Text, Arc<str>, Box<str>, Cow<'_, str>, String, Text);

macro_rules! binary_messages {
    ($($bytes:ty => $convert:expr),*) => {$(
        /// A binary message. Of owned values nothing is copied, of borrowed ones everything, once.
        impl From<$bytes> for Message {
            #[inline]
            fn from(bytes: $bytes) -> Self {
                let convert: fn($bytes) -> Bytes = $convert;
                Self::Binary(convert(bytes))
            }
        }
    )*};
}

binary_messages!(
    &[u8] => Bytes::copy_from_slice,
    &Bytes => Bytes::clone,
    &Vec<u8> => |bytes| Bytes::copy_from_slice(bytes),
    Box<[u8]> => Bytes::from,
    Bytes => |bytes| bytes,
    BytesMut => BytesMut::freeze,
    Cow<'_, [u8]> => |bytes| bytes.into_owned().into(),
    Vec<u8> => Bytes::from
);

/// A binary message, with one copy.
impl<const N: usize> From<[u8; N]> for Message {
    fn from(bytes: [u8; N]) -> Self {
        Self::from(&bytes[..])
    }
}

/// A binary message, with one copy.
impl<const N: usize> From<&[u8; N]> for Message {
    fn from(bytes: &[u8; N]) -> Self {
        Self::from(&bytes[..])
    }
}

/// Copies no payload.
impl From<&Self> for Message {
    fn from(message: &Self) -> Self {
        message.clone()
    }
}

/// As [`Message::into_bytes`].
impl From<Message> for Bytes {
    fn from(message: Message) -> Self {
        message.into_bytes()
    }
}

#[cfg(feature = "json")]
#[cfg_attr(docsrs, doc(cfg(feature = "json")))]
impl Message {
    /// A text message with a value as JSON.
    ///
    /// ```
    /// use tower_websocket::Message;
    ///
    /// let message = Message::json(&["a", "b"])?;
    /// assert_eq!(message.as_text(), Some(r#"["a","b"]"#));
    /// # Ok::<(), tower_websocket::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Encode`] when the value cannot be serialised.
    pub fn json<T: serde::Serialize + ?Sized>(value: &T) -> Result<Self, Error> {
        let json = serde_json::to_string(value).map_err(|error| Error::with_source(ErrorKind::Encode, error))?;
        Ok(Self::from(json))
    }

    /// Reads the message, text or binary, as JSON. What is read may borrow from the message.
    ///
    /// ```
    /// use tower_websocket::Message;
    ///
    /// #[derive(serde::Deserialize)]
    /// struct Call<'a> {
    ///     method: &'a str,
    /// }
    ///
    /// let message = Message::text(r#"{"method":"sum"}"#);
    /// let call: Call<'_> = message.parse()?;
    /// assert_eq!(call.method, "sum");
    /// # Ok::<(), tower_websocket::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Decode`] when it is not JSON, or not of this type.
    #[doc(alias = "ReadJSON")]
    pub fn parse<'a, T: serde::Deserialize<'a>>(&'a self) -> Result<T, Error> {
        let parsed = match self {
            // Known to be UTF-8, which is not checked again.
            Self::Text(text) => serde_json::from_str(text),
            Self::Binary(bytes) => serde_json::from_slice(bytes),
        };
        parsed.map_err(|error| Error::with_source(ErrorKind::Decode, error))
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
#[doc(alias = "Utf8Bytes")]
#[derive(Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Text(FastStr);

impl Text {
    /// A literal, without a copy.
    ///
    /// ```
    /// use tower_websocket::{Message, Text};
    ///
    /// const GREETING: Text = Text::from_static("Welcome to the chat, and mind the rules!");
    /// assert_eq!(Message::from(GREETING), Message::text("Welcome to the chat, and mind the rules!"));
    /// ```
    #[must_use]
    pub const fn from_static(text: &'static str) -> Self {
        Self(FastStr::from_static_str(text))
    }

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

fn not_utf8() -> Error {
    Error::with_source(ErrorKind::Decode, "the bytes are not UTF-8")
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

/// Copies the text. [`Text::from_static`] does not.
impl From<&str> for Text {
    #[inline]
    fn from(text: &str) -> Self {
        Self::copied(text)
    }
}

/// Copies the text.
impl From<&String> for Text {
    fn from(text: &String) -> Self {
        Self::copied(text)
    }
}

/// Copies nothing but the shortest texts.
impl From<&Self> for Text {
    fn from(text: &Self) -> Self {
        text.clone()
    }
}

/// Copies nothing but the shortest texts.
impl From<String> for Text {
    #[inline]
    fn from(text: String) -> Self {
        Self(FastStr::from_string(text))
    }
}

/// Copies nothing but the shortest texts.
impl From<Box<str>> for Text {
    fn from(text: Box<str>) -> Self {
        text.into_string().into()
    }
}

/// Shares the text.
impl From<Arc<str>> for Text {
    fn from(text: Arc<str>) -> Self {
        Self(FastStr::from_arc_str(text))
    }
}

/// Copies what is borrowed.
impl From<Cow<'_, str>> for Text {
    fn from(text: Cow<'_, str>) -> Self {
        match text {
            Cow::Borrowed(text) => text.into(),
            Cow::Owned(text) => text.into(),
        }
    }
}

/// Checks that the bytes are UTF-8, and copies nothing but the shortest texts. Else the error's kind is
/// [`ErrorKind::Decode`].
///
/// ```
/// use bytes::Bytes;
/// use tower_websocket::Text;
///
/// assert_eq!(Text::try_from(Bytes::from_static("gr\u{fc}n".as_bytes()))?, "gr\u{fc}n");
/// assert!(Text::try_from(vec![0xff]).is_err());
/// # Ok::<(), tower_websocket::Error>(())
/// ```
impl TryFrom<Bytes> for Text {
    type Error = Error;

    fn try_from(bytes: Bytes) -> Result<Self, Error> {
        Self::from_utf8(bytes).ok_or_else(not_utf8)
    }
}

/// Checks that the bytes are UTF-8, and copies nothing but the shortest texts.
impl TryFrom<Vec<u8>> for Text {
    type Error = Error;

    fn try_from(bytes: Vec<u8>) -> Result<Self, Error> {
        FastStr::from_vec_u8(bytes).map(Self).map_err(|_| not_utf8())
    }
}

/// Checks that the bytes are UTF-8, and copies nothing but the shortest texts.
impl TryFrom<BytesMut> for Text {
    type Error = Error;

    fn try_from(bytes: BytesMut) -> Result<Self, Error> {
        bytes.freeze().try_into()
    }
}

impl FromStr for Text {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(text.into())
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
