//! What peers send.

use crate::deflate::Deflate;
use crate::shared::{Frame, binary, close, continuation, ping, pong, text};
use crate::support::{Script, User};

/// A conversation: its name, what our side does, and what the peer sends.
pub(crate) type Conversation = (&'static str, User, Script);

/// Small conversations, which a transport of one byte at a time gets through in some hundred steps.
pub(crate) fn small(deflate: bool) -> Vec<Conversation> {
    let words = || data(deflate, &["hello", "", "hello hello", "again hello"]);
    let with_close = |mut frames: Vec<Frame>| {
        frames.push(close(1001, "bye"));
        frames
    };
    let script = |frames| Script { frames, rest: Vec::new(), ends: false };
    let mut pinged = words();
    pinged.insert(1, ping("p"));
    pinged.insert(3, pong("?"));
    vec![
        ("echo", User::Echo, script(with_close(pinged))),
        ("fragments", User::Echo, script(with_close(fragments(deflate)))),
        ("slow", User::Slow, script(with_close(words()))),
        ("push", User::Push(5), script(Vec::new())),
        ("push against words", User::Push(5), script(words())),
        ("violation", User::Echo, script([words(), vec![Frame::new(0x83, "x")]].concat())),
        ("cut off", User::Echo, Script { frames: words(), rest: vec![0x81], ends: true }),
        ("end", User::Echo, Script { frames: words(), rest: Vec::new(), ends: true }),
        ("end after close", User::Echo, Script { frames: with_close(words()), rest: Vec::new(), ends: true }),
    ]
}

/// Conversations with payloads that are read straight into their messages, and written from where they lie.
pub(crate) fn large(deflate: bool) -> Vec<Conversation> {
    let noise: Vec<u8> = (0..100_000_u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let mut frames = if deflate {
        let mut deflate = Deflate::new();
        vec![binary(deflate.message(&noise)).compressed(), text(deflate.message(b"after")).compressed()]
    } else {
        vec![
            binary(&noise[..30_000]).more(),
            ping("in between"),
            continuation(&noise[30_000..]),
            binary(&noise[..20_000]),
            text("after"),
        ]
    };
    frames.push(close(1000, ""));
    let script = Script { frames, rest: Vec::new(), ends: false };
    vec![
        ("large echo", User::Echo, script.clone()),
        ("large slow", User::Slow, script),
        ("large push", User::Push(70_000), Script { frames: Vec::new(), rest: Vec::new(), ends: false }),
    ]
}

fn data(compressed: bool, payloads: &[&str]) -> Vec<Frame> {
    let mut deflate = Deflate::new();
    let frame = |payload: &&str| {
        if compressed { text(deflate.message(payload.as_bytes())).compressed() } else { text(payload) }
    };
    payloads.iter().map(frame).collect()
}

fn fragments(compressed: bool) -> Vec<Frame> {
    let mut deflate = Deflate::new();
    let payload = "three fragments and more fragments";
    let bytes = if compressed { deflate.message(payload.as_bytes()) } else { payload.into() };
    let [first, second, third] = [&bytes[..3], &bytes[3..4], &bytes[4..]];
    let first = if compressed { text(first).compressed() } else { text(first) };
    vec![
        first.more(),
        ping(""),
        continuation(second).more(),
        continuation("").more(),
        pong("unasked"),
        continuation(third),
        ping("last"),
    ]
}
