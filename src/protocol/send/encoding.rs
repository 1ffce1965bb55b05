//! Frames that many connections are sent.

use crate::deflate::Stateless;
use crate::message::Message;
use crate::protocol::frame::{self, MAX_HEADER};
use crate::protocol::{give_buffer, take_buffer};

/// How a connection encodes messages. Connections with equal encodings can be sent the same bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// Each message stands alone, and is compressed if that makes it smaller.
    Deflate(Stateless),
    /// No two connections send the same bytes: they are masked, or refer to earlier messages.
    Own,
    /// As they are.
    Plain,
}

impl Encoding {
    /// The frame of this message. With [`Encoding::Own`] there is none.
    pub(crate) fn encode(self, message: &Message) -> Option<Vec<u8>> {
        let payload = message.as_bytes();
        match self {
            Self::Own => None,
            Self::Plain => Some(frame(message, false, payload)),
            Self::Deflate(stateless) => {
                let mut compressed = take_buffer();
                let smaller = stateless.deflate(payload, &mut compressed);
                let frame = frame(message, smaller, if smaller { &compressed } else { payload });
                give_buffer(compressed);
                Some(frame)
            }
        }
    }
}

fn frame(message: &Message, compressed: bool, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(MAX_HEADER + payload.len());
    frame::format_data(message.kind(), compressed, None, payload.len(), &mut frame);
    frame.extend_from_slice(payload);
    frame
}
