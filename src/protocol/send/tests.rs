use std::io::IoSlice;

use super::*;
use crate::budget::Budget;
use crate::close::CloseFrame;
use crate::limits::Limits;
use crate::message::{Message, MessageKind};
use crate::protocol::frame::Control;
use crate::role::Role;

const LARGE: usize = 16 * 1024;

fn sender(limits: &Limits) -> Sender {
    let mut sender = Sender::new(Role::Server, limits);
    sender.set_vectored(true);
    sender
}

/// The contents of a buffer, as slices for a transport that can write several buffers at once.
fn all(buffer: &WriteBuffer) -> Vec<u8> {
    let mut slices = [IoSlice::new(&[]); 16];
    let count = buffer.slices(&mut slices);
    slices[..count].iter().flat_map(|slice| slice.iter().copied()).collect()
}

#[test]
fn there_is_capacity_until_the_limit_is_unwritten() {
    let mut sender = sender(&Limits::default().max_write_buffer_size(200));
    let first = sender.push(&Message::from(vec![0; 98]));
    assert_eq!((first, sender.has_capacity(), sender.is_written(first)), (100, true, false));
    let second = sender.push_compressed(&Message::from(vec![0; 500]), &[0; 98]);
    assert_eq!((second, sender.has_capacity(), sender.bytes_queued()), (200, false, 200));
    // Two of the written bytes belong to a ping.
    sender.advance(102, 100);
    assert!(sender.has_capacity() && sender.is_written(first) && !sender.is_written(second));
    sender.advance(100, 100);
    assert!(sender.is_written(second));
    let totals = sender.totals();
    assert_eq!((totals.messages, totals.payload, totals.wire), (2, 598, 202));
    sender.push_close(&CloseFrame::without_code());
    assert_eq!((sender.bytes_queued(), sender.totals().messages), (202, 2));
}

#[test]
fn handles_and_topics_have_a_capacity_each() {
    let mut sender = sender(&Limits::default().max_write_buffer_size(100));
    let push = |sender: &mut Sender| sender.push(&Message::from(vec![0; 38]));
    let handles = push(&mut sender);
    push(&mut sender);
    sender.count_as_topic(handles);
    assert_eq!((sender.unwritten_bytes(), sender.topic_capacity()), (80, 60));
    sender.push_shared(vec![0; 70].into(), 1, 68);
    assert_eq!((sender.has_capacity(), sender.has_topic_capacity()), (true, false));
    push(&mut sender);
    assert!(sender.has_capacity(), "of the handles' 100 bytes 80 are used");
    push(&mut sender);
    assert!(!sender.has_capacity());
    // Written bytes no longer count once everything that was queued before the checkpoint is written.
    sender.advance(230, 230);
    assert_eq!((sender.has_capacity(), sender.topic_capacity()), (true, 100));
    sender.push_shared(vec![0; 10].into(), 1, 8);
    sender.advance(10, 10);
    sender.push_shared(vec![0; 100].into(), 1, 98);
    assert_eq!((sender.has_capacity(), sender.has_topic_capacity()), (true, false));
}

#[test]
fn more_than_4_kib_that_wait_are_charged_until_they_are_written() {
    let budget = Budget::new(5000);
    let mut sender = sender(&Limits::default().budget(budget.clone()));
    sender.push(&Message::from(vec![0; 4092]));
    sender.charge_unwritten();
    assert_eq!((sender.bytes_queued(), budget.used()), (4096, 0));
    sender.push(&Message::from(Vec::new()));
    sender.charge_unwritten();
    assert_eq!(budget.used(), 4098);
    sender.push(&Message::from(vec![0; 8000]));
    sender.charge_unwritten();
    assert_eq!(budget.used(), 4098 + 8004);
    sender.advance(8000, 8000);
    sender.charge_unwritten();
    assert_eq!(budget.used(), 4102);
    sender.advance(100, 100);
    sender.charge_unwritten();
    assert_eq!(budget.used(), 0);
}

#[test]
fn clear_returns_what_is_queued_and_charges_nothing_afterwards() {
    let budget = Budget::new(100_000);
    let mut sender = sender(&Limits::default().budget(budget.clone()));
    sender.push(&Message::from(vec![0; 5000]));
    sender.charge_unwritten();
    assert_eq!((sender.clear().len(), budget.used()), (5004, 0));
    sender.charge_unwritten();
    assert_eq!((budget.used(), sender.clear().len()), (0, 0));
}

#[test]
fn queued_bytes_are_taken_once_and_in_order() {
    let mut sender = sender(&Limits::default());
    sender.push(&Message::from(vec![0; LARGE]));
    let mut writing = WriteBuffer::default();
    assert!(sender.has_queued());
    sender.take_queued(&mut writing);
    assert!(!sender.has_queued());
    assert!(!writing.is_contiguous(), "a sender that was told so leaves large payloads where they are");
    sender.push(&Message::from(vec![1]));
    sender.take_queued(&mut writing);
    sender.take_queued(&mut writing);
    assert_eq!((writing.len(), all(&writing).last()), (LARGE + 4 + 3, Some(&1)));
}

#[test]
fn large_payloads_are_not_copied_and_small_ones_share_a_buffer() {
    for (vectored, role, len, shared) in [
        (true, Role::Server, LARGE, true),
        (true, Role::Server, LARGE - 1, false),
        (false, Role::Server, LARGE, false),
        // A client masks, and so copies.
        (true, Role::Client, LARGE, false),
    ] {
        let payload = vec![7; len];
        let start = payload.as_ptr();
        let message = Message::from(payload);
        let mut buffer = WriteBuffer::default();
        buffer.set_vectored(vectored);
        assert_eq!((buffer.is_vectored(), buffer.is_contiguous()), (vectored, true));
        buffer.push_message(role, &message);
        assert_eq!(buffer.is_contiguous(), !shared, "{vectored} {role:?} {len}");
        buffer.clear();
        assert_eq!((buffer.is_vectored(), buffer.len()), (vectored, 0));
        buffer.push_message(role, &message);
        let mut slices = [IoSlice::new(&[]); 16];
        let count = buffer.slices(&mut slices);
        assert_eq!(count, 1 + usize::from(shared));
        assert_eq!(slices[count - 1].as_ptr() == start, shared);
    }
}

#[test]
fn any_sizes_of_writes_give_the_bytes_that_were_pushed() {
    let frames = |vectored| {
        let mut buffer = WriteBuffer::default();
        buffer.set_vectored(vectored);
        for len in [0, 5, LARGE, LARGE + 1, 10] {
            assert_eq!(buffer.push_message(Role::Server, &Message::from(vec![len as u8; len])), len);
        }
        buffer.push_compressed(Role::Server, MessageKind::Text, &[9; 20]);
        buffer.push_control(Role::Server, Control::Ping, b"ping");
        buffer
    };
    let expected = all(&frames(false));
    assert_eq!(expected.len(), 2 + 7 + (4 + LARGE) + (4 + LARGE + 1) + 12 + 22 + 6);
    for piece in [1, 2, 3, 7, 1000, LARGE, usize::MAX] {
        let (mut queued, mut writing) = (frames(true), WriteBuffer::default());
        writing.append(&mut queued);
        assert!(queued.is_empty() && all(&writing) == expected);
        let mut written = Vec::new();
        while !writing.is_empty() {
            let len = piece.min(writing.front().len());
            written.extend_from_slice(&writing.front()[..len]);
            writing.consume(len);
            assert_eq!(writing.len(), expected.len() - written.len());
        }
        assert!(written == expected, "in pieces of {piece}");
    }
}
