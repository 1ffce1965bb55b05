//! permessage-deflate against flate2: any bytes inflate to the same, and what is compressed comes back.

#![no_main]

use arbitrary::Arbitrary;
use flate2::{Decompress, FlushDecompress, Status};
use http::HeaderMap;
use http::header::SEC_WEBSOCKET_EXTENSIONS;
use libfuzzer_sys::fuzz_target;
use tower_websocket::fuzz_doors::{Agreed, Deflate, Event, Receiver};
use tower_websocket::{Compression, Limits, Message, Role};

#[derive(Arbitrary, Debug)]
struct Input {
    takeover: bool,
    level: u8,
    window: u8,
    limit: u16,
    messages: Vec<Payload>,
}

#[derive(Arbitrary, Debug)]
enum Payload {
    /// To be inflated as it is.
    Compressed(Vec<u8>),
    /// To be compressed and inflated.
    Plain { unit: Vec<u8>, times: u16 },
    /// To be compressed, changed in one bit, and inflated.
    Changed { unit: Vec<u8>, times: u8, at: u16 },
}

fuzz_target!(|input: Input| {
    let settings = Compression::default()
        .threshold(0)
        .level(1 + input.level % 9)
        .and_then(|settings| settings.server_max_window_bits(9 + input.window % 7))
        .unwrap()
        .server_context_takeover(input.takeover)
        .client_context_takeover(input.takeover);
    let mut headers = HeaderMap::new();
    headers.insert(SEC_WEBSOCKET_EXTENSIONS, "permessage-deflate".parse().unwrap());
    let agreed = Agreed::accept(&settings, &headers).unwrap();
    let limit = usize::from(input.limit);
    // The server compresses, and two clients inflate, one of them whole frames.
    let mut server = Deflate::new(&agreed, Role::Server, &settings);
    let mut client = Deflate::new(&agreed, Role::Client, &settings);
    let mut receiver = Receiver::compressed(Role::Client, &Limits::default().max_message_size(limit), &agreed);
    let mut history = Vec::new();
    // Both ends of the server's stream have seen the same.
    let mut in_step = true;
    for message in &input.messages {
        let (payload, original) = match message {
            Payload::Compressed(bytes) => (bytes.clone(), None),
            Payload::Plain { unit, times } => {
                let plain = repeated(unit, (*times).into());
                let Some(compressed) = server.deflate(&plain) else { continue };
                assert!(compressed.len() < plain.len());
                (compressed, Some(plain))
            }
            Payload::Changed { unit, times, at } => {
                let Some(mut compressed) = server.deflate(&repeated(unit, (*times).into())) else { continue };
                let bit = usize::from(*at) % (compressed.len() * 8);
                compressed[bit / 8] ^= 1 << (bit % 8);
                (compressed, None)
            }
        };
        in_step &= !input.takeover || original.is_some();
        if !input.takeover {
            history.clear();
        }
        history.push(payload.clone());
        let ours = client.inflate(&payload, limit);
        let framed = receive(&mut receiver, &payload);
        let expected = inflate(&history, limit);
        match &ours {
            Ok(bytes) => assert_eq!(framed, Some(Event::Message(Message::from(bytes.clone())))),
            Err(_) => assert!(matches!(framed, Some(Event::Failed(_))), "{framed:?}"),
        }
        match (&ours, &expected) {
            (Ok(ours), Some(expected)) => assert!(ours == expected, "{} and {} bytes", ours.len(), expected.len()),
            (Err(true), Some(expected)) => assert!(expected.len() > limit),
            // It can be too big before it is wrong.
            (Err(_), None) => {}
            (Err(false), Some(expected)) => assert!(expected.len() > limit, "ours is invalid, theirs is {expected:?}"),
            (Ok(ours), None) => panic!("ours is {ours:?}, theirs is invalid"),
        }
        if let (Some(original), true) = (original, in_step) {
            assert!(ours == if original.len() > limit { Err(true) } else { Ok(original) });
        }
        if ours.is_err() {
            return;
        }
    }
});

fn repeated(unit: &[u8], times: usize) -> Vec<u8> {
    unit.iter().copied().cycle().take((unit.len() * times).min(300_000)).collect()
}

fn receive(receiver: &mut Receiver, payload: &[u8]) -> Option<Event> {
    let mut frame = vec![0xc2, 127];
    frame.extend((payload.len() as u64).to_be_bytes());
    frame.extend(payload);
    let mut rest = &frame[..];
    loop {
        if let Some(event) = receiver.next_event(false, &mut 100) {
            return Some(event);
        }
        if rest.is_empty() {
            return None;
        }
        match receiver.read(rest, false) {
            Some(Ok(len)) => rest = &rest[len..],
            Some(Err(failure)) => return Some(Event::Failed(failure)),
            None => return None,
        }
    }
}

/// The last of these messages (RFC 7692 §7.2.2) by flate2, where it is whole. What is longer than the limit may be cut off
/// there. A stream that ends is followed by another.
fn inflate(messages: &[Vec<u8>], limit: usize) -> Option<Vec<u8>> {
    let mut model = Decompress::new(false);
    let mut out = Vec::new();
    for (number, payload) in messages.iter().enumerate() {
        out.clear();
        let limit = if number + 1 == messages.len() { limit } else { usize::MAX };
        // An empty payload has nothing to complete, and neither has one that ends with its stream.
        let ended = payload.is_empty() || step(&mut model, payload, &mut out, limit)?;
        if !ended && out.len() <= limit {
            step(&mut model, &[0, 0, 0xff, 0xff], &mut out, limit)?;
        }
        if out.len() > limit {
            return Some(out);
        }
    }
    // Whatever is whole may be followed by an empty block that ends the stream.
    let len = out.len();
    let ended = step(&mut model, &[3, 0], &mut out, usize::MAX)?;
    (ended && out.len() == len).then_some(out)
}

/// Whether the input ends with the end of a stream.
fn step(model: &mut Decompress, mut input: &[u8], out: &mut Vec<u8>, limit: usize) -> Option<bool> {
    loop {
        let (read, written) = (model.total_in(), out.len());
        out.reserve(4096);
        let status = model.decompress_vec(input, out, FlushDecompress::Sync);
        input = &input[(model.total_in() - read) as usize..];
        if out.len() > limit {
            return Some(false);
        }
        match status {
            Ok(Status::StreamEnd) => {
                model.reset(false);
                if input.is_empty() {
                    return Some(true);
                }
            }
            Ok(_) if input.is_empty() && out.len() < out.capacity() => return Some(false),
            Ok(_) if model.total_in() > read || out.len() > written => {}
            // Nothing is left to do, or nothing can be done.
            Ok(_) | Err(_) => return None,
        }
    }
}
