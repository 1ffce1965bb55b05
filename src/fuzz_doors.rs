//! Public wrappers of private items, for the targets in `fuzz/`. Compiled only with `--cfg fuzzing`.

use bytes::{BufMut, Bytes};
use http::{HeaderMap, HeaderValue, Request, Response};
use tokio::time::Instant;

use crate::close::CloseFrame;
use crate::deflate::{Compression, Deflater, InflateError, Inflater};
use crate::error::Error;
use crate::handshake;
use crate::limits::Limits;
use crate::message::Message;
use crate::protocol::{self, Assembler, Intake, Keepalive, Received};
use crate::role::Role;

/// A message or an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    Close(CloseFrame),
    End,
    Failed(String),
    Message(Message),
    Ping(Bytes),
    Pong(Bytes),
}

/// The receiving half of the protocol.
#[derive(Debug)]
pub struct Receiver(protocol::Receiver);

impl Receiver {
    /// One without compression.
    pub fn new(role: Role, limits: &Limits) -> Self {
        Self(protocol::Receiver::new(role, Assembler::new(limits, None)))
    }

    /// One with negotiated compression.
    pub fn compressed(role: Role, limits: &Limits, agreed: &Agreed) -> Self {
        Self(protocol::Receiver::new(role, Assembler::new(limits, Some(Inflater::new(&agreed.0, role)))))
    }

    /// Begins with bytes that were read together with the opening handshake.
    pub fn start_with(&mut self, bytes: &[u8]) {
        self.0.start_with(bytes);
    }

    /// Reads as much as there is space for, as a connection does, and returns how many bytes. `None` if nothing must be read now.
    pub fn read(&mut self, bytes: &[u8], paused: bool) -> Option<Result<usize, String>> {
        let intake = intake(paused);
        if !self.0.wants_input(intake) {
            return None;
        }
        let mut space = match self.0.read_space(intake) {
            Ok(space) => space,
            Err(failure) => return Some(Err(format!("{failure:?}"))),
        };
        let len = bytes.len().min(space.remaining_mut());
        space.put_slice(&bytes[..len]);
        self.0.bytes_read(len, intake);
        Some(Ok(len))
    }

    /// No more input will come.
    pub fn input_ended(&mut self) {
        self.0.input_ended(None);
    }

    /// The connection sleeps.
    pub fn park(&mut self) {
        self.0.park();
    }

    /// The next event.
    pub fn next_event(&mut self, paused: bool, budget: &mut usize) -> Option<Event> {
        let event = match self.0.next(intake(paused), budget)? {
            Received::Message(message) => return Some(Event::Message(message)),
            Received::Event(event) => event,
        };
        Some(match event {
            protocol::Event::Close(frame) => Event::Close(frame),
            protocol::Event::End(_) => Event::End,
            protocol::Event::Failed(failure) => Event::Failed(format!("{failure:?}")),
            protocol::Event::Ping(payload) => Event::Ping(payload),
            protocol::Event::Pong(payload) => Event::Pong(payload),
        })
    }
}

fn intake(paused: bool) -> Intake {
    if paused { Intake::Pause } else { Intake::Accept }
}

/// The parameters of permessage-deflate that both sides agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agreed(crate::deflate::Negotiated);

impl Agreed {
    /// A server's decision on a request.
    pub fn accept(settings: &Compression, headers: &HeaderMap) -> Option<Self> {
        settings.accept(headers).map(Self)
    }

    /// A client's decision on a response.
    pub fn confirm(settings: &Compression, headers: &HeaderMap) -> Result<Option<Self>, Error> {
        Ok(settings.confirm(headers)?.map(Self))
    }

    /// What the server answers.
    pub fn response_value(&self) -> HeaderValue {
        self.0.response_value()
    }

    /// What each side's messages refer to, and the window bits that it keeps to: client, server.
    pub fn parameters(&self) -> [(bool, Option<u8>); 2] {
        let agreed = &self.0;
        [
            (!agreed.client_no_context_takeover, agreed.client_max_window_bits),
            (!agreed.server_no_context_takeover, agreed.server_max_window_bits),
        ]
    }
}

/// A client's offer.
pub fn offer(settings: &Compression) -> HeaderValue {
    settings.offer()
}

/// Both directions of one side.
#[derive(Debug)]
pub struct Deflate {
    deflater: Deflater,
    inflater: Inflater,
}

impl Deflate {
    pub fn new(agreed: &Agreed, role: Role, settings: &Compression) -> Self {
        Self { deflater: Deflater::new(&agreed.0, role, settings), inflater: Inflater::new(&agreed.0, role) }
    }

    /// The compressed message, unless it goes as it is.
    pub fn deflate(&mut self, payload: &[u8]) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        self.deflater.deflate(payload, &mut out).then_some(out)
    }

    /// The message, or whether it is too big.
    pub fn inflate(&mut self, payload: &[u8], limit: usize) -> Result<Vec<u8>, bool> {
        let mut out = Vec::new();
        let inflated = self.inflater.inflate(payload, limit, |_| true, &mut out);
        inflated.map(|()| out).map_err(|error| error == InflateError::TooBig)
    }
}

/// Reads the payload of a close frame.
pub fn parse_close(payload: &[u8]) -> Result<CloseFrame, String> {
    protocol::parse_close(payload).map_err(|failure| format!("{failure:?}"))
}

/// The payload of a close frame.
pub fn close_payload(frame: &CloseFrame) -> Vec<u8> {
    protocol::close_payload(frame).to_vec()
}

/// A client's handshake that waits for its answer.
#[derive(Debug)]
pub struct ClientHandshake(handshake::ClientHandshake);

impl ClientHandshake {
    pub fn new<B>(request: &mut Request<B>) -> Self {
        Self(handshake::ClientHandshake::new(request, None))
    }

    /// The subprotocol, or why the answer is refused.
    pub fn confirm<B>(&self, response: &Response<B>) -> Result<Option<Box<str>>, Error> {
        self.0.confirm(response)
    }
}

/// The timers of one connection.
#[derive(Debug)]
pub struct Timers(protocol::Timers);

/// What a timer has come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Due {
    Close,
    Deadline,
    Failed(String),
    Nothing(Option<Instant>),
    Ping,
    ResumeReading,
    SampleSendQueue,
}

impl Timers {
    pub fn new(keepalive: Keepalive, limits: &Limits, now: Instant) -> Self {
        Self(protocol::Timers::new(keepalive, limits, now))
    }

    pub fn set_send_queue_known(&mut self) {
        self.0.set_send_queue_known();
    }

    pub fn bytes_received(&mut self, now: Instant) {
        self.0.bytes_received(now);
    }

    pub fn set_read_paused(&mut self, paused: bool, now: Instant) {
        self.0.set_read_paused(paused, now);
    }

    pub fn count_message(&mut self, now: Instant) -> bool {
        self.0.count_message(now)
    }

    pub fn count_bytes(&mut self, bytes: usize, now: Instant) -> bool {
        self.0.count_bytes(bytes, now)
    }

    pub fn max_bytes(&self, now: Instant) -> usize {
        self.0.max_bytes(now)
    }

    pub fn is_rate_paused(&self) -> bool {
        self.0.is_rate_paused()
    }

    pub fn stop_rate_limit(&mut self) {
        self.0.stop_rate_limit();
    }

    pub fn bytes_written(&mut self, bytes: usize, now: Instant) {
        self.0.bytes_written(bytes, now);
    }

    pub fn write_blocked(&mut self, now: Instant) {
        self.0.write_blocked(now);
    }

    pub fn flush_blocked(&mut self, now: Instant) {
        self.0.flush_blocked(now);
    }

    pub fn write_done(&mut self) {
        self.0.write_done();
    }

    pub fn send_queue_sampled(&mut self, bytes: Option<u32>, now: Instant) -> bool {
        self.0.send_queue_sampled(bytes, now)
    }

    pub fn set_pong_due(&mut self, due: bool, now: Instant) {
        self.0.set_pong_due(due, now);
    }

    pub fn set_mid_message(&mut self, mid_message: bool, now: Instant) {
        self.0.set_mid_message(mid_message, now);
    }

    pub fn set_closing(&mut self, now: Instant) {
        self.0.set_closing(now);
    }

    pub fn set_write_failed(&mut self, now: Instant) {
        self.0.set_write_failed(now);
    }

    pub fn is_write_blocked(&self) -> bool {
        self.0.is_write_blocked()
    }

    pub fn set_deadline(&mut self, deadline: Option<Instant>) {
        self.0.set_deadline(deadline);
    }

    pub fn running(&self) -> u8 {
        self.0.running()
    }

    pub fn take_earlier(&mut self) -> bool {
        self.0.take_earlier()
    }

    pub fn take_later(&mut self) -> bool {
        self.0.take_later()
    }

    pub fn poll(&mut self, now: Instant) -> Due {
        match self.0.poll(now) {
            protocol::Due::Close => Due::Close,
            protocol::Due::Deadline => Due::Deadline,
            protocol::Due::Failed(failure) => Due::Failed(format!("{failure:?}")),
            protocol::Due::Nothing(next) => Due::Nothing(next),
            protocol::Due::Ping => Due::Ping,
            protocol::Due::ResumeReading => Due::ResumeReading,
            protocol::Due::SampleSendQueue => Due::SampleSendQueue,
        }
    }
}
