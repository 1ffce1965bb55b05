//! From the transport's bytes to messages, with what tungstenite is to judge in a window beside them.
//!
//! tungstenite is the judge of pings, pongs and fragments, and of frames that break a rule, but data payloads go
//! round it: they are unmasked, gathered, inflated and checked on this side, and tungstenite is shown the header of each
//! fragment with a length of zero. So it copies no payload, needs no read buffer to speak of, and never sees the RSV1 bit
//! of a compressed message, which it would refuse. A message in one proper frame is not shown at all: that would change
//! nothing in tungstenite's state, and took an eighth of the time of a small message (`benches/echo.rs`). A close frame
//! is not shown either: nothing counts after it, and making tungstenite for it took a seventh of our part of a handshake
//! (`benches/handshake.rs`).
//! A frame that breaks a rule is shown as it came: refusing is tungstenite's work, but for what is wrong in the payload of a
//! close frame or comes behind ours.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::AsyncRead;
use tokio_util::io::poll_read_buf;

use super::assembler::Assembler;
use super::close_frame;
use super::fault::Fault;
use super::frame::{CLOSE, Header, MAX_CONTROL, RSV1, TEXT};
use super::frame_rules::FrameRules;
use super::input::Input;
use super::window::Window;
use crate::close::CloseFrame;
use crate::message::{Message, MessageKind};
use crate::role::Role;

/// What is read from the transport, up to whole messages.
#[derive(Debug)]
pub(super) struct Wire {
    rules: FrameRules,
    input: Input,
    assembler: Assembler,
    /// The data frame whose payload is arriving.
    frame: Option<Frame>,
    /// Between the first frame of a message and the end of its last.
    in_message: bool,
    /// A finished message; where tungstenite is to pass its last frame, that frame is shown.
    message: Option<Message>,
    /// The peer's close frame. Nothing after it is looked at.
    close: Option<CloseFrame>,
    /// Why no more is read. Taken by the connection, which ends for it.
    fault: Option<Fault>,
    /// Nothing after what is shown now is looked at.
    stopped: bool,
    /// The last message has not been taken: data frames stay where they are.
    hold: bool,
    /// The connection is closing: data is passed over.
    discard: bool,
    end_of_input: bool,
    /// How many more frames may be looked at in this turn.
    left: usize,
    /// A message was taken by the handler, or a fault found, since the task looked.
    touched: bool,
}

#[derive(Debug)]
struct Frame {
    header: Header,
    done: u64,
}

impl Wire {
    pub(super) fn new(role: Role, assembler: Assembler) -> Self {
        Self {
            rules: FrameRules::new(role, assembler.can_inflate()),
            input: Input::default(),
            assembler,
            frame: None,
            in_message: false,
            message: None,
            close: None,
            fault: None,
            stopped: false,
            hold: false,
            discard: false,
            end_of_input: false,
            left: 0,
            touched: false,
        }
    }

    /// The task has a turn.
    pub(super) fn start_turn(&mut self) {
        self.left = FRAMES_PER_TURN;
    }

    /// Whether the turn is over.
    pub(super) fn is_turn_over(&self) -> bool {
        self.left == 0
    }

    /// Counts a frame. Whether one more may be looked at.
    #[inline]
    pub(super) fn spend(&mut self) -> bool {
        let more = self.left > 0;
        self.left -= usize::from(more);
        more
    }

    /// One read from the transport: straight into the message where much is missing, else into the thread's buffer.
    #[inline]
    pub(super) fn poll_fill(
        &mut self,
        transport: Pin<&mut impl AsyncRead>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let read = match &mut self.frame {
            Some(frame) if frame.remaining() >= DIRECT && self.input.is_empty() && !self.discard => {
                let mut room = match self.assembler.room(frame.remaining()) {
                    Ok(room) => room,
                    Err(fault) => {
                        self.fault = Some(fault);
                        return Poll::Ready(Ok(0));
                    }
                };
                let read = std::task::ready!(poll_read_buf(transport, cx, &mut room))?;
                drop(room);
                frame.unmask(self.assembler.last(read));
                read
            }
            _ => {
                // While a message waits to be taken, only control frames are of interest.
                let most = if self.hold { HELD_READ } else { usize::MAX };
                std::task::ready!(self.input.poll_fill(transport, cx, most))?
            }
        };
        if read == 0 {
            self.end_of_input = true;
        }
        Poll::Ready(Ok(read))
    }

    /// The next message, for the handler: only where it has arrived in one proper frame, and nothing goes before it.
    ///
    /// `count` is told how long it is: asking the message takes a hundredth of a burst's time (`benches/echo.rs`).
    #[inline]
    pub(super) fn take_whole_message(&mut self, count: impl FnOnce(usize)) -> Option<Message> {
        let busy = self.frame.is_some() || self.in_message || self.message.is_some() || self.fault.is_some();
        if busy || self.stopped || self.discard {
            return None;
        }
        let (header, size) = Header::parse(self.input.bytes())?;
        if header.is_control() || !self.is_acceptable(header) || !self.spend() {
            return None;
        }
        let message = self.whole_message(header, size)?;
        self.touched = true;
        match message {
            Ok(message) => {
                count(if header.first & RSV1 == 0 { header.len as usize } else { message.len() });
                Some(message)
            }
            Err(fault) => {
                self.fault = Some(fault);
                None
            }
        }
    }

    /// Whether the handler has used the wire, so that there may be more to look at.
    pub(super) fn take_touched(&mut self) -> bool {
        std::mem::take(&mut self.touched)
    }

    /// What was read before the wire was there.
    pub(super) fn feed(&mut self, early: Bytes) {
        if !early.is_empty() {
            self.input = Input::from(early);
        }
    }

    /// Whether another read could help: not while data waits behind a message that nobody has taken.
    #[inline]
    pub(super) fn wants_input(&self) -> bool {
        !self.end_of_input && !self.stopped && self.fault.is_none() && !self.is_held_up()
    }

    /// Whether data has arrived that waits for the last message to be taken.
    pub(super) fn is_held_up(&self) -> bool {
        self.hold && self.input.is_full_or(|bytes| Header::parse(bytes).is_some_and(|(header, _)| !header.is_control()))
    }

    /// Whether a message has begun and not ended.
    pub(super) fn is_mid_message(&self) -> bool {
        self.in_message
    }

    /// Whether the last message still waits to be taken.
    pub(super) fn set_hold(&mut self, hold: bool) {
        self.hold = hold;
    }

    /// From here on data is passed over.
    pub(super) fn set_discard(&mut self) {
        self.discard = true;
        self.hold = false;
        self.message = None;
        self.assembler.clear();
    }

    /// The message that came last, once whatever is shown of it is approved.
    pub(super) fn take_message(&mut self) -> Option<Message> {
        self.message.take()
    }

    pub(super) fn take_fault(&mut self) -> Option<Fault> {
        self.fault.take()
    }

    pub(super) fn take_close(&mut self) -> Option<CloseFrame> {
        self.close.take()
    }

    /// Whether the transport has ended, and no message waits before that.
    pub(super) fn is_over(&self) -> bool {
        self.end_of_input && !self.is_held_up()
    }

    /// Whether there is nothing to look at before the next read.
    #[inline]
    pub(super) fn is_exhausted(&self) -> bool {
        self.input.is_empty()
            && self.frame.is_none()
            && self.message.is_none()
            && self.close.is_none()
            && self.fault.is_none()
            && !self.end_of_input
    }

    /// Gives borrowed memory back before the connection's task sleeps.
    pub(super) fn park(&mut self) {
        self.input.park();
    }

    /// Follows the input up to the next message, fault, or frame to be shown.
    pub(super) fn advance(&mut self, window: &mut Window) {
        while window.is_empty() && self.message.is_none() && self.fault.is_none() && !self.stopped {
            let step = if self.frame.is_some() { self.follow_payload(window) } else { self.follow_header(window) };
            match step {
                Ok(true) => {}
                Ok(false) => break,
                Err(fault) => self.fault = Some(fault),
            }
        }
    }

    /// Takes the next header. `false`: more input is needed first.
    fn follow_header(&mut self, window: &mut Window) -> Result<bool, Fault> {
        let Some((header, size)) = Header::parse(self.input.bytes()) else { return Ok(false) };
        if header.is_control() && header.len <= MAX_CONTROL as u64 {
            return self.follow_control(header, size, window);
        }
        if !self.is_acceptable(header) {
            if self.discard {
                return Err(while_closing());
            }
            let len = if header.is_control() { TOO_LONG_FOR_CONTROL } else { 0 };
            window.show(Header { len, ..header });
            self.stopped = true;
            return Ok(true);
        }
        if self.hold {
            return Ok(false);
        }
        if !self.discard
            && !self.in_message
            && let Some(message) = self.whole_message(header, size)
        {
            self.message = Some(message?);
            return Ok(true);
        }
        self.input.consume(size);
        if !self.discard {
            if !self.in_message {
                self.begin(header);
            }
            self.assembler.admit(header.len)?;
        }
        self.in_message = true;
        self.frame = Some(Frame { header, done: 0 });
        Ok(true)
    }

    /// Takes a control frame. `false`: more input is needed first.
    fn follow_control(&mut self, header: Header, size: usize, window: &mut Window) -> Result<bool, Fault> {
        let whole = size + header.len as usize;
        let proper = self.rules.allow_control(header);
        let Some(frame) = self.input.bytes_mut().get_mut(..whole) else { return Ok(false) };
        if proper && header.opcode() == CLOSE {
            let payload = &mut frame[size..];
            header.unmask(payload, 0);
            self.stopped = true;
            self.close = Some(close_frame::parse(payload)?);
        } else if !self.discard {
            window.show_control(frame);
        } else if !proper {
            return Err(while_closing());
        }
        self.input.consume(whole);
        Ok(true)
    }

    /// Takes payload of the current data frame. `false`: more input is needed first.
    fn follow_payload(&mut self, window: &mut Window) -> Result<bool, Fault> {
        let Some(frame) = &mut self.frame else { return Ok(true) };
        let bytes = self.input.bytes_mut();
        let len = frame.remaining().min(bytes.len());
        let payload = &mut bytes[..len];
        frame.unmask(payload);
        if self.discard {
            self.input.consume(len);
        } else if frame.remaining() > 0 && self.assembler.may_adopt(len) {
            self.assembler.adopt(self.input.take());
        } else {
            self.assembler.push(payload)?;
            self.input.consume(len);
        }
        if frame.remaining() > 0 {
            return Ok(false);
        }
        let header = frame.header;
        self.frame = None;
        if header.is_final() {
            self.in_message = false;
            if !self.discard {
                self.message = Some(self.assembler.finish()?);
            }
        } else if !self.discard {
            self.assembler.end_fragment()?;
        }
        if self.discard {
            return Ok(true);
        }
        // tungstenite sees that the frame was there, and nothing of what has been dealt with.
        window.show(Header { first: header.first & !RSV1, mask: header.mask.map(|_| [0; 4]), len: 0 });
        Ok(true)
    }

    fn begin(&mut self, header: Header) {
        let kind = if header.opcode() == TEXT { MessageKind::Text } else { MessageKind::Binary };
        self.assembler.begin(kind, header.first & RSV1 != 0);
    }

    /// Takes a message in one frame, if it has arrived whole. It changes nothing in tungstenite's state, so it need not be
    /// shown.
    #[inline]
    fn whole_message(&mut self, header: Header, size: usize) -> Option<Result<Message, Fault>> {
        if !header.is_final() || header.len > (self.input.len() - size) as u64 {
            return None;
        }
        self.input.consume(size);
        self.begin(header);
        if let Err(fault) = self.assembler.admit(header.len) {
            return Some(Err(fault));
        }
        let len = header.len as usize;
        let payload = &mut self.input.bytes_mut()[..len];
        header.unmask(payload, 0);
        if self.assembler.may_keep(len) {
            return Some(self.assembler.keep(self.input.split_to(len)));
        }
        let message = self.assembler.whole(payload);
        self.input.consume(len);
        Some(message)
    }

    /// Whether the payload may go round tungstenite.
    #[inline]
    fn is_acceptable(&self, header: Header) -> bool {
        self.rules.allow_data(header, self.in_message)
    }
}

impl Frame {
    fn remaining(&self) -> usize {
        (self.header.len - self.done) as usize
    }

    /// Unmasks the next part of the payload.
    fn unmask(&mut self, part: &mut [u8]) {
        self.header.unmask(part, self.done as usize);
        self.done += part.len() as u64;
    }
}

/// Behind our close frame tungstenite has not seen all that came, and nobody learns the reason.
fn while_closing() -> Fault {
    Fault::Protocol("a violation behind our close frame".into())
}

/// A frame that misses at least so much is read straight into its message.
const DIRECT: usize = 16 * 1024;
/// How much is read at a time behind a message that nobody has taken.
const HELD_READ: usize = 512;
/// How many frames are dealt with before others have a turn: all messages of 64 bytes in one read, so that their answers leave
/// in one write, and a part of smaller ones.
const FRAMES_PER_TURN: usize = 1024;
/// A length that tungstenite refuses without waiting for the payload.
const TOO_LONG_FOR_CONTROL: u64 = 126;
