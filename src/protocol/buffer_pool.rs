//! Memory that belongs to the thread: connections borrow it while they are polled, and own none while they are idle.

use std::cell::RefCell;
use std::thread::LocalKey;

use bytes::BytesMut;

/// The thread's empty buffer, with room for [`READ_SIZE`] bytes.
#[inline]
pub(crate) fn take_read_buffer() -> BytesMut {
    let mut buffer = with(&READ, Option::take).flatten().unwrap_or_default();
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
    with(&READ, |slot| *slot = Some(buffer));
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
fn with<T, R>(local: &'static LocalKey<RefCell<T>>, f: impl FnOnce(&mut T) -> R) -> Option<R> {
    local.try_with(|value| f(&mut value.borrow_mut())).ok()
}

/// How much is read at once: a burst of small messages, or one of 64 KiB.
pub(crate) const READ_SIZE: usize = 64 * 1024 + 256;
const LARGEST_SPARE: usize = 128 * 1024;
const MOST_SPARE: usize = 8;

thread_local! {
    static READ: RefCell<Option<BytesMut>> = const { RefCell::new(None) };
    static SPARE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}
