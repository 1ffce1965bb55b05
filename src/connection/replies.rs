//! The control frames that tungstenite writes, and the close codes that it would get wrong.

use super::frame::{CLOSE, FIN, Header};
use crate::close::CloseCode;

/// Control frames on their way out.
#[derive(Debug, Default)]
pub(super) struct Replies {
    /// Pings and pongs, which may overtake data.
    pub(super) urgent: Vec<u8>,
    /// The close frame, which goes last.
    pub(super) close: Vec<u8>,
}

impl Replies {
    pub(super) fn is_empty(&self) -> bool {
        self.urgent.is_empty() && self.close.is_empty()
    }

    /// Takes a frame. A close frame that answers the peer's says what that said.
    pub(super) fn push(&mut self, frame: &[u8], received: ReceivedCode) {
        if frame.first() == Some(&(FIN | CLOSE)) {
            self.close.extend_from_slice(frame);
            if received == ReceivedCode::BadGateway {
                with_code(&mut self.close, |code| {
                    if *code == TRY_AGAIN_LATER {
                        *code = BAD_GATEWAY;
                    }
                });
            }
            return;
        }
        // RFC 6455 §5.5.3 lets us answer the latest ping alone: do so where a peer sends them without reading.
        if self.urgent.len() + frame.len() > MAX_URGENT {
            self.urgent.clear();
        }
        self.urgent.extend_from_slice(frame);
    }
}

/// What the code of the peer's close frame is to us, where tungstenite would say something else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum ReceivedCode {
    /// 1014, a registered code that tungstenite takes for a violation: it is shown 1013 instead.
    BadGateway,
    /// One that must not be sent. tungstenite reports 1002, its answer, as the peer's.
    Invalid,
    #[default]
    Other,
}

impl ReceivedCode {
    /// Looks at a close frame that tungstenite is about to see, and changes what it would refuse wrongly.
    pub(super) fn pass(frame: &mut [u8]) -> Self {
        let received = with_code(frame, |code| {
            let received = *code;
            if received == BAD_GATEWAY {
                *code = TRY_AGAIN_LATER;
            }
            received
        });
        let is_sendable = |code| CloseCode::new(u16::from_be_bytes(code)).is_some_and(CloseCode::is_sendable);
        match received {
            Some(BAD_GATEWAY) => Self::BadGateway,
            Some(code) if !is_sendable(code) => Self::Invalid,
            _ => Self::Other,
        }
    }
}

/// Looks at the code of a close frame, unmasked, and lets it be changed.
fn with_code<R>(close: &mut [u8], look: impl FnOnce(&mut [u8; 2]) -> R) -> Option<R> {
    let (header, size) = Header::parse(close)?;
    let code = close.get_mut(size..)?.first_chunk_mut()?;
    header.unmask(code, 0);
    let result = look(code);
    header.unmask(code, 0);
    Some(result)
}

const BAD_GATEWAY: [u8; 2] = 1014_u16.to_be_bytes();
const TRY_AGAIN_LATER: [u8; 2] = 1013_u16.to_be_bytes();
/// Pings and pongs that may wait to be written.
const MAX_URGENT: usize = 4 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn close(code: u16, mask: Option<[u8; 4]>) -> Vec<u8> {
        let mut frame = Vec::new();
        let header = Header { first: FIN | CLOSE, mask, len: 5 };
        header.write(&mut frame);
        let mut payload = [&code.to_be_bytes()[..], b"bye"].concat();
        header.unmask(&mut payload, 0);
        frame.extend(payload);
        frame
    }

    #[test]
    fn only_1014_is_changed_and_the_answer_changed_back() {
        for mask in [None, Some([1, 2, 3, 4])] {
            for (code, received) in [
                (1000, ReceivedCode::Other),
                (1013, ReceivedCode::Other),
                (1014, ReceivedCode::BadGateway),
                (4999, ReceivedCode::Other),
                (999, ReceivedCode::Invalid),
                (1005, ReceivedCode::Invalid),
                (5000, ReceivedCode::Invalid),
            ] {
                let mut frame = close(code, mask);
                assert_eq!(ReceivedCode::pass(&mut frame), received, "{code}");
                let shown = if code == 1014 { 1013 } else { code };
                assert_eq!(frame, close(shown, mask), "{code}");
                let mut replies = Replies::default();
                replies.push(&frame, received);
                assert_eq!(replies.close, close(code, mask), "{code}");
            }
        }
    }

    #[test]
    fn a_close_frame_without_a_code_stays_as_it_is() {
        for mut frame in [vec![0x88, 0], vec![0x88, 1, 3]] {
            assert_eq!(ReceivedCode::pass(&mut frame), ReceivedCode::Other);
        }
    }

    #[test]
    fn only_the_latest_pongs_wait() {
        let mut replies = Replies::default();
        for number in 0..=255 {
            replies.push(&[0x8a, 100].into_iter().chain([number; 100]).collect::<Vec<_>>(), ReceivedCode::Other);
            assert!((1..=MAX_URGENT).contains(&replies.urgent.len()));
        }
        assert!(replies.urgent.ends_with(&[255; 100]) && replies.close.is_empty());
    }
}
