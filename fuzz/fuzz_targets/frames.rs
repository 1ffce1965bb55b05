//! The receiving half of the protocol, fed any bytes in any parts, against tungstenite, which gets them at once.

#![no_main]

use std::io::{self, Read, Write};

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use tokio_tungstenite::tungstenite::protocol::{self, WebSocketConfig};
use tokio_tungstenite::tungstenite::{self, WebSocket};
use tower_websocket::fuzz_doors::{Event, Receiver};
use tower_websocket::{CloseCode, Limits, Message, Role};

#[derive(Arbitrary, Debug)]
struct Input {
    client: bool,
    /// How many of the bytes come with the handshake.
    early: u8,
    steps: Vec<Step>,
    frames: Vec<Frame>,
}

/// A frame whose header is often right, or bytes as they are.
#[derive(Arbitrary, Debug)]
enum Frame {
    Bytes(Vec<u8>),
    Made { first: u8, masked: bool, mask: [u8; 4], form: u8, payload: Vec<u8>, repeated: u8 },
    Text { more: bool, mask: [u8; 4], text: String },
}

/// How the connection goes about it.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum Step {
    /// The connection sleeps.
    Park,
    /// Nobody receives for so many events.
    Pause,
    /// So much is read.
    Read(u16),
    /// So many frames are looked at.
    Budget(u8),
}

fuzz_target!(|input: Input| {
    let role = if input.client { Role::Client } else { Role::Server };
    let bytes: Vec<u8> = input.frames.iter().flat_map(|frame| encode(frame, role)).take(200_000).collect();
    let ours = ours(role, &bytes, input.early.into(), &input.steps);
    let theirs = theirs(role, &bytes);
    compare(&ours, &theirs);
});

fn encode(frame: &Frame, role: Role) -> Vec<u8> {
    let (first, masked, mask, form, payload) = match frame {
        Frame::Bytes(bytes) => return bytes.clone(),
        Frame::Text { more, mask, text } => {
            (if *more { 0x01 } else { 0x81 }, role == Role::Server, *mask, 0, text.clone().into_bytes())
        }
        Frame::Made { first, masked, mask, form, payload, repeated } => {
            (*first, *masked, *mask, *form, payload.repeat(usize::from(*repeated).max(1)))
        }
    };
    let mut bytes = vec![first];
    let bit = if masked { 0x80 } else { 0 };
    let len = payload.len();
    // Lengths may also be written longer than they must be.
    match (len, form % 8) {
        (0..126, 0..6) => bytes.push(bit | len as u8),
        (0..0x1_0000, 0..7) => {
            bytes.push(bit | 126);
            bytes.extend((len as u16).to_be_bytes());
        }
        _ => {
            bytes.push(bit | 127);
            bytes.extend((len as u64).to_be_bytes());
        }
    }
    let mask = if masked {
        bytes.extend(mask);
        mask
    } else {
        [0; 4]
    };
    bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

/// All events up to the end or a failure.
fn ours(role: Role, bytes: &[u8], early: usize, steps: &[Step]) -> Vec<Event> {
    let mut receiver = Receiver::new(role, &Limits::default().max_message_size(LIMIT));
    let (early, mut rest) = bytes.split_at(early.min(bytes.len()));
    receiver.start_with(early);
    let count = steps.len();
    let mut steps = steps.iter();
    let mut events = Vec::new();
    let mut idle = 0;
    loop {
        let (mut paused, mut most, mut budget) = (false, usize::MAX, usize::MAX);
        match steps.next() {
            Some(Step::Park) => receiver.park(),
            Some(Step::Pause) => paused = true,
            Some(Step::Read(len)) => most = usize::from(*len).max(1),
            Some(Step::Budget(frames)) => budget = (*frames).into(),
            None => {}
        }
        let before = events.len();
        while let Some(event) = receiver.next_event(paused, &mut budget) {
            let is_last = matches!(event, Event::End | Event::Failed(_) | Event::Close(_));
            events.push(event);
            if is_last {
                return events;
            }
        }
        let part = &rest[..rest.len().min(most)];
        let progress = match receiver.read(part, paused) {
            Some(Ok(0)) if rest.is_empty() => {
                receiver.input_ended();
                true
            }
            Some(Ok(len)) => {
                rest = &rest[len..];
                len > 0
            }
            Some(Err(failure)) => {
                events.push(Event::Failed(failure));
                return events;
            }
            None => false,
        };
        idle = if progress || events.len() > before { 0 } else { idle + 1 };
        assert!(idle < 20 + count, "nothing goes on");
    }
}

/// What tungstenite makes of it.
enum Theirs {
    Close(u16, String),
    Event(Event),
    Failed(String),
    NeedsMore,
}

fn theirs(role: Role, bytes: &[u8]) -> Vec<Theirs> {
    let config = WebSocketConfig::default().max_message_size(Some(LIMIT)).max_frame_size(Some(LIMIT));
    let role = if role == Role::Client { protocol::Role::Client } else { protocol::Role::Server };
    let mut socket = WebSocket::from_raw_socket(Source(bytes), role, Some(config));
    let mut events = Vec::new();
    loop {
        let event = match socket.read() {
            Ok(tungstenite::Message::Text(text)) => Event::Message(Message::text(text.as_str().to_owned())),
            Ok(tungstenite::Message::Binary(bytes)) => Event::Message(Message::from(bytes.to_vec())),
            Ok(tungstenite::Message::Ping(payload)) => Event::Ping(payload),
            Ok(tungstenite::Message::Pong(payload)) => Event::Pong(payload),
            Ok(tungstenite::Message::Close(frame)) => {
                let frame = frame.map(|frame| (frame.code.into(), frame.reason.as_str().to_owned()));
                let (code, reason) = frame.unwrap_or((CloseCode::NO_STATUS.get(), String::new()));
                events.push(Theirs::Close(code, reason));
                return events;
            }
            Ok(tungstenite::Message::Frame(_)) => unreachable!("only for sending"),
            Err(tungstenite::Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                events.push(Theirs::NeedsMore);
                return events;
            }
            Err(error) => {
                events.push(Theirs::Failed(format!("{error:?}")));
                return events;
            }
        };
        events.push(Theirs::Event(event));
    }
}

fn compare(ours: &[Event], theirs: &[Theirs]) {
    let mut theirs = theirs.iter();
    for event in ours {
        match (event, theirs.next().expect("both have an end")) {
            // tungstenite takes a short control frame whose length is written in the long form.
            (Event::Failed(why), _) if why.contains("ControlFrameTooBig") => return,
            // tungstenite refuses a code that the registry has, and for one that may not be sent it answers itself.
            (Event::Close(ours), Theirs::Close(..) | Theirs::Failed(_)) if ours.code() == CloseCode::BAD_GATEWAY => {
                return;
            }
            (Event::Close(ours), Theirs::Close(code, reason)) => {
                assert_eq!((ours.code().get(), ours.reason()), (*code, reason.as_str()));
                return;
            }
            (Event::Failed(_), Theirs::Close(1002, _)) => return,
            (ours, Theirs::Close(code, _)) => panic!("{ours:?}, and theirs is closed with {code}"),
            (Event::Message(ours), Theirs::Event(Event::Message(theirs))) => assert_eq!(ours, theirs),
            (ours, Theirs::Event(theirs)) => assert_eq!(ours, theirs),
            // Ours sees it by the first bytes of a frame, or where a fragment ends.
            (Event::Failed(_), Theirs::Failed(_) | Theirs::NeedsMore) | (Event::End, Theirs::NeedsMore) => return,
            (ours, Theirs::Failed(theirs)) => panic!("{ours:?}, and theirs is {theirs}"),
            (ours, Theirs::NeedsMore) => panic!("{ours:?}, and theirs waits"),
        }
    }
}

/// Bytes to read, and nowhere to write.
struct Source<'a>(&'a [u8]);

impl Read for Source<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.0.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.0.read(buf)
    }
}

impl Write for Source<'_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

const LIMIT: usize = 100_000;
