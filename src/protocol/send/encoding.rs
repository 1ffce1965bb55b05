//! How connections encode messages, and which of them can share frames.

use crate::deflate::Stateless;
use crate::message::Message;
use crate::protocol::frame::{self, MAX_HEADER};
use crate::protocol::{give_buffer, take_buffer};

/// How a connection encodes messages. Connections with the same encoding can share frames, except with
/// [`Encoding::PerConnection`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// Without context takeover: each message is compressed independently, if that makes it smaller.
    Deflate(Stateless),
    /// Each connection encodes messages itself: a client masks, and with context takeover messages refer to earlier ones.
    PerConnection,
    /// Uncompressed.
    Plain,
}

impl Encoding {
    /// The frame of this message; `None` with [`Encoding::PerConnection`].
    pub(crate) fn encode(self, message: &Message) -> Option<Vec<u8>> {
        let payload = message.as_bytes();
        match self {
            Self::PerConnection => None,
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
