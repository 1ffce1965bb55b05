//! Text and binary messages.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

#[cfg(feature = "json")]
use crate::error::{Error, ErrorKind};
use crate::text::Text;

/// A whole data message (RFC 6455 §5.6). Cloning copies no payload.
///
/// RFC 6455 has two kinds of data messages, so this enum can be matched exhaustively.
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
    /// A text message. Borrowed values are copied once. Owned values are not copied, except the shortest texts.
    pub fn text(text: impl Into<Text>) -> Self {
        Self::Text(text.into())
    }

    /// A binary message from anything that [converts into a message](#trait-implementations), such as `&[u8]`, `Vec<u8>` or
    /// `Bytes`. Text becomes its UTF-8 bytes.
    ///
    /// Borrowed values are copied once, owned ones are not. For a literal, [`Bytes::from_static`] avoids the copy.
    ///
    /// ```
    /// use tower_websocket::Message;
    ///
    /// let local = vec![1, 2, 3];
    /// assert_eq!(Message::binary(&local[1..]), Message::binary([2, 3]));
    /// assert_eq!(Message::binary("text"), Message::binary(b"text"));
    /// ```
    pub fn binary(bytes: impl Into<Self>) -> Self {
        match bytes.into() {
            binary @ Self::Binary(_) => binary,
            Self::Text(text) => Self::Binary(text.into()),
        }
    }

    /// Text or binary.
    #[doc(alias = "is_text")]
    #[doc(alias = "is_binary")]
    #[doc(alias = "opcode")]
    #[must_use]
    pub fn kind(&self) -> MessageKind {
        match self {
            Self::Binary(_) => MessageKind::Binary,
            Self::Text(_) => MessageKind::Text,
        }
    }

    /// The length of the payload in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.as_bytes().len()
    }

    /// Whether the payload is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The payload of either kind.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Binary(bytes) => bytes,
            Self::Text(text) => text.as_bytes(),
        }
    }

    /// The payload of either kind. A text of less than 16 KiB may be copied; others are not.
    #[doc(alias = "into_data")]
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        match self {
            Self::Binary(bytes) => bytes,
            Self::Text(text) => text.into(),
        }
    }

    /// The text of a text message.
    #[doc(alias = "to_text")]
    #[doc(alias = "into_text")]
    #[doc(alias = "into_string")]
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
        /// A text message. Borrowed values are copied once, shared ones are not. Of owned values only the shortest are copied.
        impl From<$text> for Message {
            #[inline]
            fn from(text: $text) -> Self {
                Self::Text(text.into())
            }
        }
    )*};
}

text_messages!(
    &str,
    &&str,
    &Arc<str>,
    &Box<str>,
    &Cow<'_, str>,
    &String,
    &Text,
    Arc<str>,
    Box<str>,
    Cow<'_, str>,
    String,
    Text
);

macro_rules! binary_messages {
    ($($bytes:ty => $convert:expr),*) => {$(
        /// A binary message. Borrowed values are copied once, owned and shared ones are not.
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
    &&[u8] => |bytes| Bytes::copy_from_slice(bytes),
    &Arc<[u8]> => |bytes| Bytes::from_owner(bytes.clone()),
    &Box<[u8]> => |bytes| Bytes::copy_from_slice(bytes),
    &Bytes => Bytes::clone,
    &BytesMut => |bytes| Bytes::copy_from_slice(bytes),
    &Cow<'_, [u8]> => |bytes| Bytes::copy_from_slice(bytes),
    &Vec<u8> => |bytes| Bytes::copy_from_slice(bytes),
    Arc<[u8]> => Bytes::from_owner,
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

    /// Parses the message, text or binary, as JSON. The result may borrow from the message.
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
#[doc(alias = "MessageType")]
#[doc(alias = "OpCode")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MessageKind {
    /// Any bytes.
    #[doc(alias = "BinaryMessage")]
    Binary,
    /// UTF-8.
    #[doc(alias = "TextMessage")]
    Text,
}
