//! Compresses messages (RFC 7692 §7.2.1).

use super::codec::{Compressor, FLUSH, Params};
use super::negotiate::Negotiated;
use super::pool;
use super::settings::{Compression, WINDOW_BITS};
use crate::role::Role;

/// Compresses the outgoing messages of one connection.
///
/// Without context takeover it has no compressor. With it, it has one from the first compressed message on.
pub(crate) struct Deflater {
    params: Params,
    threshold: usize,
    context: Context,
}

/// Compression without context takeover: connections with equal parameters compress a message to the same bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stateless {
    params: Params,
    threshold: usize,
}

enum Context {
    /// Each message is compressed independently.
    None,
    /// Messages refer to earlier ones.
    Takeover(Option<Box<Compressor>>),
    /// Messages are not compressed.
    Unsupported,
}

impl Deflater {
    pub(crate) fn new(negotiated: &Negotiated, role: Role, settings: &Compression) -> Self {
        let window_bits = negotiated.window_bits(role);
        let context = if !WINDOW_BITS.contains(&window_bits) {
            // A server may require 8 from a client (RFC 7692 §7.1.2.2). zlib does not support that, but compressing is optional.
            Context::Unsupported
        } else if negotiated.context_takeover(role) {
            Context::Takeover(None)
        } else {
            Context::None
        };
        Self { params: Params::new(settings, window_bits), threshold: settings.threshold, context }
    }

    /// The equivalent [`Stateless`], or `None` with context takeover.
    pub(crate) fn stateless(&self) -> Option<Stateless> {
        let Self { params, threshold, .. } = *self;
        match self.context {
            Context::None => Some(Stateless { params, threshold }),
            Context::Takeover(_) => None,
            Context::Unsupported => Some(Stateless { params, threshold: usize::MAX }),
        }
    }

    /// Appends the compressed message to `out` and returns `true`. If the message is below the threshold or would not shrink,
    /// returns `false` and leaves `out` unchanged: the message must be sent uncompressed.
    pub(crate) fn deflate(&mut self, payload: &[u8], out: &mut Vec<u8>) -> bool {
        match &mut self.context {
            Context::None => Stateless { params: self.params, threshold: self.threshold }.deflate(payload, out),
            Context::Takeover(_) if payload.len() < self.threshold.max(1) => false,
            Context::Takeover(own) => {
                let compressor = own.get_or_insert_with(|| Compressor::new(self.params).into());
                let shrunk = append(compressor, payload, out);
                if !shrunk {
                    // The peer will not inflate this message, so later ones must not refer to it. Starting with an empty
                    // window is always allowed.
                    *own = None;
                }
                shrunk
            }
            Context::Unsupported => false,
        }
    }
}

impl Stateless {
    /// As [`Deflater::deflate`].
    pub(crate) fn deflate(self, payload: &[u8], out: &mut Vec<u8>) -> bool {
        if payload.len() < self.threshold.max(1) {
            return false;
        }
        let mut compressor = pool::compressor(self.params);
        let shrunk = append(&mut compressor, payload, out);
        // If it has stopped before the end of the message, it is dropped: see `Compressor::reset`.
        if shrunk {
            pool::put_compressor(compressor);
        }
        shrunk
    }
}

fn append(compressor: &mut Compressor, payload: &[u8], out: &mut Vec<u8>) -> bool {
    let start = out.len();
    let mut buffer = pool::take_buffer();
    let shrunk = compress(compressor, payload, out, &mut buffer).is_some();
    pool::give_buffer(buffer);
    if !shrunk {
        out.truncate(start);
    }
    shrunk
}

/// Returns `None` as soon as the result is known not to be shorter.
fn compress(compressor: &mut Compressor, payload: &[u8], out: &mut Vec<u8>, buffer: &mut [u8]) -> Option<()> {
    let (start, end) = (out.len(), out.len() + payload.len() + FLUSH.len());
    let probe = if payload.len() < 4 * PROBE { 0 } else { PROBE };
    let (probe, rest) = payload.split_at(probe);
    if !probe.is_empty() {
        feed(compressor, probe, out, end, buffer)?;
        if out.len() - start >= probe.len() {
            return None;
        }
    }
    feed(compressor, rest, out, end, buffer)?;
    // RFC 7692 §7.2.1: the last four bytes are not sent.
    let kept = out.strip_suffix(&FLUSH)?.len();
    out.truncate(kept);
    Some(())
}

/// Compresses and flushes. Returns `None` if `out` would reach `end`.
fn feed(compressor: &mut Compressor, mut input: &[u8], out: &mut Vec<u8>, end: usize, buffer: &mut [u8]) -> Option<()> {
    loop {
        let room = buffer.len().min(end - out.len());
        let (read, written) = compressor.step(input, &mut buffer[..room])?;
        input = &input[read..];
        out.extend_from_slice(&buffer[..written]);
        if written < room && input.is_empty() {
            return Some(());
        }
        if out.len() == end || read + written == 0 {
            return None;
        }
    }
}

/// How many bytes of a large message are compressed first, to see whether it shrinks. Images and archives do not, and would cost
/// 3 ms for each 256 KiB. The additional flush costs 5 bytes.
const PROBE: usize = 4 << 10;

impl std::fmt::Debug for Deflater {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Deflater")
            .field("params", &self.params)
            .field("threshold", &self.threshold)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{deflater, inflater, json, noise};
    use super::*;

    fn deflate(deflater: &mut Deflater, payload: &[u8]) -> Option<Vec<u8>> {
        let mut out = b"kept".to_vec();
        let shrunk = deflater.deflate(payload, &mut out);
        assert_eq!(out[..4], *b"kept");
        assert!(shrunk || out.len() == 4);
        shrunk.then(|| out[4..].to_vec())
    }

    #[test]
    fn leaves_a_message_plain_that_is_short_or_would_not_shrink() {
        for context_takeover in [false, true] {
            let mut deflater = deflater(1, context_takeover);
            assert_eq!(deflate(&mut deflater, b""), None);
            assert_eq!(deflate(&mut deflater, b"Hello"), None);
            for size in [1, 100, 16_000, 16_383, 16_384, 100_000] {
                assert_eq!(deflate(&mut deflater, &noise(size)), None, "{size}");
                assert!(deflate(&mut deflater, &json(size + 1_000)).is_some(), "{size}");
            }
            deflater.threshold = 200;
            assert_eq!(deflate(&mut deflater, &[0; 199]), None);
            assert!(deflate(&mut deflater, &[0; 200]).is_some());
        }
    }

    #[test]
    fn never_refers_to_a_message_that_went_plain() {
        let noise = noise(2_000);
        let mut with_noise = json(500);
        with_noise.extend_from_slice(&noise[..1_000]);
        for level in 1..=9 {
            let mut deflater = deflater(level, true);
            let mut inflater = inflater(true);
            for payload in [&json(1_000)[..], &noise, &with_noise, &json(1_000), &noise, &with_noise] {
                if let Some(compressed) = deflate(&mut deflater, payload) {
                    let mut out = Vec::new();
                    inflater.inflate(&compressed, usize::MAX, |_| true, &mut out).unwrap();
                    assert_eq!(out, payload);
                }
            }
        }
    }

    #[test]
    fn refers_to_earlier_messages_only_with_context_takeover() {
        let message = json(1_000);
        for level in 1..=9 {
            let mut alone = deflater(level, false);
            let first = deflate(&mut alone, &message).unwrap();
            assert_eq!(deflate(&mut alone, &message).unwrap(), first);
            let mut takeover = deflater(level, true);
            assert_eq!(deflate(&mut takeover, &message).unwrap(), first);
            assert!(deflate(&mut takeover, &message).unwrap().len() * 5 < first.len(), "{level}");
        }
    }

    #[test]
    fn holds_no_state_without_context_takeover() {
        assert!(size_of::<Deflater>() <= 32);
        let mut deflater = deflater(1, false);
        assert!(deflate(&mut deflater, &json(1_000)).is_some());
        assert!(matches!(deflater.context, Context::None));
    }

    #[test]
    fn compresses_nothing_for_a_window_that_zlib_does_not_have() {
        let settings = Compression::default().threshold(0);
        let headers = [(http::header::SEC_WEBSOCKET_EXTENSIONS, "permessage-deflate; client_max_window_bits=8")];
        let headers = headers.map(|(name, value)| (name, value.parse().unwrap())).into_iter().collect();
        let negotiated = settings.confirm(&headers).unwrap().unwrap();
        assert_eq!(deflate(&mut Deflater::new(&negotiated, Role::Client, &settings), &json(1_000)), None);
    }
}
