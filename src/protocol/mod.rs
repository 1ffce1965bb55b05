//! The WebSocket protocol of one connection (RFC 6455, RFC 7692), sans-I/O: bytes and `Instant`s in; messages, bytes and
//! deadlines out. Nothing here uses a socket, a lock, a waker or a task; `connection` has those.
//!
//! What is true between two calls:
//!
//! 1. [`Lifecycle`] is the only state of a connection's progress: `Open → Closing → Draining → Closed`, with `WriteFailed`
//!    after `Open` if nothing can be written any more. It never goes back, and the first reason stays. Its methods decide whether
//!    messages are sent, received or discarded.
//! 2. [`Receiver`] turns bytes into messages and [`Event`]s, in order. A frame that breaks a rule is the last event: every whole
//!    message before it was returned before.
//! 3. [`Incoming`] is the receiving half that the connection and its handles share: whole messages that no handle has
//!    received yet, in order and within [`Limits::incoming`](crate::Limits::incoming).
//! 4. [`Sender`] is the sending half that they share: encoded frames in order. A close frame is always the last.
//! 5. [`ControlFrames`] are written before queued data, and never after our close frame.
//! 6. [`Timers`] return when the next deadline is, and which one has passed.
//!
//! tungstenite provides the wire format: opcodes, `ProtocolError` for the rules that a peer can break, and `FrameHeader`, which
//! parses and formats headers. The headers of data frames have faster code in `frame`, tested against it. tungstenite's
//! `WebSocketStream` is not used: it has no permessage-deflate, and copies and zero-fills each payload (the rows of
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
