//! The WebSocket protocol of one connection (RFC 6455, RFC 7692), sans-I/O: bytes and `Instant`s in; messages, bytes and
//! deadlines out. Nothing here knows a socket, a lock, a waker or a task; `connection` has those.
//!
//! What is true between two calls:
//!
//! 1. [`Lifecycle`] alone says how far a connection has come: `Open → Closing → Draining → Closed`, with `WriteFailed`
//!    between the first two where nothing can be written any more. It moves forward only, by its own methods, and the
//!    first reason stays. Whether messages may be sent, received or are discarded is a question to it.
//! 2. [`Receiver`] turns bytes into messages and [`Event`]s, in order. A frame that breaks a rule is the last event: all that
//!    arrived whole before it was returned before it.
//! 3. [`Incoming`] is the receiving half that the connection and its handles share: whole messages that are not
//!    received yet, in order and within [`Limits::incoming`](crate::Limits::incoming).
//! 4. [`Sender`] is the sending half that they share: encoded frames in order, a close frame always the last of them.
//! 5. [`ControlFrames`] go before data that is queued, never behind our close frame.
//! 6. [`Timers`] say when the next limit is due and which was not kept.
//!
//! tungstenite is the wire format: its opcodes name frames, its `ProtocolError` says which rule a peer has broken, and its
//! `FrameHeader` parses and formats headers; those of data frames have code of our own in `frame`, tested against it. Its
//! `WebSocketStream` is not used: it knows no permessage-deflate, and copies and zero-fills each payload (the rows of
//! `benches/compare` for 16 in flight, 16 KiB and 1 MiB would be 2.3, 4.2 and 1.7 times as high).

mod buffer_pool;
mod close_payload;
mod control;
mod failure;
mod frame;
mod lifecycle;
mod receive;
mod send;
mod timers;

pub(crate) use self::buffer_pool::{give_buffer, give_read_buffer, take_buffer, take_read_buffer};
#[cfg(fuzzing)]
pub(crate) use self::close_payload::{parse as parse_close, payload as close_payload};
pub(crate) use self::control::ControlFrames;
pub(crate) use self::failure::Failure;
pub(crate) use self::lifecycle::{CloseReason, Lifecycle, Phase};
pub(crate) use self::receive::{Assembler, Event, Incoming, Intake, Received, Receiver};
pub use self::send::Overflow;
pub(crate) use self::send::{Encoding, Feed, FeedMessage, Frame, Item, Notice, Pushed, Sender, WriteBuffer};
pub use self::timers::Keepalive;
pub(crate) use self::timers::{Due, Timers};
