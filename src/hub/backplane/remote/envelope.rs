//! The format in which a broker stores publications.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::hub::publication::Draft;
use crate::message::{Message, MessageKind};
use crate::text::Text;

/// A publication and its identifier. Integers are in network byte order.
///
/// ```text
/// version u8, flags u8, hub u64, number u64, [connection that does not get it u64], [length u32, key], message
/// ```
#[derive(Debug)]
pub(in crate::hub::backplane) struct Envelope {
    pub(in crate::hub::backplane) id: EnvelopeId,
    pub(super) draft: Draft,
}

/// Identifies a publication among those of all hubs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::hub::backplane) struct EnvelopeId {
    pub(in crate::hub::backplane) hub: u64,
    /// Grows with each publication of the hub to a topic.
    pub(in crate::hub::backplane) number: u64,
}

impl EnvelopeId {
    /// Reads the identifier from an envelope, or from its beginning up to the end of [`Envelope::ID`].
    pub(super) fn of(mut envelope: &[u8]) -> Option<Self> {
        if envelope.try_get_u8().ok()? != VERSION {
            return None;
        }
        envelope.try_get_u8().ok()?;
        Some(Self { hub: envelope.try_get_u64().ok()?, number: envelope.try_get_u64().ok()? })
    }
}

impl Envelope {
    /// The bytes of an envelope that have its identifier.
    pub(in crate::hub::backplane) const ID: std::ops::Range<usize> = 2..18;

    pub(super) fn new(id: EnvelopeId, draft: Draft) -> Self {
        Self { id, draft }
    }

    pub(super) fn encode(&self) -> Bytes {
        let Draft { message, key, except, latest } = &self.draft;
        let key_len = key.as_ref().map_or(0, |key| size_of::<u32>() + key.len());
        let mut bytes = BytesMut::with_capacity(Self::ID.end + size_of::<u64>() + key_len + message.len());
        let mut flags = 0;
        for (flag, is_set) in [
            (BINARY, message.kind() == MessageKind::Binary),
            (LATEST, *latest),
            (EXCEPT, except.is_some()),
            (KEY, key.is_some()),
        ] {
            flags |= if is_set { flag } else { 0 };
        }
        put_header(&mut bytes, flags, self.id);
        if let Some(except) = except {
            bytes.put_u64(*except);
        }
        if let Some(key) = key {
            bytes.put_u32(u32::try_from(key.len()).unwrap_or(u32::MAX));
            bytes.put_slice(key.as_bytes());
        }
        bytes.put_slice(message.as_bytes());
        bytes.freeze()
    }

    /// A notice that takes the place of a lost publication. It has the same identifier, so that the broker stores only one of them.
    pub(super) fn lost(id: EnvelopeId) -> Bytes {
        let mut bytes = BytesMut::with_capacity(Self::ID.end);
        put_header(&mut bytes, LOST, id);
        bytes.freeze()
    }

    /// Returns `None` for a [notice](Self::lost), and for bytes that are not an envelope.
    pub(super) fn decode(mut bytes: Bytes) -> Option<Self> {
        let id = EnvelopeId::of(&bytes)?;
        let flags = bytes[1];
        bytes.advance(Self::ID.end);
        if flags & LOST != 0 {
            return None;
        }
        let except = if flags & EXCEPT != 0 { Some(bytes.try_get_u64().ok()?) } else { None };
        let key = if flags & KEY != 0 {
            let len = usize::try_from(bytes.try_get_u32().ok()?).ok()?;
            let key = (len <= bytes.len()).then(|| bytes.split_to(len))?;
            Some(std::str::from_utf8(&key).ok()?.into())
        } else {
            None
        };
        let message = if flags & BINARY != 0 { Message::binary(bytes) } else { Text::try_from(bytes).ok()?.into() };
        let draft = Draft { message, key, except, latest: flags & LATEST != 0 };
        Some(Self { id, draft })
    }
}

fn put_header(bytes: &mut BytesMut, flags: u8, id: EnvelopeId) {
    bytes.put_u8(VERSION);
    bytes.put_u8(flags);
    bytes.put_u64(id.hub);
    bytes.put_u64(id.number);
}

const VERSION: u8 = 1;
const BINARY: u8 = 1;
const LATEST: u8 = 2;
const EXCEPT: u8 = 4;
const KEY: u8 = 8;
const LOST: u8 = 16;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(
            text in proptest::option::of(".{0,40}"), bytes: Vec<u8>, key in proptest::option::of(".{0,9}"), except: Option<u64>,
            latest: bool, hub: u64, number: u64,
        ) {
            let message = text.map_or_else(|| Message::binary(bytes), Message::text);
            let draft = Draft { message, key: key.map(Into::into), except, latest };
            let encoded = Envelope::new(EnvelopeId { hub, number }, draft.clone()).encode();
            let decoded = Envelope::decode(encoded.clone()).unwrap();
            prop_assert_eq!(decoded.id, EnvelopeId { hub, number });
            prop_assert_eq!(format!("{:?}", decoded.draft), format!("{draft:?}"));
            // It is not an envelope if it is truncated before the message.
            for len in 0..Envelope::ID.end {
                prop_assert!(Envelope::decode(encoded.slice(..len)).is_none());
            }
        }

        #[test]
        fn nothing_panics(bytes: Vec<u8>) {
            let _ = Envelope::decode([vec![VERSION], bytes].concat().into());
        }
    }
}
