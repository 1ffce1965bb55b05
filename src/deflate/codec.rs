//! A wrapper of zlib-rs with the few operations that messages need. No other file uses zlib-rs.

use zlib_rs::{Deflate, DeflateConfig, DeflateFlush, Inflate, InflateFlush, Status};

use super::settings::{Compression, MAX_WINDOW_BITS};

/// The parameters of a compressor.
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
            // Negative: raw blocks, without zlib's header and checksum.
            window_bits: -i32::from(params.window_bits),
            ..DeflateConfig::default()
        });
        Self { params, zlib }
    }

    pub(super) fn params(&self) -> Params {
        self.params
    }

    /// Drops all earlier input. This clears a table of 128 KiB, which takes 3 µs.
    ///
    /// The last [`step`](Self::step) must have been complete: zlib-rs 0.6.8 does not free the space of output that was never read
    /// (`Pending::reset_keep`), and would panic when there is none left.
    pub(super) fn reset(&mut self) {
        self.zlib.reset();
    }

    /// Compresses up to a byte boundary, and returns how many bytes were read and written. It is complete when `output` was not
    /// filled. `None` if zlib has failed, which is not expected.
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

/// The result of a [`Decompressor::step`].
pub(super) struct Inflated {
    pub(super) read: usize,
    pub(super) written: usize,
    /// A block was marked as the last one: [`Decompressor::reset`] must be called before the next step.
    pub(super) is_end: bool,
}

impl Decompressor {
    /// A decompressor for every window size: a smaller window would need the same memory.
    pub(super) fn new() -> Self {
        Self { zlib: Inflate::new(false, MAX_WINDOW_BITS) }
    }

    /// Drops all earlier output, in about 10 ns.
    pub(super) fn reset(&mut self) {
        self.zlib.reset(false);
    }

    /// Inflates until the input is used up or the output is full. `None` if the input is not valid.
    pub(super) fn step(&mut self, input: &[u8], output: &mut [u8]) -> Option<Inflated> {
        let (read, written) = (self.zlib.total_in(), self.zlib.total_out());
        let status = self.zlib.decompress(input, output, InflateFlush::SyncFlush).ok()?;
        Some(Inflated {
            read: (self.zlib.total_in() - read) as usize,
            written: (self.zlib.total_out() - written) as usize,
            is_end: status == Status::StreamEnd,
        })
    }

    /// Supplies the four bytes that a sender removes from the end of a message. Returns `false` if the message was not complete:
    /// these bytes are then read as something else, such as content of a block.
    pub(super) fn flush(&mut self) -> bool {
        let (read, written) = (self.zlib.total_in(), self.zlib.total_out());
        let [a, b, c, d] = FLUSH;
        // `Block` stops after the empty block that `FLUSH` completes, so that the fifth byte is not read.
        let status = self.zlib.decompress(&[a, b, c, d, 0], &mut [0], InflateFlush::Block);
        status == Ok(Status::Ok)
            && self.zlib.total_in() - read == FLUSH.len() as u64
            && self.zlib.total_out() == written
    }
}

/// The length fields of an empty stored block: the last bytes of every flush, which are not sent (RFC 7692 §7.2.1).
pub(super) const FLUSH: [u8; 4] = [0, 0, 0xff, 0xff];
