//! Buffers of the thread: connections use them while they are polled, and have none while they are idle.

use std::cell::{Cell, RefCell};
use std::thread::LocalKey;

use bytes::BytesMut;

/// The thread's empty buffer, with room for [`READ_SIZE`] bytes.
#[inline]
pub(crate) fn take_read_buffer() -> BytesMut {
    let mut buffer = READ.try_with(Cell::take).ok().flatten().unwrap_or_default();
    make_room(&mut buffer);
    buffer
}

/// Moves what is in a read buffer to its beginning, so that there is room for [`READ_SIZE`] bytes in all.
///
/// A large message that was received keeps its part of the memory. Where it is gone by the next read, as in an echo, the
/// memory is used again, and otherwise left to it. The buffer never grows.
#[inline]
pub(crate) fn make_room(buffer: &mut BytesMut) {
    if !buffer.try_reclaim(READ_SIZE.saturating_sub(buffer.len())) {
        let mut other = BytesMut::with_capacity(READ_SIZE);
        other.extend_from_slice(buffer);
        *buffer = other;
    }
}

/// Gives the read buffer back to the thread that is polling now.
#[inline]
pub(crate) fn give_read_buffer(mut buffer: BytesMut) {
    buffer.clear();
    // While the thread ends there is no place for it.
    let _ = READ.try_with(|slot| slot.set(Some(buffer)));
}

/// An empty buffer to gather bytes in.
#[inline]
pub(crate) fn take_buffer() -> Vec<u8> {
    with(&SPARE, Vec::pop).flatten().unwrap_or_default()
}

/// Gives a buffer back. One that grew large is freed, so that a burst does not stay in memory.
#[inline]
pub(crate) fn give_buffer(mut buffer: Vec<u8>) {
    if (1..=LARGEST_SPARE).contains(&buffer.capacity()) {
        buffer.clear();
        with(&SPARE, |spare| {
            if spare.len() < MOST_SPARE {
                spare.push(buffer);
            }
        });
    }
}

/// `None` while the thread ends.
#[inline]
fn with<T, R>(local: &'static LocalKey<RefCell<T>>, f: impl FnOnce(&mut T) -> R) -> Option<R> {
    local.try_with(|value| f(&mut value.borrow_mut())).ok()
}

/// How much is read at once: a burst of small messages, or one of 64 KiB.
pub(crate) const READ_SIZE: usize = 64 * 1024 + 256;
const LARGEST_SPARE: usize = 128 * 1024;
const MOST_SPARE: usize = 8;

thread_local! {
    static READ: Cell<Option<BytesMut>> = const { Cell::new(None) };
    static SPARE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A thread of its own has memory of its own.
    fn in_a_new_thread(test: impl FnOnce() + Send + 'static) {
        std::thread::spawn(test).join().unwrap();
    }

    #[test]
    fn the_read_buffer_is_used_again_and_has_its_size() {
        in_a_new_thread(|| {
            let mut buffer = take_read_buffer();
            assert_eq!(buffer.capacity(), 65_792);
            buffer.extend_from_slice(b"read");
            let start = buffer.as_ptr();
            give_read_buffer(buffer);
            // Memory that was freed would be used for this.
            let _other = BytesMut::with_capacity(READ_SIZE);
            let again = take_read_buffer();
            assert_eq!((again.as_ptr(), again.len(), again.capacity()), (start, 0, 65_792));
            // While it is taken there is no other.
            assert_ne!(take_read_buffer().as_ptr(), start);
        });
    }

    #[test]
    fn eight_buffers_wait_to_be_used_again() {
        in_a_new_thread(|| {
            let given: Vec<_> = (0..9).map(|_| vec![1; 100]).collect();
            let starts: Vec<_> = given.iter().map(|buffer| buffer.as_ptr()).collect();
            given.into_iter().for_each(give_buffer);
            let taken: Vec<_> = (0..9).map(|_| take_buffer()).collect();
            assert!(taken.iter().all(Vec::is_empty));
            let again: Vec<_> =
                taken.iter().filter(|buffer| buffer.capacity() > 0).map(|buffer| buffer.as_ptr()).collect();
            assert_eq!(again, starts[..8].iter().rev().copied().collect::<Vec<_>>());
        });
    }

    #[test]
    fn a_buffer_of_more_than_128_kib_or_of_none_is_freed() {
        in_a_new_thread(|| {
            for (capacity, kept) in [(0, false), (1, true), (128 * 1024, true), (128 * 1024 + 1, false)] {
                give_buffer(Vec::with_capacity(capacity));
                assert_eq!(SPARE.with_borrow(Vec::len), usize::from(kept), "{capacity}");
                take_buffer();
            }
        });
    }
}
