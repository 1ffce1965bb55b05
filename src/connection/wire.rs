//! The transport as tungstenite sees it: frame headers and control frames, in memory.
//!
//! tungstenite is the judge of control frames, of fragments, and of everything that breaks a rule, but data payloads go
//! round it: they are unmasked, gathered, inflated and checked on this side, and tungstenite is shown the header of each
//! fragment with a length of zero. So it copies no payload, needs no read buffer to speak of, and never sees the RSV1 bit
//! of a compressed message, which it would refuse. A message in one proper frame is not shown at all: that would change
//! nothing in tungstenite's state, and took an eighth of the time of a small message (`benches/echo.rs`).
//! What breaks a rule is shown as it came: refusing is tungstenite's work.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::io::poll_read_buf;

use super::assembler::Assembler;
use super::fault::Fault;
use super::frame::{BINARY, CLOSE, CONTINUATION, Header, MAX_CONTROL, RSV, RSV1, TEXT};
use super::input::Input;
use super::replies::{ReceivedCode, Replies};
use crate::message::{Message, MessageKind};
use crate::role::Role;

/// Both directions between the transport and tungstenite.
#[derive(Debug)]
pub(super) struct Wire {
    role: Role,
    input: Input,
    assembler: Assembler,
    /// The data frame whose payload is arriving.
    frame: Option<Frame>,
    /// Between the first frame of a message and the end of its last.
    in_message: bool,
    /// A finished message; where tungstenite is to pass its last frame, that frame is shown.
    message: Option<Message>,
    /// Why no more is read. Taken by the connection, which ends for it.
    fault: Option<Fault>,
    /// Nothing after what is shown now is looked at.
    stopped: bool,
    /// The last message has not been taken: data frames stay where they are.
    hold: bool,
    /// The connection is closing: data is passed over.
    discard: bool,
    end_of_input: bool,
    shown: Vec<u8>,
    replies: Replies,
    close_code: ReceivedCode,
}

#[derive(Debug)]
struct Frame {
    header: Header,
    done: u64,
}

impl Wire {
    pub(super) fn new(role: Role, assembler: Assembler) -> Self {
        Self {
            role,
            input: Input::default(),
            assembler,
            frame: None,
            in_message: false,
            message: None,
            fault: None,
            stopped: false,
            hold: false,
            discard: false,
            end_of_input: false,
            shown: Vec::new(),
            replies: Replies::default(),
            close_code: ReceivedCode::default(),
        }
    }

    /// One read from the transport: straight into the message where much is missing, else into the thread's buffer.
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

    /// What was read before the wire was there.
    pub(super) fn feed(&mut self, early: Bytes) {
        self.input = Input::from(early);
    }

    /// Whether another read could help: not while data waits behind a message that nobody has taken.
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
    }

    pub(super) fn take_message(&mut self) -> Option<Message> {
        self.message.take()
    }

    /// Follows the input, and takes a message that came in one frame.
    pub(super) fn take_whole_message(&mut self) -> Option<Message> {
        if self.input.is_empty() && self.frame.is_none() {
            return self.message.take_if(|_| self.shown.is_empty());
        }
        self.advance();
        self.message.take_if(|_| self.shown.is_empty())
    }

    /// Whether there is something that tungstenite has not seen, or why it will see no more.
    pub(super) fn has_news(&self) -> bool {
        !self.shown.is_empty() || self.end_of_input || self.fault.is_some()
    }

    pub(super) fn take_fault(&mut self) -> Option<Fault> {
        self.fault.take()
    }

    /// What tungstenite does not tell of the close frame that was just passed on.
    pub(super) fn close_code(&self) -> ReceivedCode {
        self.close_code
    }

    /// Whether tungstenite has written something.
    pub(super) fn has_replies(&self) -> bool {
        !self.replies.is_empty()
    }

    pub(super) fn replies(&mut self) -> &mut Replies {
        &mut self.replies
    }

    /// Gives borrowed memory back before the connection's task sleeps.
    pub(super) fn park(&mut self) {
        self.input.park();
    }

    /// Follows the input up to the end of the next frame and shows it.
    fn advance(&mut self) {
        while self.shown.is_empty() && self.message.is_none() && self.fault.is_none() && !self.stopped {
            let step = if self.frame.is_some() { self.follow_payload() } else { self.follow_header() };
            match step {
                Ok(true) => {}
                Ok(false) => break,
                Err(fault) => self.fault = Some(fault),
            }
        }
    }

    /// Takes the next header. `false`: more input is needed first.
    fn follow_header(&mut self) -> Result<bool, Fault> {
        let Some((header, size)) = Header::parse(self.input.bytes()) else { return Ok(false) };
        if header.is_control() && header.len <= MAX_CONTROL as u64 {
            let whole = size + header.len as usize;
            let Some(frame) = self.input.bytes().get(..whole) else { return Ok(false) };
            self.shown.extend_from_slice(frame);
            self.input.consume(whole);
            if header.opcode() == CLOSE {
                let close_code = ReceivedCode::pass(&mut self.shown);
                // The first one counts.
                if self.close_code == ReceivedCode::Other {
                    self.close_code = close_code;
                }
            }
            return Ok(true);
        }
        if !self.is_acceptable(header) {
            let len = if header.is_control() { TOO_LONG_FOR_CONTROL } else { 0 };
            self.show(Header { len, ..header });
            self.stopped = true;
            return Ok(true);
        }
        if self.hold {
            return Ok(false);
        }
        self.input.consume(size);
        if !self.discard {
            if !self.in_message {
                let kind = if header.opcode() == TEXT { MessageKind::Text } else { MessageKind::Binary };
                self.assembler.begin(kind, header.first & RSV1 != 0);
            }
            self.assembler.admit(header.len)?;
            let len = header.len as usize;
            if !self.in_message
                && header.is_final()
                && let Some(payload) = self.input.bytes_mut().get_mut(..len)
            {
                header.unmask(payload, 0);
                // A message in one frame changes nothing in tungstenite's state, so it need not be shown.
                self.message = Some(if self.assembler.may_keep(len) {
                    self.assembler.keep(self.input.split_to(len))?
                } else {
                    let message = self.assembler.whole(payload)?;
                    self.input.consume(len);
                    message
                });
                return Ok(true);
            }
        }
        self.in_message = true;
        self.frame = Some(Frame { header, done: 0 });
        Ok(true)
    }

    /// Takes payload of the current data frame. `false`: more input is needed first.
    fn follow_payload(&mut self) -> Result<bool, Fault> {
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
        self.show_passed(header);
        Ok(true)
    }

    /// Whether the payload may go round tungstenite: a data frame in its place, masked as it must be, with RSV1 only
    /// where RFC 7692 §6 puts it.
    fn is_acceptable(&self, header: Header) -> bool {
        let in_place = match header.opcode() {
            CONTINUATION => self.in_message,
            TEXT | BINARY => !self.in_message,
            _ => false,
        };
        let allowed = if self.assembler.can_inflate() && header.opcode() != CONTINUATION { RSV1 } else { 0 };
        in_place && header.first & RSV & !allowed == 0 && header.mask.is_some() == (self.role == Role::Server)
    }

    /// Shows tungstenite a data frame whose payload has been dealt with.
    fn show_passed(&mut self, header: Header) {
        self.show(Header { first: header.first & !RSV1, mask: header.mask.map(|_| [0; 4]), len: 0 });
    }

    fn show(&mut self, header: Header) {
        header.write(&mut self.shown);
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

impl AsyncRead for Wire {
    /// What tungstenite may see. Registers no waker: the connection's task asks again after each read.
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.advance();
        if self.shown.is_empty() {
            let ended = self.end_of_input && self.fault.is_none() && self.message.is_none() && !self.is_held_up();
            return if ended { Poll::Ready(Ok(())) } else { Poll::Pending };
        }
        let len = self.shown.len().min(buf.remaining());
        buf.put_slice(&self.shown[..len]);
        self.shown.drain(..len);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    /// Takes a control frame; tungstenite writes each by itself.
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, frame: &[u8]) -> Poll<io::Result<usize>> {
        let close_code = self.close_code;
        self.replies.push(frame, close_code);
        Poll::Ready(Ok(frame.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// A frame that misses at least so much is read straight into its message.
const DIRECT: usize = 16 * 1024;
/// How much is read at a time behind a message that nobody has taken.
const HELD_READ: usize = 512;
/// A length that tungstenite refuses without waiting for the payload.
const TOO_LONG_FOR_CONTROL: u64 = 126;
