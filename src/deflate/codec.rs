//! zlib-rs, behind the few operations that messages need. No other file names it.

use zlib_rs::{Deflate, DeflateConfig, DeflateFlush, Inflate, InflateFlush, Status};

use super::settings::{Compression, MAX_WINDOW_BITS};

/// What a compressor is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Params {
    level: u8,
    memory_level: u8,
    window_bits: u8,
}

impl Params {
    pub(super) fn new(settings: &Compression, window_bits: u8) -> Self {
        Self { level: settings.level, memory_level: settings.memory_level, window_bits }
    }
}

/// A stream of raw deflate blocks that is being written.
pub(super) struct Compressor {
    params: Params,
    zlib: Deflate,
}

impl Compressor {
    pub(super) fn new(params: Params) -> Self {
        let zlib = Deflate::new_with_config(DeflateConfig {
            level: params.level.into(),
            mem_level: params.memory_level.into(),
            // Negative: blocks without zlib's header and checksum.
            window_bits: -i32::from(params.window_bits),
            ..DeflateConfig::default()
        });
        Self { params, zlib }
    }

    pub(super) fn params(&self) -> Params {
        self.params
    }

    /// Forgets all earlier input. This clears a table of 128 KiB, which takes 3 µs.
    ///
    /// The last [`step`](Self::step) must have been complete: zlib-rs 0.6.8 does not give back the room of output that was
    /// never fetched (`Pending::reset_keep`), and would panic when it has none left.
    pub(super) fn reset(&mut self) {
        self.zlib.reset();
    }

    /// Compresses up to a byte boundary, and returns how much was read and written. It is complete once `output` was not
    /// filled. `None` when zlib failed, which it has no reason to.
    pub(super) fn step(&mut self, input: &[u8], output: &mut [u8]) -> Option<(usize, usize)> {
        let (read, written) = (self.zlib.total_in(), self.zlib.total_out());
        self.zlib.compress(input, output, DeflateFlush::SyncFlush).ok()?;
        Some(((self.zlib.total_in() - read) as usize, (self.zlib.total_out() - written) as usize))
    }
}

/// A stream of raw deflate blocks that is being read.
pub(super) struct Decompressor {
    zlib: Inflate,
}

/// What a [`Decompressor`] did.
pub(super) struct Inflated {
    pub(super) read: usize,
    pub(super) written: usize,
    /// A block was marked as the last one; only [`Decompressor::reset`] leads on.
    pub(super) is_end: bool,
}

impl Decompressor {
    /// For every window: a smaller one would need the same memory.
    pub(super) fn new() -> Self {
        Self { zlib: Inflate::new(false, MAX_WINDOW_BITS) }
    }

    /// Forgets all earlier output, in about 10 ns.
    pub(super) fn reset(&mut self) {
        self.zlib.reset(false);
    }

    /// Inflates until the input is used up or the output is full. `None` when the input is not valid.
    pub(super) fn step(&mut self, input: &[u8], output: &mut [u8]) -> Option<Inflated> {
        let (read, written) = (self.zlib.total_in(), self.zlib.total_out());
        let status = self.zlib.decompress(input, output, InflateFlush::SyncFlush).ok()?;
        Some(Inflated {
            read: (self.zlib.total_in() - read) as usize,
            written: (self.zlib.total_out() - written) as usize,
            is_end: status == Status::StreamEnd,
        })
    }

    /// Supplies what a sender removes from the end of a message. False when the message was not whole: it then reads
    /// these bytes as something else, such as content of a block.
    pub(super) fn flush(&mut self) -> bool {
        let (read, written) = (self.zlib.total_in(), self.zlib.total_out());
        let [a, b, c, d] = FLUSH;
        // `Block` stops behind the empty block that `FLUSH` completes, so that the fifth byte stays unread.
        let status = self.zlib.decompress(&[a, b, c, d, 0], &mut [0], InflateFlush::Block);
        status == Ok(Status::Ok)
            && self.zlib.total_in() - read == FLUSH.len() as u64
            && self.zlib.total_out() == written
    }
}

/// The lengths of an empty stored block: the end of every flush, which is not sent (RFC 7692 §7.2.1).
pub(super) const FLUSH: [u8; 4] = [0, 0, 0xff, 0xff];
