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

/// What a connection receives. Between two calls:
///
/// 1. What is in the buffer begins with a frame, or with payload of `frame`.
/// 2. The payload of `frame` that has arrived is unmasked and in the assembler, and no longer in the buffer.
/// 3. The end of the input is an event only once everything before it has been one.
#[derive(Debug)]
pub(crate) struct Receiver {
    validation: Validation,
    buffer: ReadBuffer,
    assembler: Assembler,
    /// The data frame whose payload is arriving.
    frame: Option<DataFrame>,
    /// Between the first frame of a message and the end of its last.
    in_message: bool,
    end_of_input: Option<EndOfInput>,
}

/// What happens to messages that arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Intake {
    /// They are wanted.
    Accept,
    /// They are discarded.
    Discard,
    /// No new one begins. Control frames are still handled, up to the next data frame.
    Pause,
}

/// What arrived: a message, or anything else.
#[derive(Debug)]
pub(crate) enum Received {
    Event(Event),
    Message(Message),
}

/// What arrived and is no message.
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
    /// How much of its payload has arrived.
    received: u64,
}

#[derive(Debug)]
struct EndOfInput(Option<io::Error>);

/// How far one step went.
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

    /// Bytes that were read together with the opening handshake.
    pub(crate) fn start_with(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.buffer = ReadBuffer::from(bytes);
        }
    }

    /// Whether there is nothing to look at before more input has come.
    #[inline]
    pub(crate) fn is_waiting_for_input(&self) -> bool {
        self.buffer.is_empty()
            && self.end_of_input.is_none()
            && !self.frame.as_ref().is_some_and(DataFrame::is_complete)
    }

    /// Whether more input could lead to an event.
    #[inline]
    pub(crate) fn wants_input(&self, intake: Intake) -> bool {
        self.end_of_input.is_none() && !self.is_paused(intake)
    }

    /// Room for the next bytes of input: in the message itself where much of it is missing, else in the thread's buffer.
    #[inline]
    pub(crate) fn read_space(&mut self, intake: Intake) -> Result<Limit<&mut BytesMut>, Failure> {
        match &self.frame {
            Some(frame) if frame.is_read_directly(&self.buffer, intake) => self.assembler.read_space(frame.remaining()),
            // Behind unread messages only control frames are of interest.
            _ => Ok(self.buffer.read_space(if intake == Intake::Pause { PAUSED_READ } else { usize::MAX })),
        }
    }

    /// So many bytes were read into the [`read_space`](Self::read_space) for this intake.
    #[inline]
    pub(crate) fn bytes_read(&mut self, len: usize, intake: Intake) {
        if let Some(frame) = &mut self.frame
            && frame.is_read_directly(&self.buffer, intake)
        {
            frame.unmask(self.assembler.last(len));
        }
    }

    /// No more input will come.
    pub(crate) fn input_ended(&mut self, error: Option<io::Error>) {
        self.end_of_input.get_or_insert(EndOfInput(error));
    }

    /// Whether a message has begun and not ended.
    pub(crate) fn is_mid_message(&self) -> bool {
        self.in_message
    }

    /// Forgets the message that is arriving: from here on data is discarded.
    pub(crate) fn discard(&mut self) {
        self.assembler.clear();
        self.assembler.drop_inflater();
    }

    /// Forgets everything, and frees it.
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

    /// The next message or event, or `None` when more input is needed, data may not be taken now, or the budget is used up: each frame
    /// consumes one of it.
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

    /// Whether the next frame is one that may not be taken now.
    fn is_paused(&self, intake: Intake) -> bool {
        let is_data = |first: &u8| matches!(OpCode::from(first & 0x0f), OpCode::Data(_));
        intake == Intake::Pause
            && self.frame.is_none()
            && !self.in_message
            && (self.buffer.bytes().first().is_some_and(is_data) || self.buffer.is_full())
    }

    /// Takes the next frame, or the header of a data frame that has not arrived whole.
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
                Some(header) => self.take_control(control, &header),
                None => Ok(Step::NeedsInput),
            },
            OpCode::Data(data) => match frame::parse_data(bytes) {
                Some(header) => self.begin_frame(data, header, intake).map(|()| Step::Next),
                None => Ok(Step::NeedsInput),
            },
        }
    }

    fn take_control(&mut self, control: Control, frame: &Parsed) -> Result<Step, Failure> {
        // The payload is at most 125 bytes long.
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

    /// Takes the header of a data frame.
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

    /// Takes a message that has arrived whole in one frame: the short way of most messages (`benches/echo.rs`). `None`: the
    /// next frame is none such, and [`next`](Self::next) takes it step by step.
    #[inline]
    pub(crate) fn whole_message(&mut self, budget: &mut usize) -> Option<Result<Message, Failure>> {
        let left = budget.checked_sub(1)?;
        let bytes = self.buffer.bytes();
        let &[first, second, ..] = bytes else { return None };
        if self.in_message || self.frame.is_some() {
            return None;
        }
        let kind = self.validation.whole_message(first, second)?;
        let header = frame::parse_data(bytes).filter(|header| header.payload <= (bytes.len() - header.size) as u64)?;
        *budget = left;
        self.assembler.begin(kind, header.rsv1);
        if let Err(failure) = self.assembler.check_size(header.payload) {
            return Some(Err(failure));
        }
        // It lies in the buffer: that is a length in memory.
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

    /// Takes payload of the current data frame.
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
    /// The bytes that are missing, as far as they fit into memory.
    fn remaining(&self) -> usize {
        usize::try_from(self.header.payload - self.received).unwrap_or(usize::MAX)
    }

    fn is_complete(&self) -> bool {
        self.received == self.header.payload
    }

    /// Whether the next bytes go straight into the message.
    fn is_read_directly(&self, buffer: &ReadBuffer, intake: Intake) -> bool {
        self.remaining() >= DIRECT && buffer.is_empty() && intake != Intake::Discard
    }

    /// Unmasks the next part of the payload.
    fn unmask(&mut self, part: &mut [u8]) {
        frame::unmask(self.header.mask, part, self.received);
        self.received += part.len() as u64;
    }
}

/// A frame that misses at least so much is read straight into its message.
const DIRECT: usize = 16 * 1024;
/// How much is read at a time while messages are unread up to their limit.
const PAUSED_READ: usize = 512;
