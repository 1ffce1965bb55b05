//! Inflates messages (RFC 7692 §7.2.2).

use super::codec::Decompressor;
use super::negotiate::Negotiated;
use super::pool;
use crate::role::Role;

/// Inflates the incoming messages of one connection.
///
/// Without context takeover it has no decompressor. With it, it has one from the first compressed message on.
pub(crate) struct Inflater {
    context_takeover: bool,
    own: Option<Box<Decompressor>>,
}

/// Why a message could not be inflated. The connection must fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InflateError {
    /// The data is not valid, or refers to bytes before the beginning of the window.
    Invalid,
    /// The caller did not allow the memory for it.
    Refused,
    /// It would be larger than the limit.
    TooBig,
}

impl Inflater {
    pub(crate) fn new(negotiated: &Negotiated, role: Role) -> Self {
        let peer = match role {
            Role::Client => Role::Server,
            Role::Server => Role::Client,
        };
        Self { context_takeover: negotiated.context_takeover(peer), own: None }
    }

    /// Appends one inflated message to `out`, and on any error leaves `out` unchanged. Fails if the message has more than `limit`
    /// bytes. `allowed` is called with each new capacity of `out`, and may refuse it.
    pub(crate) fn inflate(
        &mut self,
        payload: &[u8],
        limit: usize,
        allowed: impl FnMut(usize) -> bool,
        out: &mut Vec<u8>,
    ) -> Result<(), InflateError> {
        let start = out.len();
        let mut buffer = pool::take_buffer();
        let bounds = Bounds { end: start.saturating_add(limit), allowed };
        let result = if self.context_takeover {
            let own = self.own.get_or_insert_with(|| Decompressor::new().into());
            append(own, payload, bounds, out, &mut buffer)
        } else {
            let mut decompressor = pool::decompressor();
            let result = append(&mut decompressor, payload, bounds, out, &mut buffer);
            pool::put_decompressor(decompressor);
            result
        };
        pool::give_buffer(buffer);
        if result.is_err() {
            out.truncate(start);
        }
        result
    }
}

fn append(
    decompressor: &mut Decompressor,
    payload: &[u8],
    mut bounds: Bounds<impl FnMut(usize) -> bool>,
    out: &mut Vec<u8>,
    buffer: &mut [u8],
) -> Result<(), InflateError> {
    let end = bounds.end;
    let mut input = payload;
    // RFC 7692 §7.2.3.6: an empty message is one byte. Without that byte, there is no block to complete.
    if payload.is_empty() {
        return Ok(());
    }
    loop {
        // One byte more than allowed, to distinguish a message that is too big from one that just fits.
        let room = buffer.len().min((end - out.len()).saturating_add(1));
        let step = decompressor.step(input, &mut buffer[..room]).ok_or(InflateError::Invalid)?;
        if step.written > end - out.len() {
            return Err(InflateError::TooBig);
        }
        bounds.extend(out, &buffer[..step.written])?;
        input = &input[step.read..];
        if step.is_end {
            // RFC 7692 §7.2.3.4: the sender may end its stream, and start another one in the same message.
            decompressor.reset();
            if input.is_empty() {
                return Ok(());
            }
        } else if step.written < room && input.is_empty() {
            break;
        } else if step.written == 0 && step.read == 0 {
            return Err(InflateError::Invalid);
        }
    }
    if decompressor.flush() { Ok(()) } else { Err(InflateError::Invalid) }
}

/// The limits of the output.
struct Bounds<F> {
    end: usize,
    allowed: F,
}

impl<F: FnMut(usize) -> bool> Bounds<F> {
    /// Appends bytes. The capacity at most doubles, so that memory grows with the data, and is never more than is allowed.
    fn extend(&mut self, out: &mut Vec<u8>, bytes: &[u8]) -> Result<(), InflateError> {
        let len = out.len() + bytes.len();
        if len > out.capacity() {
            let capacity = len.max((out.len() * 2).min(self.end));
            if !(self.allowed)(capacity) {
                return Err(InflateError::Refused);
            }
            out.reserve_exact(capacity - out.len());
        }
        out.extend_from_slice(bytes);
        Ok(())
    }
}

impl std::fmt::Debug for Inflater {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inflater").field("context_takeover", &self.context_takeover).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HELLO: &[u8] = &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
    /// Two million times the same byte, in less than 2 KiB.
    fn bomb() -> Vec<u8> {
        let mut bomb = Vec::new();
        assert!(crate::deflate::tests::deflater(9, false).deflate(&[b'a'; 2_000_000], &mut bomb));
        bomb
    }

    fn inflater(context_takeover: bool) -> Inflater {
        Inflater { context_takeover, own: None }
    }

    fn inflate(payload: &[u8], limit: usize) -> Result<Vec<u8>, InflateError> {
        let [alone, first] = [false, true].map(|context_takeover| {
            let mut out = b"kept".to_vec();
            let result = inflater(context_takeover).inflate(payload, limit, |_| true, &mut out);
            assert_eq!(out[..4], *b"kept");
            assert!(result.is_ok() || out.len() == 4);
            result.map(|()| out[4..].to_vec())
        });
        assert_eq!(alone, first);
        alone
    }

    #[test]
    fn reads_the_examples_of_the_rfc() {
        let cases: &[(&[u8], &[u8])] = &[
            (HELLO, b"Hello"),
            // §7.2.3.3: a stored block.
            (&[0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00], b"Hello"),
            // §7.2.3.4: a block that is marked as the last one.
            (&[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00], b"Hello"),
            // §7.2.3.5: two blocks with a flush between them.
            (&[0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00], b"Hello"),
            // §7.2.3.6: nothing.
            (&[0x00], b""),
            // The same with less or more than is needed.
            (&[], b""),
            (&[0x03, 0x00], b""),
            (&[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00], b"Hello"),
            (&[0x00, 0x00, 0x00, 0xff, 0xff, 0x00], b""),
            (&[0x00, 0x00, 0x00, 0xff, 0xff, 0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00], b"Hello"),
        ];
        for (payload, message) in cases {
            assert_eq!(inflate(payload, 5).as_deref(), Ok(*message), "{payload:x?}");
        }
    }

    #[test]
    fn refers_to_earlier_messages_only_with_context_takeover() {
        // §7.2.3.2
        let again = &[0xf2, 0x00, 0x11, 0x00, 0x00];
        for (context_takeover, expected) in [(true, Ok(())), (false, Err(InflateError::Invalid))] {
            let mut inflater = inflater(context_takeover);
            let mut out = Vec::new();
            assert_eq!(inflater.inflate(HELLO, 5, |_| true, &mut out), Ok(()));
            assert_eq!(inflater.inflate(again, 5, |_| true, &mut out), expected);
            assert_eq!(out, if context_takeover { &b"HelloHello"[..] } else { b"Hello" });
        }
    }

    #[test]
    fn refuses_what_is_not_whole() {
        for end in 1..HELLO.len() {
            assert_eq!(inflate(&HELLO[..end], 100), Err(InflateError::Invalid), "{end}");
        }
        for payload in
            // Where the last of these ends, what is supplied reads as the header and the first byte of a stored block.
            [
                &[0x06][..],
                &[0xff; 10],
                &[0x00, 0x05, 0x00, 0xfa, 0xff, 0x48],
                &[0x00, 0x00, 0x00, 0xff, 0xff],
                &[0, 0xff],
            ]
        {
            assert_eq!(inflate(payload, 100), Err(InflateError::Invalid), "{payload:x?}");
        }
    }

    #[test]
    fn stops_at_the_limit() {
        let bomb = bomb();
        assert!(bomb.len() < 2_000);
        for limit in [0, 1, 100, 16_383, 16_384, 100_000, 1_999_999] {
            assert_eq!(inflate(&bomb, limit), Err(InflateError::TooBig), "{limit}");
        }
        for limit in [2_000_000, 2_000_001, usize::MAX] {
            assert_eq!(inflate(&bomb, limit).map(|message| message.len()), Ok(2_000_000), "{limit}");
        }
    }

    #[test]
    fn makes_no_more_room_than_is_needed() {
        let bomb = bomb();
        for limit in [2_000_000, 3_000_000, usize::MAX] {
            let mut out = Vec::new();
            inflater(false).inflate(&bomb, limit, |_| true, &mut out).unwrap();
            assert!(out.capacity() <= limit.min(4_000_000));
        }
        let mut out = Vec::new();
        inflater(false).inflate(HELLO, usize::MAX, |_| true, &mut out).unwrap();
        assert_eq!(out.capacity(), 5);
    }

    proptest! {
        #[test]
        fn any_bytes_stay_within_the_limit(
            payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 1..4),
            limit in 0..500usize,
            context_takeover: bool,
        ) {
            let mut inflater = inflater(context_takeover);
            for payload in payloads {
                let mut out = Vec::new();
                let result = inflater.inflate(&payload, limit, |_| true, &mut out);
                prop_assert!(out.len() <= limit && out.capacity() <= limit);
                if result.is_err() {
                    break;
                }
            }
        }

        #[test]
        fn a_damaged_message_stays_within_the_limit(
            message in "(name|value|[a-z ]{3}){0,200}",
            damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
            limit in 0..2_000usize,
        ) {
            let mut payload = Vec::new();
            if crate::deflate::tests::deflater(6, false).deflate(message.as_bytes(), &mut payload) {
                for (index, byte) in damage {
                    *index.get_mut(&mut payload) = byte;
                }
                let mut out = Vec::new();
                let _ = inflater(false).inflate(&payload, limit, |_| true, &mut out);
                prop_assert!(out.len() <= limit);
            }
        }
    }
}
