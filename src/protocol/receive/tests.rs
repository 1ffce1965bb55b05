use std::io;

use bytes::BufMut;

use super::*;
use crate::budget::Budget;
use crate::limits::Limits;
use crate::protocol::failure::Failure;
use crate::protocol::frame::{MASK, apply_mask};
use crate::role::Role;

/// The name of an event, and its payload.
type NamedEvent = (&'static str, Vec<u8>);

fn named(received: Received) -> NamedEvent {
    let event = match received {
        Received::Message(message) if message.as_text().is_some() => return ("text", message.into_bytes().to_vec()),
        Received::Message(message) => return ("binary", message.into_bytes().to_vec()),
        Received::Event(event) => event,
    };
    match event {
        Event::Close(frame) => ("close", frame.code().get().to_be_bytes().to_vec()),
        Event::End(error) => ("end", error.map_or_else(Vec::new, |error| error.to_string().into_bytes())),
        Event::Failed(failure) => ("failed", format!("{failure:?}").into_bytes()),
        Event::Ping(payload) => ("ping", payload.to_vec()),
        Event::Pong(payload) => ("pong", payload.to_vec()),
    }
}

fn receiver(limits: &Limits) -> Receiver {
    Receiver::new(Role::Server, Assembler::new(limits, None))
}

/// A frame as a client sends it.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = match payload.len() {
        len @ 0..126 => vec![first, MASK | len as u8],
        len @ 126..0x1_0000 => [&[first, MASK | 126][..], &(len as u16).to_be_bytes()].concat(),
        len => [&[first, MASK | 127][..], &(len as u64).to_be_bytes()].concat(),
    };
    let mask = [1, 2, 3, 4];
    bytes.extend_from_slice(&mask);
    let start = bytes.len();
    bytes.extend_from_slice(payload);
    apply_mask(&mut bytes[start..], mask);
    bytes
}

/// Has the receiver read these bytes, as many at a time as it has space for, and calls `after_read` each time.
fn read(receiver: &mut Receiver, intake: Intake, mut bytes: &[u8], mut after_read: impl FnMut(&mut Receiver)) {
    while !bytes.is_empty() {
        let mut space = receiver.read_space(intake).unwrap();
        let len = space.remaining_mut().min(bytes.len());
        assert!(len > 0, "there is no room");
        space.put_slice(&bytes[..len]);
        receiver.bytes_read(len, intake);
        bytes = &bytes[len..];
        after_read(receiver);
    }
}

fn events(receiver: &mut Receiver, intake: Intake) -> Vec<NamedEvent> {
    let mut budget = usize::MAX;
    std::iter::from_fn(|| next(receiver, intake, &mut budget).map(named)).collect()
}

/// The next message or event, read as a connection does: `whole_message` first, otherwise step by step.
fn next(receiver: &mut Receiver, intake: Intake, budget: &mut usize) -> Option<Received> {
    let whole = if intake == Intake::Accept { receiver.whole_message(budget) } else { None };
    match whole {
        Some(message) => {
            Some(message.map_or_else(|failure| Received::Event(Event::Failed(failure)), Received::Message))
        }
        None => receiver.next(intake, budget),
    }
}

#[test]
fn any_split_of_the_input_gives_the_same_events() {
    let large = vec![b'x'; 40_000];
    let mut input = Vec::new();
    let mut expected: Vec<NamedEvent> = Vec::new();
    for (first, payload, event) in [
        (0x81, "text".as_bytes(), Some("text")),
        (0x82, b"", Some("binary")),
        (0x82, &large, Some("binary")),
        (0x89, b"between", Some("ping")),
        (0x81, &large[..20_000], Some("text")),
        (0x8a, &[0; 125], Some("pong")),
        (0x81, &large[..300], Some("text")),
    ] {
        input.extend(frame(first, payload));
        expected.extend(event.map(|event| (event, payload.to_vec())));
    }
    // A message in fragments, with control frames in between. The text is cut within a character.
    for (first, payload) in [(0x01, &b"\xc3"[..]), (0x89, b"1"), (0x00, b"\xa9\xc3"), (0x8a, b"2"), (0x80, b"\xa9")] {
        input.extend(frame(first, payload));
    }
    expected.extend([("ping", b"1".to_vec()), ("pong", b"2".to_vec()), ("text", b"\xc3\xa9\xc3\xa9".to_vec())]);
    for (first, payload) in [(0x02, &large[..17_000]), (0x00, &large[..40_000]), (0x80, &large[..10])] {
        input.extend(frame(first, payload));
    }
    expected.push(("binary", vec![b'x'; 57_010]));
    input.extend(frame(0x88, &1000_u16.to_be_bytes()));
    expected.push(("close", 1000_u16.to_be_bytes().to_vec()));
    for piece in [1, 5, 100, 1000, 16 * 1024, 20_000, 70_000, usize::MAX] {
        for parks in [false, true] {
            let mut receiver = receiver(&Limits::default());
            let mut seen = Vec::new();
            for piece in input.chunks(piece) {
                read(&mut receiver, Intake::Accept, piece, |receiver| {
                    seen.extend(events(receiver, Intake::Accept));
                    assert!(receiver.wants_input(Intake::Accept));
                    if parks {
                        receiver.park();
                    }
                });
            }
            assert!(seen == expected, "in pieces of {piece}");
            assert!(receiver.is_waiting_for_input());
        }
    }
}

#[test]
fn while_messages_are_discarded_only_control_frames_are_events() {
    let input = [
        frame(0x81, b"text"),
        frame(0x89, b"ping"),
        frame(0x01, b"not\xff"),
        frame(0x80, &[0xff; 50_000]),
        frame(0x82, &vec![0; 2 * 1024 * 1024]),
        frame(0x88, b""),
    ]
    .concat();
    for piece in [7, 20_000, usize::MAX] {
        let mut receiver = receiver(&Limits::default());
        let mut seen = Vec::new();
        for piece in input.chunks(piece) {
            read(&mut receiver, Intake::Discard, piece, |receiver| seen.extend(events(receiver, Intake::Discard)));
        }
        assert_eq!(seen, [("ping", b"ping".to_vec()), ("close", 1005_u16.to_be_bytes().to_vec())]);
    }
}

#[test]
fn while_paused_control_frames_are_events_and_a_begun_message_is_completed() {
    let mut receiver = receiver(&Limits::default());
    read(&mut receiver, Intake::Accept, &frame(0x01, b"be"), |_| {});
    assert!(!receiver.is_mid_message());
    assert_eq!(events(&mut receiver, Intake::Accept), []);
    assert!(receiver.is_mid_message() && receiver.wants_input(Intake::Pause));
    assert_eq!(receiver.read_space(Intake::Pause).unwrap().remaining_mut(), 512);
    let input =
        [frame(0x89, b"1"), frame(0x80, b"gun"), frame(0x8a, b"2"), frame(0x82, b"next"), frame(0x89, b"3")].concat();
    read(&mut receiver, Intake::Pause, &input, |_| {});
    let expected = [("ping", b"1".to_vec()), ("text", b"begun".to_vec()), ("pong", b"2".to_vec())];
    assert_eq!(events(&mut receiver, Intake::Pause), expected);
    // The ping after the next message is not an event yet.
    assert!(!receiver.is_mid_message() && !receiver.is_waiting_for_input());
    assert!(!receiver.wants_input(Intake::Pause) && receiver.wants_input(Intake::Accept));
    assert_eq!(events(&mut receiver, Intake::Pause), []);
    assert_eq!(events(&mut receiver, Intake::Accept), [("binary", b"next".to_vec()), ("ping", b"3".to_vec())]);
    assert!(receiver.wants_input(Intake::Pause) && receiver.is_waiting_for_input());
}

#[test]
fn each_frame_consumes_one_unit_of_the_budget() {
    for (intake, input, frames, events) in [
        (Intake::Accept, frame(0x81, b"whole"), 1, 4),
        (Intake::Accept, frame(0x89, b"ping"), 1, 4),
        // The payload of the fourth has not been parsed.
        (Intake::Accept, [frame(0x01, b"frag"), frame(0x80, b"ments")].concat(), 2, 1),
        (Intake::Discard, frame(0x81, b"whole"), 1, 0),
    ] {
        let mut receiver = receiver(&Limits::default());
        read(&mut receiver, intake, &input.repeat(10), |_| {});
        let mut budget = 4;
        let seen = std::iter::from_fn(|| next(&mut receiver, intake, &mut budget)).count();
        assert_eq!((budget, seen), (0, events));
        let mut budget = 100;
        while next(&mut receiver, intake, &mut budget).is_some() {}
        assert_eq!(budget, 100 - (10 * frames - 4));
    }
}

#[test]
fn the_end_comes_after_everything_that_arrived_before_it() {
    let mut receiver = receiver(&Limits::default());
    receiver.start_with(&[frame(0x81, b"early"), frame(0x81, b"whole"), frame(0x81, b"half")[..7].to_vec()].concat());
    assert!(!receiver.is_waiting_for_input());
    receiver.input_ended(Some(io::Error::other("reset")));
    receiver.input_ended(None);
    assert!(!receiver.wants_input(Intake::Accept));
    let mut budget = 100;
    let mut next = || next(&mut receiver, Intake::Accept, &mut budget).map(named);
    assert_eq!(next(), Some(("text", b"early".to_vec())));
    assert_eq!(next(), Some(("text", b"whole".to_vec())));
    assert_eq!(next(), Some(("end", b"reset".to_vec())));
    assert_eq!(next(), Some(("end", Vec::new())));
}

#[test]
fn a_message_within_another_and_a_fragment_of_none_break_the_rules() {
    for input in [
        [frame(0x01, b"begun"), frame(0x81, b"another")].concat(),
        [frame(0x01, b"begun"), frame(0x01, b"another")].concat(),
        [frame(0x81, b"whole"), frame(0x80, b"of none")].concat(),
    ] {
        let mut receiver = receiver(&Limits::default());
        read(&mut receiver, Intake::Accept, &input, |_| {});
        let mut budget = 100;
        let last =
            std::iter::from_fn(|| next(&mut receiver, Intake::Accept, &mut budget)).nth(usize::from(input[0] == 0x81));
        assert!(matches!(last, Some(Received::Event(Event::Failed(Failure::Protocol(_))))), "{last:?}");
    }
}

#[test]
fn fragments_beyond_the_budget_end_the_message() {
    let budget = Budget::new(70_000);
    let mut receiver = receiver(&Limits::default().budget(budget));
    for (number, first) in [0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00].into_iter().enumerate() {
        read(&mut receiver, Intake::Accept, &frame(first, &[0; 10_000]), |_| {});
        assert_eq!(events(&mut receiver, Intake::Accept), [], "fragment {number}");
    }
    read(&mut receiver, Intake::Accept, &frame(0x00, &[0; 10_000]), |_| {});
    assert!(matches!(
        next(&mut receiver, Intake::Accept, &mut 9),
        Some(Received::Event(Event::Failed(Failure::BudgetExceeded)))
    ));
}

#[test]
fn a_cleared_receiver_gives_its_charge_back_and_ends() {
    let budget = Budget::new(1024 * 1024);
    let mut receiver = receiver(&Limits::default().budget(budget.clone()));
    for clear in [Receiver::discard, Receiver::clear] {
        read(&mut receiver, Intake::Accept, &frame(0x02, &[0; 200_000])[..150_000], |receiver| {
            events(receiver, Intake::Accept);
        });
        assert!(budget.used() >= 140_000 && receiver.wants_input(Intake::Accept));
        clear(&mut receiver);
        assert_eq!(budget.used(), 0);
        if receiver.wants_input(Intake::Accept) {
            // The rest of the frame still comes, and then another.
            read(&mut receiver, Intake::Discard, &frame(0x02, &[0; 200_000])[150_000..], |receiver| {
                assert_eq!(events(receiver, Intake::Discard), []);
            });
            read(&mut receiver, Intake::Discard, &frame(0x80, b""), |_| {});
            assert_eq!(events(&mut receiver, Intake::Discard), []);
        }
    }
    assert!(!receiver.is_waiting_for_input());
    assert!(matches!(next(&mut receiver, Intake::Accept, &mut 1), Some(Received::Event(Event::End(None)))));
    let mut receiver = self::receiver(&Limits::default());
    receiver.start_with(&frame(0x81, b"unread"));
    receiver.clear();
    assert!(matches!(next(&mut receiver, Intake::Accept, &mut 1), Some(Received::Event(Event::End(None)))));
}

#[test]
fn a_message_may_be_as_large_as_the_limit() {
    let limits = Limits::default().max_message_size(1000);
    for (frames, fits) in [
        (vec![(0x82, 1000)], true),
        (vec![(0x82, 1001)], false),
        (vec![(0x02, 999), (0x80, 1)], true),
        (vec![(0x02, 999), (0x00, 2)], false),
        (vec![(0x82, 1000), (0x82, 1000)], true),
    ] {
        let mut receiver = receiver(&limits);
        let input: Vec<u8> = frames.iter().flat_map(|(first, len)| frame(*first, &vec![0; *len])).collect();
        read(&mut receiver, Intake::Accept, &input, |_| {});
        let mut budget = 100;
        let seen: Vec<_> = (0..frames.len()).map_while(|_| next(&mut receiver, Intake::Accept, &mut budget)).collect();
        let failed = matches!(seen.last(), Some(Received::Event(Event::Failed(Failure::MessageTooBig))));
        assert_eq!(failed, !fits, "{frames:?}");
    }
}

/// The address to which the receiver reads, and how much space there is.
fn space(receiver: &mut Receiver) -> (*const u8, usize) {
    let mut space = receiver.read_space(Intake::Accept).unwrap();
    let chunk = space.chunk_mut();
    (chunk.as_mut_ptr().cast_const(), chunk.len())
}

#[test]
fn a_message_of_16_kib_or_more_shares_the_memory_that_it_was_read_into() {
    for (len, stays) in [(16 * 1024, true), (16 * 1024 - 1, false)] {
        let mut receiver = receiver(&Limits::default());
        let (start, _) = space(&mut receiver);
        let input = frame(0x82, &vec![0; len]);
        read(&mut receiver, Intake::Accept, &input, |_| {});
        let Some(Received::Message(message)) = next(&mut receiver, Intake::Accept, &mut 1) else {
            panic!("no message")
        };
        assert_eq!(message.as_bytes().as_ptr() == start.wrapping_add(input.len() - len), stays, "{len}");
    }
}

#[test]
fn the_rest_of_a_large_frame_is_read_directly_into_its_message() {
    for (missing, direct) in [(16 * 1024, true), (16 * 1024 - 1, false)] {
        let mut receiver = receiver(&Limits::default());
        let (start, _) = space(&mut receiver);
        let len = 20_000 + missing;
        let input = frame(0x82, &vec![0; len]);
        let (first, rest) = input.split_at(input.len() - missing);
        read(&mut receiver, Intake::Accept, first, |_| {});
        assert_eq!(events(&mut receiver, Intake::Accept), []);
        // More than 16 KiB have arrived, so the message has taken over the read buffer.
        assert_eq!(space(&mut receiver).0 == start.wrapping_add(first.len()), direct, "{missing}");
        read(&mut receiver, Intake::Accept, rest, |_| {});
        let Some(Received::Message(message)) = next(&mut receiver, Intake::Accept, &mut 1) else {
            panic!("no message")
        };
        assert_eq!(message.len(), len);
    }
}

#[test]
fn memory_for_a_large_frame_is_allocated_as_it_arrives() {
    let budget = Budget::new(usize::MAX);
    let mut receiver = receiver(&Limits::default().max_message_size(100_000_000).budget(budget.clone()));
    let header = [0x82, 0xff, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0];
    read(&mut receiver, Intake::Accept, &header, |_| {});
    assert_eq!(events(&mut receiver, Intake::Accept), []);
    let mut arrived = 0;
    while arrived < 1_000_000 {
        let room = space(&mut receiver).1;
        assert!((1..=arrived.max(64 * 1024) * 2).contains(&room), "space for {room} after {arrived}");
        assert!(budget.used() <= (2 * arrived).max(64 * 1024) && (budget.used() >= arrived || arrived <= 64 * 1024));
        read(&mut receiver, Intake::Accept, &vec![0; room], |_| {});
        arrived += room;
    }
}

#[test]
fn a_connection_that_sleeps_leaves_the_read_buffer_to_its_thread() {
    // A thread of its own has a buffer of its own.
    let test = || {
        let mut receiver = receiver(&Limits::default());
        let (start, _) = space(&mut receiver);
        read(&mut receiver, Intake::Accept, &frame(0x81, b"read"), |_| {});
        assert_eq!(events(&mut receiver, Intake::Accept), [("text", b"read".to_vec())]);
        receiver.park();
        assert_eq!(crate::protocol::take_read_buffer().as_ptr(), start);
    };
    std::thread::spawn(test).join().unwrap();
}
