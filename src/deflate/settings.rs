//! The settings of permessage-deflate.

use std::ops::RangeInclusive;

use crate::error::{Error, ErrorKind};

/// Settings of permessage-deflate (RFC 7692), which compresses messages.
///
/// The default suits servers with many connections: level 1, messages of 512 bytes and more, and no context takeover on
/// either side, so that each message is compressed on its own and an idle connection has no compressor.
///
/// ```
/// use tower_websocket::Compression;
///
/// // Small, similar messages compress much better when each may refer to the ones before it.
/// let compression = Compression::default()
///     .server_context_takeover(true)
///     .threshold(64)
///     .server_max_window_bits(12)?
///     .memory_level(5)?;
/// # Ok::<(), tower_websocket::Error>(())
/// ```
///
/// # Memory
///
/// Without context takeover, states are shared: each thread that works on connections keeps at most two compressors, one
/// decompressor and 32 KiB for their output, however many connections it serves. A direction *with* context takeover
/// keeps its own state for as long as the connection lives, made when its first message is compressed or inflated:
///
/// | state | window bits | memory level | bytes |
/// | --- | --- | --- | --- |
/// | compressor | 15 | 9 | 494 848 |
/// | compressor | 15 | 8 (default) | 380 160 |
/// | compressor | 15 | 1 | 266 368 |
/// | compressor | 12 | 8 | 265 472 |
/// | compressor | 12 | 5 | 165 120 |
/// | compressor | 12 | 1 | 151 680 |
/// | compressor | 9 | 1 | 137 344 |
/// | decompressor | any | any | 47 680 |
///
/// (zlib-rs 0.6.8; 128 KiB of each compressor are a hash table of fixed size.)
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct Compression {
    pub(super) level: u8,
    pub(super) threshold: usize,
    pub(super) server_context_takeover: bool,
    pub(super) client_context_takeover: bool,
    pub(super) server_max_window_bits: u8,
    pub(super) client_max_window_bits: u8,
    pub(super) memory_level: u8,
}

impl Compression {
    /// The compression level, from 1 (fastest, the default) to 9 (smallest).
    ///
    /// Time and size of JSON without context takeover, measured on one core:
    ///
    /// | level | 1 KiB | | 16 KiB | | 256 KiB | |
    /// | --- | --- | --- | --- | --- | --- | --- |
    /// | 1 | 8 µs | 52 % | 57 µs | 33 % | 0.7 ms | 31 % |
    /// | 2 | 21 µs | 41 % | 101 µs | 25 % | 1.6 ms | 23 % |
    /// | 3 | 23 µs | 40 % | 157 µs | 23 % | 2.2 ms | 21 % |
    /// | 6 | 24 µs | 40 % | 183 µs | 22 % | 4.9 ms | 19 % |
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidSetting`] outside of 1 to 9.
    #[doc(alias = "SetCompressionLevel")]
    pub fn level(mut self, level: u8) -> Result<Self, Error> {
        self.level = checked("compression level", level, 1..=9)?;
        Ok(self)
    }

    /// Messages of fewer bytes are sent uncompressed. 512 by default.
    ///
    /// Without context takeover, JSON of 200 bytes shrinks by 9 % only, 512 bytes by 36 %, 1 KiB by 48 %. With context
    /// takeover 64 is a good choice.
    pub fn threshold(mut self, bytes: usize) -> Self {
        self.threshold = bytes;
        self
    }

    /// Whether what the server compresses may refer to its earlier messages (RFC 7692 §7.1.1.1). Off by default.
    ///
    /// A stream of similar messages then gets much smaller (JSON of 200 bytes to 31 %, in 0.7 µs), and needs less time, as
    /// the compressor is not cleared in between. It costs memory for each connection: on a server, a compressor. The client
    /// can decline it in the handshake.
    pub fn server_context_takeover(mut self, takeover: bool) -> Self {
        self.server_context_takeover = takeover;
        self
    }

    /// Whether what the client compresses may refer to its earlier messages (RFC 7692 §7.1.1.2). Off by default.
    ///
    /// On a server it costs a decompressor for each connection.
    pub fn client_context_takeover(mut self, takeover: bool) -> Self {
        self.client_context_takeover = takeover;
        self
    }

    /// The base-2 logarithm of the window size of the server's compressor, from 9 to 15 (RFC 7692 §7.1.2.1). 15 (32 KiB) by
    /// default; a client may ask for less.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidSetting`] outside of 9 to 15. (The RFC also allows 8, which zlib does not support for
    /// compression.)
    pub fn server_max_window_bits(mut self, bits: u8) -> Result<Self, Error> {
        self.server_max_window_bits = checked("window bits", bits, WINDOW_BITS)?;
        Ok(self)
    }

    /// The base-2 logarithm of the window size of the client's compressor, from 9 to 15 (RFC 7692 §7.1.2.2). 15 (32 KiB) by
    /// default. It applies only to clients that offer this parameter, as browsers do.
    ///
    /// This saves memory in the client. The server's decompressor has the same size for every window.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidSetting`] outside of 9 to 15.
    pub fn client_max_window_bits(mut self, bits: u8) -> Result<Self, Error> {
        self.client_max_window_bits = checked("window bits", bits, WINDOW_BITS)?;
        Ok(self)
    }

    /// How much memory a compressor uses in addition to its window, from 1 to 9. 8 by default, as in zlib.
    ///
    /// At compression level 1 a small value has no disadvantage; at the other levels messages get somewhat larger.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidSetting`] outside of 1 to 9.
    pub fn memory_level(mut self, level: u8) -> Result<Self, Error> {
        self.memory_level = checked("memory level", level, 1..=9)?;
        Ok(self)
    }
}

/// What was set, or the default.
impl Compression {
    /// See [`level`](Self::level).
    #[must_use]
    pub fn get_level(&self) -> u8 {
        self.level
    }

    /// See [`threshold`](Self::threshold).
    #[must_use]
    pub fn get_threshold(&self) -> usize {
        self.threshold
    }

    /// See [`server_context_takeover`](Self::server_context_takeover).
    #[must_use]
    pub fn get_server_context_takeover(&self) -> bool {
        self.server_context_takeover
    }

    /// See [`client_context_takeover`](Self::client_context_takeover).
    #[must_use]
    pub fn get_client_context_takeover(&self) -> bool {
        self.client_context_takeover
    }

    /// See [`server_max_window_bits`](Self::server_max_window_bits).
    #[must_use]
    pub fn get_server_max_window_bits(&self) -> u8 {
        self.server_max_window_bits
    }

    /// See [`client_max_window_bits`](Self::client_max_window_bits).
    #[must_use]
    pub fn get_client_max_window_bits(&self) -> u8 {
        self.client_max_window_bits
    }

    /// See [`memory_level`](Self::memory_level).
    #[must_use]
    pub fn get_memory_level(&self) -> u8 {
        self.memory_level
    }
}

impl Compression {
    /// What is on unless it is turned off.
    pub(crate) fn by_default() -> Option<Self> {
        Some(Self::default())
    }
}

impl Default for Compression {
    fn default() -> Self {
        Self {
            level: 1,
            threshold: 512,
            server_context_takeover: false,
            client_context_takeover: false,
            server_max_window_bits: MAX_WINDOW_BITS,
            client_max_window_bits: MAX_WINDOW_BITS,
            memory_level: 8,
        }
    }
}

fn checked(what: &str, value: u8, range: RangeInclusive<u8>) -> Result<u8, Error> {
    if range.contains(&value) {
        return Ok(value);
    }
    let (from, to) = range.into_inner();
    Err(Error::with_source(ErrorKind::InvalidSetting, format!("{what} must be {from} to {to}, not {value}")))
}

/// The default window: 32 KiB.
pub(super) const MAX_WINDOW_BITS: u8 = 15;
/// The windows that zlib supports for compression.
pub(super) const WINDOW_BITS: RangeInclusive<u8> = 9..=MAX_WINDOW_BITS;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_those_that_are_documented() {
        let settings = Compression::default();
        assert_eq!((settings.get_level(), settings.get_threshold(), settings.get_memory_level()), (1, 512, 8));
        assert!(!settings.get_server_context_takeover() && !settings.get_client_context_takeover());
        assert_eq!((settings.get_server_max_window_bits(), settings.get_client_max_window_bits()), (15, 15));
    }

    #[test]
    fn refuses_what_zlib_cannot_do() {
        let valid = Compression::default();
        for (setter, from, to) in [
            (Compression::level as fn(Compression, u8) -> _, 1, 9),
            (Compression::memory_level, 1, 9),
            (Compression::server_max_window_bits, 9, 15),
            (Compression::client_max_window_bits, 9, 15),
        ] {
            for value in 0..=u8::MAX {
                let built: Result<_, Error> = setter(valid.clone(), value);
                assert_eq!(built.is_ok(), (from..=to).contains(&value), "{value}");
                assert!(built.err().is_none_or(|err| err.kind() == ErrorKind::InvalidSetting));
            }
        }
    }
}
