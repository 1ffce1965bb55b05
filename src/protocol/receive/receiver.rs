//! From bytes to whole messages and events: control frames, broken rules, the end of the input.

use std::io;

use bytes::buf::Limit;
use bytes::{Bytes, BytesMut};

use super::assembler::Assembler;
use super::read_buffer::ReadBuffer;
use super::validation::Validation;
use crate::close::CloseFrame;
use crate::message::{Message, MessageKind};
use crate::protocol::close_payload;
use crate::protocol::failure::Failure;
use crate::protocol::frame::{self, Control, Data, OpCode, Parsed};
use crate::role::Role;

/// Parses what a connection receives. Between two calls:
///
/// 1. The buffer begins with a frame, or with payload of `frame`.
/// 2. The payload of `frame` that was parsed is unmasked, and in the assembler instead of the buffer.
/// 3. The end of the input becomes an event only after everything that arrived before it.
#[derive(Debug)]
pub(crate) struct Receiver {
    validation: Validation,
    buffer: ReadBuffer,
    assembler: Assembler,
    /// The data frame whose payload is arriving.
    frame: Option<DataFrame>,
    /// `true` from the first frame of a message to the end of its last frame.
    in_message: bool,
    end_of_input: Option<EndOfInput>,
}

/// How messages that arrive are treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Intake {
    /// They are returned.
    Accept,
    /// They are discarded.
    Discard,
    /// Parsing stops before the next message. Control frames before it are handled, and a message that has begun is completed.
    Pause,
}

/// A message, or anything else that arrived.
#[derive(Debug)]
pub(crate) enum Received {
    Event(Event),
    Message(Message),
}

/// Anything that can arrive other than a message.
#[derive(Debug)]
pub(crate) enum Event {
    Close(CloseFrame),
    /// The transport has ended, with an error or without.
    End(Option<io::Error>),
    Failed(Failure),
    Ping(Bytes),
    Pong(Bytes),
}

#[derive(Debug)]
struct DataFrame {
    header: Parsed,
    /// How many bytes of its payload were parsed.
    received: u64,
}

#[derive(Debug)]
struct EndOfInput(Option<io::Error>);

/// The result of one step of parsing.
enum Step {
    Received(Received),
    NeedsInput,
    Next,
    Paused,
}

impl Receiver {
    pub(crate) fn new(role: Role, assembler: Assembler) -> Self {
        Self {
            validation: Validation::new(role, assembler.can_inflate()),
            buffer: ReadBuffer::default(),
            assembler,
            frame: None,
            in_message: false,
            end_of_input: None,
        }
    }

    /// Begins with bytes that were read together with the opening handshake.
    pub(crate) fn start_with(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.buffer = ReadBuffer::from(bytes);
        }
    }

    /// Whether nothing can be parsed until more input arrives.
    #[inline]
    pub(crate) fn is_waiting_for_input(&self) -> bool {
        self.buffer.is_empty()
            && self.end_of_input.is_none()
            && !self.frame.as_ref().is_some_and(DataFrame::is_complete)
    }

    /// Whether the transport should be read: more input could lead to a message or an event.
    #[inline]
    pub(crate) fn wants_input(&self, intake: Intake) -> bool {
        self.end_of_input.is_none() && !self.is_paused(intake)
    }

    /// Space for the next bytes of input: directly in the message if at least [`DIRECT`] bytes of it are missing, otherwise in the
    /// thread's buffer.
    #[inline]
    pub(crate) fn read_space(&mut self, intake: Intake) -> Result<Limit<&mut BytesMut>, Failure> {
        match &self.frame {
            Some(frame) if frame.is_read_directly(&self.buffer, intake) => self.assembler.read_space(frame.remaining()),
            // While messages are unread up to their limit, only control frames are parsed.
            _ => Ok(self.buffer.read_space(if intake == Intake::Pause { PAUSED_READ } else { usize::MAX })),
        }
    }

    /// Called when bytes were read into the [`read_space`](Self::read_space) for this intake.
    #[inline]
    pub(crate) fn bytes_read(&mut self, len: usize, intake: Intake) {
        if let Some(frame) = &mut self.frame
            && frame.is_read_directly(&self.buffer, intake)
        {
            frame.unmask(self.assembler.last(len));
        }
    }

    /// Called when the transport has ended.
    pub(crate) fn input_ended(&mut self, error: Option<io::Error>) {
        self.end_of_input.get_or_insert(EndOfInput(error));
    }

    /// Whether a message has begun and not ended.
    pub(crate) fn is_mid_message(&self) -> bool {
        self.in_message
    }

    /// Drops the message that is arriving. From now on the caller discards messages.
    pub(crate) fn discard(&mut self) {
        self.assembler.clear();
        self.assembler.drop_inflater();
    }

    /// Drops everything, and frees the memory. The next event is the end.
    pub(crate) fn clear(&mut self) {
        self.discard();
        self.buffer = ReadBuffer::default();
        self.frame = None;
        self.end_of_input.get_or_insert(EndOfInput(None));
    }

    /// Gives the thread's buffer back before the connection sleeps.
    #[inline]
    pub(crate) fn park(&mut self) {
        self.buffer.park();
    }

    /// Returns the next message or event, or `None` if more input is needed, parsing is paused, or the budget is used up. Each
    /// frame consumes one unit of the budget.
    #[inline]
    pub(crate) fn next(&mut self, intake: Intake, budget: &mut usize) -> Option<Received> {
        while *budget > 0 {
            let step = if self.frame.is_some() {
                self.advance_payload(intake)
            } else {
                *budget -= usize::from(!self.buffer.is_empty());
                self.advance_frame(intake)
            };
            match step {
                Ok(Step::Received(received)) => return Some(received),
                Ok(Step::NeedsInput) => {
                    return self.end_of_input.as_mut().map(|end| Received::Event(Event::End(end.0.take())));
                }
                Ok(Step::Next) => {}
                Ok(Step::Paused) => return None,
                Err(failure) => return Some(Received::Event(Event::Failed(failure))),
            }
        }
        None
    }

    /// Whether parsing is paused before the next frame.
    fn is_paused(&self, intake: Intake) -> bool {
        let is_data = |first: &u8| matches!(OpCode::from(first & 0x0f), OpCode::Data(_));
        intake == Intake::Pause
            && self.frame.is_none()
            && !self.in_message
            && (self.buffer.bytes().first().is_some_and(is_data) || self.buffer.is_full())
    }

    /// Parses a whole control frame, or the header of a data frame.
    #[inline]
    fn advance_frame(&mut self, intake: Intake) -> Result<Step, Failure> {
        let bytes = self.buffer.bytes();
        let Some(&first) = bytes.first() else { return Ok(Step::NeedsInput) };
        let opcode = self.validation.check(first, bytes.get(1).copied(), self.in_message).map_err(Failure::Protocol)?;
        if intake == Intake::Pause && matches!(opcode, OpCode::Data(Data::Text | Data::Binary)) {
            return Ok(Step::Paused);
        }
        match opcode {
            OpCode::Control(control) => match frame::parse_control(bytes) {
                Some(header) => self.parse_control(control, &header),
                None => Ok(Step::NeedsInput),
            },
            OpCode::Data(data) => match frame::parse_data(bytes) {
                Some(header) => self.begin_frame(data, header, intake).map(|()| Step::Next),
                None => Ok(Step::NeedsInput),
            },
        }
    }

    /// Parses the payload of a control frame, once it has arrived whole.
    fn parse_control(&mut self, control: Control, frame: &Parsed) -> Result<Step, Failure> {
        // `Validation` has checked that the payload is at most 125 bytes long.
        let whole = frame.size + frame.payload as usize;
        let Some(payload) = self.buffer.bytes_mut().get_mut(frame.size..whole) else { return Ok(Step::NeedsInput) };
        frame::unmask(frame.mask, payload, 0);
        let event = match control {
            Control::Ping => Event::Ping(Bytes::copy_from_slice(payload)),
            Control::Pong => Event::Pong(Bytes::copy_from_slice(payload)),
            Control::Close | Control::Reserved(_) => Event::Close(close_payload::parse(payload)?),
        };
        self.buffer.consume(whole);
        Ok(Step::Received(Received::Event(event)))
    }

    /// Begins a data frame, after its header was parsed.
    fn begin_frame(&mut self, data: Data, header: Parsed, intake: Intake) -> Result<(), Failure> {
        if intake != Intake::Discard {
            if !self.in_message {
                let kind = if data == Data::Text { MessageKind::Text } else { MessageKind::Binary };
                self.assembler.begin(kind, header.rsv1);
            }
            self.assembler.check_size(header.payload)?;
        }
        self.buffer.consume(header.size);
        self.in_message = true;
        self.frame = Some(DataFrame { header, received: 0 });
        Ok(())
    }

    /// Parses a message that has arrived whole and in one frame, as most messages do (`benches/echo.rs`). `None`: call
    /// [`next`](Self::next), which parses step by step.
    #[inline]
    pub(crate) fn whole_message(&mut self, budget: &mut usize) -> Option<Result<Message, Failure>> {
        let remaining_budget = budget.checked_sub(1)?;
        let bytes = self.buffer.bytes();
        let &[first, second, ..] = bytes else { return None };
        if self.in_message || self.frame.is_some() {
            return None;
        }
        let kind = self.validation.whole_message(first, second)?;
        let header = frame::parse_data(bytes).filter(|header| header.payload <= (bytes.len() - header.size) as u64)?;
        *budget = remaining_budget;
        self.assembler.begin(kind, header.rsv1);
        if let Err(failure) = self.assembler.check_size(header.payload) {
            return Some(Err(failure));
        }
        // The payload is in the buffer, so its length fits into `usize`.
        let len = header.payload as usize;
        self.buffer.consume(header.size);
        let payload = &mut self.buffer.bytes_mut()[..len];
        if let Some(mask) = header.mask {
            frame::apply_mask(payload, mask);
        }
        if self.assembler.may_keep(len) {
            return Some(self.assembler.keep(self.buffer.split_to(len)));
        }
        let message = self.assembler.whole(payload);
        self.buffer.consume(len);
        Some(message)
    }

    /// Moves payload of the current data frame into the assembler.
    fn advance_payload(&mut self, intake: Intake) -> Result<Step, Failure> {
        let Some(frame) = &mut self.frame else { return Ok(Step::Next) };
        let bytes = self.buffer.bytes_mut();
        let len = frame.remaining().min(bytes.len());
        let payload = &mut bytes[..len];
        frame.unmask(payload);
        if intake == Intake::Discard {
            self.buffer.consume(len);
        } else if !frame.is_complete() && self.assembler.may_adopt(len) {
            self.assembler.adopt(self.buffer.take());
        } else {
            let pushed = self.assembler.push(payload);
            self.buffer.consume(len);
            pushed?;
        }
        if !frame.is_complete() {
            return Ok(Step::NeedsInput);
        }
        let is_final = frame.header.is_final;
        self.frame = None;
        self.in_message = !is_final;
        match intake {
            Intake::Discard => Ok(Step::Next),
            _ if is_final => self.assembler.finish().map(|message| Step::Received(Received::Message(message))),
            _ => self.assembler.end_fragment().map(|()| Step::Next),
        }
    }
}

impl DataFrame {
    /// How many bytes of the payload are missing.
    fn remaining(&self) -> usize {
        usize::try_from(self.header.payload - self.received).unwrap_or(usize::MAX)
    }

    fn is_complete(&self) -> bool {
        self.received == self.header.payload
    }

    /// Whether the next bytes are read directly into the message.
    fn is_read_directly(&self, buffer: &ReadBuffer, intake: Intake) -> bool {
        self.remaining() >= DIRECT && buffer.is_empty() && intake != Intake::Discard
    }

    /// Unmasks the next part of the payload.
    fn unmask(&mut self, part: &mut [u8]) {
        frame::unmask(self.header.mask, part, self.received);
        self.received += part.len() as u64;
    }
}

/// If at least this many bytes of a frame are missing, they are read directly into its message.
const DIRECT: usize = 16 * 1024;
/// How many bytes are read at once while messages are unread up to their limit.
const PAUSED_READ: usize = 512;
