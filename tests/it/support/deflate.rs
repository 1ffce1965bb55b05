//! permessage-deflate by another implementation (RFC 7692 §7.2).

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};

/// One direction with context takeover.
pub(crate) struct Deflate(Compress);

impl Deflate {
    pub(crate) fn new() -> Self {
        Self(Compress::new(Compression::default(), false))
    }

    /// One message.
    pub(crate) fn message(&mut self, payload: &[u8]) -> Vec<u8> {
        // RFC 7692 §7.2.3.6. zlib flushes nothing a second time.
        if payload.is_empty() {
            return vec![0];
        }
        let mut out = Vec::with_capacity(payload.len() + payload.len() / 8 + 1024);
        let start = self.0.total_in();
        self.0.compress_vec(payload, &mut out, FlushCompress::Sync).unwrap();
        assert_eq!(self.0.total_in() - start, payload.len() as u64);
        assert_eq!(out.split_off(out.len() - 4), [0, 0, 0xff, 0xff]);
        out
    }
}

/// The other direction.
pub(crate) struct Inflate(Decompress);

impl Inflate {
    pub(crate) fn new() -> Self {
        Self(Decompress::new(false))
    }

    /// One message.
    pub(crate) fn message(&mut self, payload: &[u8]) -> Vec<u8> {
        let input = [payload, &[0, 0, 0xff, 0xff]].concat();
        let (start, mut read, mut out) = (self.0.total_in(), 0, Vec::new());
        while read < input.len() || out.len() == out.capacity() {
            out.reserve(out.len() + 1024);
            self.0.decompress_vec(&input[read..], &mut out, FlushDecompress::Sync).unwrap();
            read = (self.0.total_in() - start) as usize;
        }
        out
    }
}

/// One message that stands alone.
pub(crate) fn deflate(payload: impl AsRef<[u8]>) -> Vec<u8> {
    Deflate::new().message(payload.as_ref())
}

/// One message that stands alone.
pub(crate) fn inflate(payload: &[u8]) -> Vec<u8> {
    Inflate::new().message(payload)
}
