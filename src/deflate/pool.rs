//! Compressors, a decompressor and a buffer for connections without context takeover, each used for one message at a time.
//!
//! The pool is thread-local. Codecs never await, so a thread never uses more than one of a kind at once, and a state that is given
//! back is still in the cache of that core.

use std::cell::RefCell;

use super::codec::{Compressor, Decompressor, Params};

/// Takes a compressor without earlier input.
pub(super) fn compressor(params: Params) -> Compressor {
    let pooled = with(|pool| {
        let index = pool.compressors.iter().position(|compressor| compressor.params() == params)?;
        Some(pool.compressors.remove(index))
    });
    match pooled.flatten() {
        Some(mut compressor) => {
            compressor.reset();
            compressor
        }
        None => Compressor::new(params),
    }
}

pub(super) fn put_compressor(compressor: Compressor) {
    let oldest = with(|pool| {
        let oldest = (pool.compressors.len() == MAX_COMPRESSORS).then(|| pool.compressors.remove(0));
        pool.compressors.push(compressor);
        oldest
    });
    drop(oldest);
}

/// Takes a decompressor without earlier output.
pub(super) fn decompressor() -> Decompressor {
    match with(|pool| pool.decompressor.take()).flatten() {
        Some(mut decompressor) => {
            decompressor.reset();
            decompressor
        }
        None => Decompressor::new(),
    }
}

pub(super) fn put_decompressor(decompressor: Decompressor) {
    with(|pool| pool.decompressor = Some(decompressor));
}

/// Takes a buffer for a codec's output, whose size is not known in advance.
pub(super) fn take_buffer() -> Box<[u8]> {
    with(|pool| pool.buffer.take()).flatten().unwrap_or_else(|| vec![0; BUFFER_SIZE].into())
}

pub(super) fn give_buffer(buffer: Box<[u8]>) {
    with(|pool| pool.buffer = Some(buffer));
}

/// Calls `f` with the thread's pool. `None` while the thread ends.
fn with<R>(f: impl FnOnce(&mut Pool) -> R) -> Option<R> {
    POOL.try_with(|pool| f(&mut pool.borrow_mut())).ok()
}

struct Pool {
    /// The least recently used comes first.
    compressors: Vec<Compressor>,
    decompressor: Option<Decompressor>,
    buffer: Option<Box<[u8]>>,
}

thread_local! {
    static POOL: RefCell<Pool> = const {
        RefCell::new(Pool { compressors: Vec::new(), decompressor: None, buffer: None })
    };
}

/// One for the window size of nearly all clients, and one for another.
const MAX_COMPRESSORS: usize = 2;
/// The size of the window, in bytes, and more than most messages.
const BUFFER_SIZE: usize = 32 << 10;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Compression;

    #[test]
    fn keeps_the_states_that_were_used_last() {
        let settings = Compression::default();
        for bits in [15, 9, 15, 12, 10, 15] {
            put_compressor(compressor(Params::new(&settings, bits)));
        }
        let kept = with(|pool| pool.compressors.iter().map(Compressor::params).collect::<Vec<_>>());
        assert_eq!(kept, Some(vec![Params::new(&settings, 10), Params::new(&settings, 15)]));
    }

    #[test]
    fn keeps_one_buffer_of_32_kib() {
        // A thread of its own has a pool of its own.
        let test = || {
            let buffer = take_buffer();
            assert_eq!(buffer.len(), 32 * 1024);
            let start = buffer.as_ptr();
            give_buffer(buffer);
            let (again, another) = (take_buffer(), take_buffer());
            assert!(again.as_ptr() == start && another.as_ptr() != start);
        };
        std::thread::spawn(test).join().unwrap();
    }
}
