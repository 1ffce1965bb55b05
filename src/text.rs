//! The text of a message.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::convert::Infallible;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::str::FromStr;
use std::sync::Arc;

use arrayvec::ArrayString;
use bytes::{Bytes, BytesMut};
use faststr::FastStr;

use crate::error::{Error, ErrorKind};

/// The text of a message: UTF-8 in shared memory. Cloning copies only the shortest texts.
#[doc(alias = "Utf8Bytes")]
#[derive(Clone)]
pub struct Text(Repr);

/// How the text is stored.
#[derive(Clone)]
enum Repr {
    /// Most messages are short: an allocation would be an eighth of the cost of receiving and sending one.
    Inline(ArrayString<INLINE>),
    Shared(FastStr),
}

impl Text {
    /// A static text, without a copy.
    ///
    /// ```
    /// use tower_websocket::{Message, Text};
    ///
    /// const GREETING: Text = Text::from_static("Welcome to the chat, and mind the rules!");
    /// assert_eq!(Message::from(GREETING), Message::text("Welcome to the chat, and mind the rules!"));
    /// ```
    #[must_use]
    pub const fn from_static(text: &'static str) -> Self {
        Self(Repr::Shared(FastStr::from_static_str(text)))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Repr::Inline(text) => text,
            Repr::Shared(text) => text,
        }
    }

    /// Copies a text.
    #[inline]
    pub(crate) fn copied(text: &str) -> Self {
        if let Ok(text) = ArrayString::from(text) {
            return Self(Repr::Inline(text));
        }
        Self(Repr::Shared(if text.len() < LONG {
            // One allocation. `FastStr::new` makes two, but the text can then be converted into `Bytes` without a copy.
            FastStr::from_arc_str(text.into())
        } else {
            FastStr::new(text)
        }))
    }

    /// Checks bytes, and takes them over without a copy.
    pub(crate) fn from_utf8(bytes: Bytes) -> Option<Self> {
        FastStr::from_bytes(bytes).ok().map(|text| Self(Repr::Shared(text)))
    }
}

fn not_utf8() -> Error {
    Error::with_source(ErrorKind::Decode, "the bytes are not UTF-8")
}

/// The longest text that is stored without an allocation, in bytes.
const INLINE: usize = 64;
/// From this length on, in bytes, another copy costs more than another allocation.
const LONG: usize = 16 * 1024;

impl Deref for Text {
    type Target = str;

    #[inline]
    fn deref(&self) -> &str {
        self.as_str()
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

/// Copies the text.
impl From<&&str> for Text {
    fn from(text: &&str) -> Self {
        Self::copied(text)
    }
}

/// Copies the text.
impl From<&Box<str>> for Text {
    fn from(text: &Box<str>) -> Self {
        Self::copied(text)
    }
}

/// Copies the text.
impl From<&Cow<'_, str>> for Text {
    fn from(text: &Cow<'_, str>) -> Self {
        Self::copied(text)
    }
}

/// Shares the text.
impl From<&Arc<str>> for Text {
    fn from(text: &Arc<str>) -> Self {
        text.clone().into()
    }
}

/// Copies only the shortest texts.
impl From<&Self> for Text {
    fn from(text: &Self) -> Self {
        text.clone()
    }
}

/// Copies only the shortest texts.
impl From<String> for Text {
    #[inline]
    fn from(text: String) -> Self {
        Self(Repr::Shared(FastStr::from_string(text)))
    }
}

/// Copies only the shortest texts.
impl From<Box<str>> for Text {
    fn from(text: Box<str>) -> Self {
        text.into_string().into()
    }
}

/// Shares the text.
impl From<Arc<str>> for Text {
    fn from(text: Arc<str>) -> Self {
        Self(Repr::Shared(FastStr::from_arc_str(text)))
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

/// Checks that the bytes are UTF-8, and copies only the shortest texts. If they are not, the error's kind is
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

/// Checks that the bytes are UTF-8, and copies only the shortest texts.
impl TryFrom<Vec<u8>> for Text {
    type Error = Error;

    fn try_from(bytes: Vec<u8>) -> Result<Self, Error> {
        FastStr::from_vec_u8(bytes).map(|text| Self(Repr::Shared(text))).map_err(|_| not_utf8())
    }
}

/// Checks that the bytes are UTF-8, and copies only the shortest texts.
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
        match text.0 {
            Repr::Inline(text) => Self::copy_from_slice(text.as_bytes()),
            Repr::Shared(text) => text.into_bytes(),
        }
    }
}

impl From<Text> for String {
    fn from(text: Text) -> Self {
        text.as_str().to_owned()
    }
}

impl Default for Text {
    fn default() -> Self {
        Self::from_static("")
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Text {}

impl Hash for Text {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl PartialOrd for Text {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Text {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_str().cmp(other.as_str())
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
