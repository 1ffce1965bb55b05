//! tungstenite, and the only file that names it: it judges every frame that arrives and answers pings and closes.

use std::future::Future as _;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use futures_core::Stream as _;
use futures_sink::Sink as _;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite;
use tungstenite::error::ProtocolError;
use tungstenite::protocol::WebSocketConfig;

use super::fault::Fault;
use super::frame::MAX_CONTROL;
use super::lending;
use super::replies::{ReceivedCode, Replies};
use super::window::Window;
use super::wire::Wire;
use crate::close::{CloseCode, CloseFrame};
use crate::message::Message;
use crate::role::Role;

/// The wire, and tungstenite as the protocol's state machine beside it. Neither does I/O of its own: they answer from what
/// the wire was fed.
#[derive(Debug)]
pub(super) struct Socket {
    /// None while it is lent to the handler, which is while nobody else looks.
    wire: Option<Box<Wire>>,
    stream: WebSocketStream<Window>,
    /// tungstenite writes its answer to a ping or a close frame when it is polled next.
    answer_due: bool,
}

/// What arrived.
#[derive(Debug)]
pub(super) enum Event {
    /// The peer's close frame. Its answer is among the replies after the next poll.
    Close(CloseFrame),
    /// The closing handshake is complete, or the transport ended.
    End,
    Fault(Fault),
    /// A close frame with a code that must not be sent.
    InvalidClose,
    Message(Message),
    Ping,
    Pong(Bytes),
}

impl Socket {
    pub(super) fn new(role: Role, wire: Wire) -> Self {
        let role = match role {
            Role::Client => tungstenite::protocol::Role::Client,
            Role::Server => tungstenite::protocol::Role::Server,
        };
        // It sees control frames and empty data frames only; a longer frame is a control frame that breaks the rules.
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .write_buffer_size(0)
            .max_frame_size(Some(MAX_CONTROL));
        let made = pin!(WebSocketStream::from_raw_socket(Window::default(), role, Some(config)));
        match made.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(stream) => Self { wire: Some(Box::new(wire)), stream, answer_due: false },
            Poll::Pending => unreachable!("without a handshake there is nothing to wait for"),
        }
    }

    pub(super) fn wire(&mut self) -> &mut Wire {
        self.wire.as_mut().expect("the wire comes back from the handler")
    }

    /// Polls the handler of this connection, which may take messages from the wire.
    pub(super) fn lend_wire(&mut self, connection: usize, poll: impl FnOnce()) {
        if let Some(wire) = self.wire.take() {
            self.wire = lending::lend(connection, wire, poll);
        }
    }

    /// The control frames that tungstenite has written.
    pub(super) fn replies(&mut self) -> &mut Replies {
        &mut self.window().replies
    }

    /// The next event in what the wire was fed, or `Pending` when it must be fed more.
    pub(super) fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        if self.wire().is_exhausted() && !self.answer_due && self.window().is_empty() {
            return Poll::Pending;
        }
        loop {
            let wire = self.wire.as_mut().expect("the wire comes back from the handler");
            let window = self.stream.get_mut();
            wire.advance(window);
            if window.is_empty() {
                if let Some(message) = wire.take_message() {
                    return Poll::Ready(Event::Message(message));
                }
                if let Some(fault) = wire.take_fault() {
                    return Poll::Ready(Event::Fault(fault));
                }
                if !self.answer_due && !window.has_ended() {
                    return Poll::Pending;
                }
            }
            if let Poll::Ready(event) = self.judge(cx) {
                return Poll::Ready(event);
            }
        }
    }

    /// Has tungstenite look at what it is shown. `Pending`: the wire may go on.
    fn judge(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        self.answer_due = false;
        let event = match ready!(Pin::new(&mut self.stream).poll_next(cx)) {
            None => Event::End,
            Some(Ok(tungstenite::Message::Ping(_))) => {
                self.answer_due = true;
                Event::Ping
            }
            Some(Ok(tungstenite::Message::Pong(payload))) => Event::Pong(payload),
            Some(Ok(tungstenite::Message::Close(frame))) => {
                self.answer_due = true;
                match self.window().close_code() {
                    ReceivedCode::Invalid => Event::InvalidClose,
                    _ => Event::Close(self.received(frame)),
                }
            }
            Some(Ok(_)) => match self.wire().take_message() {
                Some(message) => Event::Message(message),
                None => return Poll::Pending,
            },
            Some(Err(
                tungstenite::Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)
                | tungstenite::Error::ConnectionClosed
                | tungstenite::Error::AlreadyClosed,
            )) => Event::End,
            Some(Err(tungstenite::Error::Utf8(_))) => Event::Fault(Fault::InvalidText),
            Some(Err(error)) => Event::Fault(Fault::Protocol(error.into())),
        };
        Poll::Ready(event)
    }

    /// Puts a ping among the replies.
    pub(super) fn ping(&mut self, payload: Bytes) {
        self.write(tungstenite::Message::Ping(payload));
    }

    /// Puts a close frame among the replies. Nothing is sent after it.
    pub(super) fn close(&mut self, frame: &CloseFrame) {
        self.write(tungstenite::Message::Close(Some(tungstenite::protocol::CloseFrame {
            code: frame.code().get().into(),
            reason: frame.reason().into(),
        })));
    }

    /// Writing to memory fails only after a close frame, and then there is nothing left to say.
    fn write(&mut self, message: tungstenite::Message) {
        if let Err(error) = Pin::new(&mut self.stream).start_send(message) {
            tracing::trace!(%error, "control frame not sent");
        }
    }

    fn window(&mut self) -> &mut Window {
        self.stream.get_mut()
    }

    fn received(&mut self, frame: Option<tungstenite::protocol::CloseFrame>) -> CloseFrame {
        let Some(frame) = frame else { return CloseFrame::received(CloseCode::NO_STATUS, String::new()) };
        let code = if self.window().close_code() == ReceivedCode::BadGateway {
            CloseCode::BAD_GATEWAY
        } else {
            CloseCode::new(frame.code.into()).unwrap_or(CloseCode::PROTOCOL_ERROR)
        };
        CloseFrame::received(code, frame.reason.as_str().to_owned())
    }
}

/// tungstenite fills its read buffer with zeroes before each read, and all it reads are headers.
const READ_BUFFER: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;
    use tungstenite::protocol::frame::coding::CloseCode as TheirCode;

    #[test]
    fn tungstenite_still_takes_1014_for_a_violation() {
        assert!(!TheirCode::from(1014).is_allowed(), "`replies` need not swap the code any more");
        assert!(TheirCode::from(1012).is_allowed() && TheirCode::from(1013).is_allowed());
    }
}
