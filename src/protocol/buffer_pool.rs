//! Thread-local buffers: connections use them while they are polled, and have none while they are idle.

use std::cell::{Cell, RefCell};
use std::thread::LocalKey;

use bytes::BytesMut;

/// Takes the thread's read buffer: empty, with capacity for [`READ_SIZE`] bytes.
#[inline]
pub(crate) fn take_read_buffer() -> BytesMut {
    let mut buffer = READ.try_with(Cell::take).ok().flatten().unwrap_or_default();
    make_room(&mut buffer);
    buffer
}

/// Moves the contents of a read buffer to its beginning, so that the capacity is [`READ_SIZE`] bytes in all.
///
/// A large message is not copied out of the buffer, but shares its memory. If the message was dropped before the next read, as in
/// an echo, the memory is used again; otherwise the buffer gets new memory. It never grows.
#[inline]
pub(crate) fn make_room(buffer: &mut BytesMut) {
    if !buffer.try_reclaim(READ_SIZE.saturating_sub(buffer.len())) {
        let mut other = BytesMut::with_capacity(READ_SIZE);
        other.extend_from_slice(buffer);
        *buffer = other;
    }
}

/// Gives a read buffer to the current thread.
#[inline]
pub(crate) fn give_read_buffer(mut buffer: BytesMut) {
    buffer.clear();
    // Fails while the thread ends: then the buffer is freed.
    let _ = READ.try_with(|slot| slot.set(Some(buffer)));
}

/// Takes an empty buffer, in which bytes are gathered.
#[inline]
pub(crate) fn take_buffer() -> Vec<u8> {
    with(&SPARE, Vec::pop).flatten().unwrap_or_default()
}

/// Gives a buffer back. A large one is freed, so that a burst does not keep memory.
#[inline]
pub(crate) fn give_buffer(mut buffer: Vec<u8>) {
    if (1..=MAX_SPARE_SIZE).contains(&buffer.capacity()) {
        buffer.clear();
        with(&SPARE, |spare| {
            if spare.len() < MAX_SPARE {
                spare.push(buffer);
            }
        });
    }
}

/// Calls `f` with a thread-local value. `None` while the thread ends.
#[inline]
fn with<T, R>(local: &'static LocalKey<RefCell<T>>, f: impl FnOnce(&mut T) -> R) -> Option<R> {
    local.try_with(|value| f(&mut value.borrow_mut())).ok()
}

/// How many bytes are read at once: a burst of small messages, or one message of 64 KiB.
pub(crate) const READ_SIZE: usize = 64 * 1024 + 256;
/// The largest buffer that is kept, in bytes.
const MAX_SPARE_SIZE: usize = 128 * 1024;
/// How many buffers a thread keeps.
const MAX_SPARE: usize = 8;

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
    fn eight_buffers_are_kept() {
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
