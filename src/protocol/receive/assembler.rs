//! From the payloads of frames to messages: gathers fragments, inflates, checks text.

use bytes::buf::Limit;
use bytes::{BufMut, Bytes, BytesMut};

use crate::budget::Charge;
use crate::deflate::{InflateError, Inflater};
use crate::limits::Limits;
use crate::message::{Message, MessageKind};
use crate::protocol::buffer_pool;
use crate::protocol::failure::Failure;
use crate::text::Text;

/// The message that is arriving.
#[derive(Debug)]
pub(crate) struct Assembler {
    limit: usize,
    inflater: Option<Inflater>,
    kind: MessageKind,
    compressed: bool,
    payload: BytesMut,
    /// How many bytes of an uncompressed text were checked to be UTF-8.
    checked: usize,
    charge: Charge,
}

impl Assembler {
    pub(crate) fn new(limits: &Limits, inflater: Option<Inflater>) -> Self {
        Self {
            limit: limits.message,
            inflater,
            kind: MessageKind::Binary,
            compressed: false,
            payload: BytesMut::new(),
            checked: 0,
            charge: limits.budget.charge(),
        }
    }

    /// Whether messages may be compressed.
    pub(crate) fn can_inflate(&self) -> bool {
        self.inflater.is_some()
    }

    /// Starts a message.
    #[inline]
    pub(crate) fn begin(&mut self, kind: MessageKind, compressed: bool) {
        self.kind = kind;
        self.compressed = compressed;
    }

    /// Checks that a frame with a payload of this length does not exceed the message limit.
    #[inline]
    pub(crate) fn check_size(&self, len: u64) -> Result<(), Failure> {
        let limit = if self.compressed { deflate_bound(self.limit) } else { self.limit };
        let room = limit.saturating_sub(self.payload.len());
        if len <= room as u64 { Ok(()) } else { Err(Failure::MessageTooBig) }
    }

    /// Appends payload to the message.
    pub(crate) fn push(&mut self, payload: &[u8]) -> Result<(), Failure> {
        self.reserve(payload.len())?;
        self.payload.extend_from_slice(payload);
        Ok(())
    }

    /// Space to read up to `remaining` bytes of payload directly from the transport.
    pub(crate) fn read_space(&mut self, remaining: usize) -> Result<Limit<&mut BytesMut>, Failure> {
        // The capacity doubles, as data arrives: a header alone, which may announce any length, allocates little.
        if self.payload.capacity() == self.payload.len() {
            self.reserve(remaining.min(self.payload.len().max(MIN_SPACE)))?;
        }
        Ok((&mut self.payload).limit(remaining))
    }

    /// The last `len` bytes, just read into [`read_space`](Self::read_space).
    pub(crate) fn last(&mut self, len: usize) -> &mut [u8] {
        let start = self.payload.len() - len;
        &mut self.payload[start..]
    }

    /// Whether a message that begins with `len` bytes should take over the read buffer that contains them.
    pub(crate) fn may_adopt(&self, len: usize) -> bool {
        len >= WORTH_KEEPING && self.payload.is_empty()
    }

    /// Begins the message with a buffer: its bytes, and its spare capacity.
    pub(crate) fn adopt(&mut self, payload: BytesMut) {
        self.payload = payload;
    }

    /// Called at the end of a frame that is not the message's last. Refuses text that is not UTF-8, except for an incomplete
    /// character at the end.
    pub(crate) fn end_fragment(&mut self) -> Result<(), Failure> {
        if self.kind == MessageKind::Text && !self.compressed {
            if let Err(error) = simdutf8::compat::from_utf8(&self.payload[self.checked..]) {
                if error.error_len().is_some() {
                    return Err(Failure::InvalidText);
                }
                self.checked += error.valid_up_to();
            } else {
                self.checked = self.payload.len();
            }
        }
        Ok(())
    }

    /// Returns the message, at the end of its last frame.
    pub(crate) fn finish(&mut self) -> Result<Message, Failure> {
        let payload = std::mem::take(&mut self.payload).freeze();
        self.checked = 0;
        if self.compressed {
            return self.inflate(&payload);
        }
        self.charge.release();
        without_copy(self.kind, payload)
    }

    /// Drops the message that is arriving.
    pub(crate) fn clear(&mut self) {
        self.payload = BytesMut::new();
        self.checked = 0;
        self.charge.release();
    }

    /// Frees the decompressor: nothing is received any more.
    pub(crate) fn drop_inflater(&mut self) {
        self.inflater = None;
    }

    /// Whether a whole message of this length should share the memory of the read buffer instead of being copied.
    #[inline]
    pub(crate) fn may_keep(&self, len: usize) -> bool {
        len >= WORTH_KEEPING && !self.compressed
    }

    /// Returns a message that shares the memory of the read buffer.
    pub(crate) fn keep(&mut self, payload: Bytes) -> Result<Message, Failure> {
        without_copy(self.kind, payload)
    }

    /// Returns a message that is whole in the read buffer, as a copy.
    #[inline]
    pub(crate) fn whole(&mut self, payload: &[u8]) -> Result<Message, Failure> {
        if self.compressed {
            return self.inflate(payload);
        }
        copy_out(self.kind, payload)
    }

    fn inflate(&mut self, payload: &[u8]) -> Result<Message, Failure> {
        let inflater = self.inflater.as_mut().ok_or(Failure::InvalidDeflate)?;
        let mut inflated = buffer_pool::take_buffer();
        // The compressed payload stays in memory meanwhile, so that both are charged.
        let charge = &mut self.charge;
        let gathered = charge.bytes();
        let allowed = |len| len <= LARGE || charge.raise(gathered + len);
        let message = match inflater.inflate(payload, self.limit, allowed, &mut inflated) {
            Err(InflateError::Refused) => Err(Failure::BudgetExceeded),
            Err(InflateError::TooBig) => Err(Failure::MessageTooBig),
            Err(InflateError::Invalid) => Err(Failure::InvalidDeflate),
            Ok(()) if inflated.len() > LARGE => without_copy(self.kind, std::mem::take(&mut inflated).into()),
            Ok(()) => copy_out(self.kind, &inflated),
        };
        charge.release();
        buffer_pool::give_buffer(inflated);
        message
    }

    fn reserve(&mut self, more: usize) -> Result<(), Failure> {
        let needed = self.payload.len() + more;
        if needed > LARGE && !self.charge.raise(needed) {
            return Err(Failure::BudgetExceeded);
        }
        self.payload.reserve(more);
        Ok(())
    }
}

/// A message with a copy of these bytes.
#[inline]
fn copy_out(kind: MessageKind, payload: &[u8]) -> Result<Message, Failure> {
    match kind {
        MessageKind::Binary => Ok(Message::Binary(Bytes::copy_from_slice(payload))),
        MessageKind::Text => match simdutf8::basic::from_utf8(payload) {
            Ok(text) => Ok(Message::Text(Text::copied(text))),
            Err(_) => Err(Failure::InvalidText),
        },
    }
}

/// A message that shares the memory of these bytes.
fn without_copy(kind: MessageKind, payload: Bytes) -> Result<Message, Failure> {
    match kind {
        MessageKind::Binary => Ok(Message::Binary(payload)),
        MessageKind::Text => Text::from_utf8(payload).map(Message::Text).ok_or(Failure::InvalidText),
    }
}

/// The maximum compressed size of a message of `len` bytes: zlib's bound for its worst settings.
fn deflate_bound(len: usize) -> usize {
    len.saturating_add(len / 8).saturating_add(len / 64).saturating_add(64)
}

/// A longer message is charged to the budget, and not copied after inflating.
const LARGE: usize = 64 * 1024;
/// A message of at least this size shares the memory of the read buffer, of which it may keep up to three times as much allocated
/// besides.
const WORTH_KEEPING: usize = 16 * 1024;
/// The minimum space for a direct read. It is not charged to the budget, so that a header alone is not.
const MIN_SPACE: usize = LARGE;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::Budget;

    fn assembler(limits: &Limits) -> Assembler {
        Assembler::new(limits, None)
    }

    /// permessage-deflate without context takeover.
    #[cfg(feature = "deflate")]
    fn negotiated() -> crate::deflate::Negotiated {
        crate::deflate::Negotiated {
            server_no_context_takeover: true,
            client_no_context_takeover: true,
            server_max_window_bits: None,
            client_max_window_bits: None,
        }
    }

    #[test]
    fn a_compressed_message_may_be_longer_by_what_deflate_may_add() {
        for (len, bound) in [(0, 64), (6400, 6400 + 800 + 100 + 64), (65_536, 65_536 + 8192 + 1024 + 64)] {
            assert_eq!(deflate_bound(len), bound);
        }
        let mut assembler = assembler(&Limits::default().max_message_size(6400));
        for (compressed, longest) in [(false, 6400), (true, 7364)] {
            assembler.begin(MessageKind::Binary, compressed);
            assert!(assembler.check_size(longest).is_ok() && assembler.check_size(longest + 1).is_err());
        }
    }

    #[test]
    fn messages_of_16_kib_and_more_share_the_read_buffer() {
        let mut assembler = assembler(&Limits::default());
        for (len, worth_it) in [(16 * 1024 - 1, false), (16 * 1024, true)] {
            assembler.begin(MessageKind::Binary, true);
            assert!(!assembler.may_keep(len), "what is compressed does not stay as it is");
            assembler.begin(MessageKind::Binary, false);
            assert_eq!((assembler.may_keep(len), assembler.may_adopt(len)), (worth_it, worth_it));
        }
        assembler.push(b"begun").unwrap();
        assert!(!assembler.may_adopt(16 * 1024));
    }

    #[test]
    fn more_than_64_kib_of_a_message_are_charged() {
        let budget = Budget::new(100_000);
        let mut assembler = assembler(&Limits::default().budget(budget.clone()));
        assembler.begin(MessageKind::Binary, false);
        assembler.push(&[0; 60_000]).unwrap();
        assembler.push(&[0; 5536]).unwrap();
        assert_eq!(budget.used(), 0);
        assembler.push(&[0; 1]).unwrap();
        assert_eq!(budget.used(), 65_537);
        assert!(matches!(assembler.push(&[0; 34_464]), Err(Failure::BudgetExceeded)));
        assembler.push(&[0; 34_463]).unwrap();
        assert_eq!(assembler.finish().unwrap().len(), 100_000);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn text_is_checked_at_the_end_of_each_fragment() {
        let mut assembler = assembler(&Limits::default());
        for (fragments, wrong_in) in [
            (&[&b"\xc3"[..], b"\xa9\xf0\x9f", b"\x99\x82"][..], None),
            (&[b"ok", b"\xff"], Some(1)),
            (&[b"\xc3", b"\x28"], Some(1)),
            (&[b"\xe2\x82", b"\xac\xe2", b"\x28"], Some(2)),
            (&[b"", b"plain", b"plain"], None),
            (&[b"\xff"], Some(0)),
        ] {
            for (compressed, kind) in
                [(true, MessageKind::Text), (false, MessageKind::Binary), (false, MessageKind::Text)]
            {
                assembler.begin(kind, compressed);
                let wrong = fragments.iter().position(|fragment| {
                    assembler.push(fragment).unwrap();
                    assembler.end_fragment().is_err()
                });
                let checked = kind == MessageKind::Text && !compressed;
                assert_eq!(wrong, wrong_in.filter(|_| checked), "{fragments:?}");
                if checked && wrong.is_none() {
                    // Each byte is checked once, but for those of a character that was cut.
                    assert_eq!(assembler.checked, fragments.concat().len());
                    assert_eq!(assembler.finish().unwrap().as_bytes(), fragments.concat());
                }
                assembler.clear();
            }
        }
    }

    #[test]
    fn each_text_is_checked_from_its_beginning() {
        let mut assembler = assembler(&Limits::default());
        assembler.begin(MessageKind::Text, false);
        for end in [|assembler: &mut Assembler| drop(assembler.finish().unwrap()), Assembler::clear] {
            assembler.push("half of a character: \u{e9}".as_bytes()).unwrap();
            assembler.push(b"\xc3").unwrap();
            assembler.end_fragment().unwrap();
            assert_eq!(assembler.checked, 23);
            assembler.push(b"\xa9").unwrap();
            end(&mut assembler);
            assert_eq!(assembler.checked, 0);
        }
    }

    #[cfg(feature = "deflate")]
    #[test]
    fn inflated_messages_are_copied_up_to_64_kib() {
        use crate::deflate::{Compression, Deflater};
        use crate::role::Role;

        let negotiated = negotiated();
        for (len, copied) in [(10, true), (65_536, true), (65_537, false)] {
            let negotiated = negotiated.clone();
            // A thread of its own has buffers of its own.
            let test = move || {
                let mut compressed = Vec::new();
                let settings = Compression::default().threshold(0);
                let mut deflater = Deflater::new(&negotiated, Role::Client, &settings);
                assert!(deflater.deflate(&vec![b'a'; len], &mut compressed));
                let budget = Budget::new(1024 * 1024);
                let limits = Limits::default().budget(budget.clone());
                let mut assembler = Assembler::new(&limits, Some(Inflater::new(&negotiated, Role::Server)));
                assembler.begin(MessageKind::Text, true);
                let message = assembler.whole(&compressed).unwrap();
                assert_eq!((message.len(), message.as_text().is_some(), budget.used()), (len, true, 0));
                assert_eq!(buffer_pool::take_buffer().capacity() > 0, copied, "{len}");
            };
            std::thread::spawn(test).join().unwrap();
        }
    }

    /// The compressed payload stays in memory until it is inflated.
    #[cfg(feature = "deflate")]
    #[test]
    fn both_forms_of_a_compressed_message_in_fragments_are_charged() {
        let negotiated = negotiated();
        // Stored blocks (RFC 1951 section 3.2.4) of 35,000 bytes.
        const BLOCK: u16 = 35_000;
        for (allowed, fits) in [(250_000, true), (180_000, false)] {
            let budget = Budget::new(allowed);
            let inflater = Inflater::new(&negotiated, crate::role::Role::Server);
            let mut assembler = Assembler::new(&Limits::default().budget(budget.clone()), Some(inflater));
            assembler.begin(MessageKind::Binary, true);
            for _ in 0..2 {
                let [low, high] = BLOCK.to_le_bytes();
                assembler.push(&[0, low, high, !low, !high]).unwrap();
                assembler.push(&[7; BLOCK as usize]).unwrap();
            }
            assembler.push(&[0]).unwrap();
            match assembler.finish() {
                Ok(message) => assert!(fits && message.len() == 2 * usize::from(BLOCK)),
                Err(failure) => assert!(!fits && matches!(failure, Failure::BudgetExceeded), "{failure:?}"),
            }
            assert_eq!(budget.used(), 0);
        }
    }

    #[cfg(feature = "deflate")]
    #[test]
    fn the_decompressor_is_freed_when_nothing_is_received_any_more() {
        let negotiated = negotiated();
        let inflater = Inflater::new(&negotiated, crate::role::Role::Server);
        let mut assembler = Assembler::new(&Limits::default(), Some(inflater));
        assert!(assembler.can_inflate());
        assembler.drop_inflater();
        assert!(!assembler.can_inflate());
        assembler.begin(MessageKind::Text, true);
        assert!(matches!(assembler.whole(b"\x02\x00"), Err(Failure::InvalidDeflate)));
    }
}
