//! What must hold after each run.

use tower_websocket::{CloseFrame, Error, Manager};

use super::peer::frames;
use super::run::{Case, Report, told};
use super::transport::Fault;
use crate::deflate::Inflate;
use crate::shared::Frame;

/// All handles tell of the same end, whatever they are asked.
pub(super) async fn one_end(ws: &Manager, report: &Report, done: &Result<CloseFrame, Error>) {
    let kind = told(done);
    let same = |other: &Result<CloseFrame, Error>| match (other, done) {
        (Ok(other), Ok(done)) => assert_eq!(other, done),
        (other, _) => assert_eq!(told(other), kind, "{other:?} and {done:?}"),
    };
    same(&ws.done().await);
    same(&ws.end().unwrap());
    assert!(ws.is_closed() && ws.context().is_cancelled());
    assert_eq!(ws.send("late").await.unwrap_err().kind(), kind);
    assert_eq!(ws.ping().await.unwrap_err().kind(), kind);
    assert_eq!(ws.close().await.map_err(|error| error.kind()), done.as_ref().map(drop).map_err(Error::kind));
    let error = Error::from(ws.try_send("late").unwrap_err());
    assert_eq!(error.kind(), kind);
    let last = report.last.as_ref().unwrap();
    let again = ws.recv().await;
    assert_eq!(again.is_ok(), last.is_ok(), "receiving tells it again");
    assert_eq!(again.is_ok(), done.is_ok(), "{again:?} after {done:?}");
    if let Err(error) = again {
        assert_eq!(error.kind(), kind);
    }
}

/// Every message that arrived whole was received, in order.
pub(super) fn received(case: &Case, fault: Fault, read: &[u8], report: &Report, done: &Result<CloseFrame, Error>) {
    let (messages, code) = messages(case, frames(case.setup.peer_role(), &mut read.to_vec()));
    let received: Vec<_> = report.received.iter().map(|message| message.as_bytes().to_vec()).collect();
    if case.user.closes() {
        assert!(messages.starts_with(&received));
    } else {
        assert_eq!(received, messages, "what arrived whole is received");
        if let Some(code) = code {
            assert_eq!(done.as_ref().unwrap().code().get(), code, "the peer's close frame is the end");
        }
    }
    if let Fault::None = fault {
        let closes = case.script.frames.iter().any(|frame| frame.first == 0x88) || case.user.closes();
        assert_eq!(done.is_ok(), closes, "{done:?}");
    }
}

/// What was written is whole frames, in the order of the messages, and nothing after a close frame.
pub(super) fn written(case: &Case, fault: Fault, written: &[u8], report: &Report, done: &Result<CloseFrame, Error>) {
    let mut rest = written.to_vec();
    let all = frames(case.setup.role(), &mut rest);
    let closes = all.iter().position(|frame| frame.first == 0x88);
    if let Some(at) = closes {
        assert_eq!((at + 1, rest.len()), (all.len(), 0), "something follows the close frame");
    }
    if let Fault::None = fault {
        // A peer that ends without a close frame is told nothing more.
        assert!((rest.is_empty() && closes.is_some()) || done.is_err());
    }
    let (messages, _) = messages(case, all);
    let sent: Vec<_> = report.sent.iter().map(|message| message.as_bytes().to_vec()).collect();
    assert!(sent.starts_with(&messages), "messages are written whole and in order");
    assert!(messages.len() >= report.written, "what counts as written is written");
    if let Fault::None = fault
        && case.user.closes()
    {
        assert_eq!(messages.len(), sent.len());
    }
}

/// The whole messages in these frames, and the code of the close frame that ends them.
fn messages(case: &Case, frames: Vec<Frame>) -> (Vec<Vec<u8>>, Option<u16>) {
    let mut inflate = Inflate::new();
    let (mut messages, mut parts, mut compressed) = (Vec::new(), Vec::new(), false);
    for frame in frames {
        match frame.first & 0x0f {
            0x8 => return (messages, Some(u16::from_be_bytes(frame.payload[..2].try_into().unwrap()))),
            0x9 | 0xa => continue,
            // The rules are broken from here on.
            0x3..=0x7 => break,
            opcode => {
                if opcode != 0 {
                    compressed = frame.is_compressed();
                }
                parts.extend_from_slice(&frame.payload);
                if frame.first & 0x80 != 0 {
                    let message = std::mem::take(&mut parts);
                    assert!(!compressed || case.deflate);
                    messages.push(if compressed { inflate.message(&message) } else { message });
                }
            }
        }
    }
    (messages, None)
}
