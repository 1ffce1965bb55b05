//! tungstenite, and the only file that names it: it judges what `wire` shows it, and answers pings.

use std::future::Future as _;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use futures_core::Stream as _;
use futures_sink::Sink as _;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite;
use tungstenite::protocol::WebSocketConfig;

use super::fault::Fault;
use super::frame::MAX_CONTROL;
use super::lending;
use super::window::Window;
use super::wire::Wire;
use crate::close::CloseFrame;
use crate::message::Message;
use crate::role::Role;

/// The wire, and tungstenite as the protocol's state machine beside it. Neither does I/O of its own: they answer from what
/// the wire was fed.
#[derive(Debug)]
pub(super) struct Socket {
    role: Role,
    /// None while it is lent to the handler, which is while nobody else looks.
    wire: Option<Box<Wire>>,
    window: Window,
    /// tungstenite, for as long as it knows anything that a new one would not: a connection without control frames and
    /// fragments has none (`tests/allocations.rs`, and `benches/handshake.rs`).
    stream: Option<Box<WebSocketStream<Window>>>,
}

/// What arrived.
#[derive(Debug)]
pub(super) enum Event {
    /// The peer's close frame.
    Close(CloseFrame),
    /// The transport ended.
    End,
    Fault(Fault),
    Message(Message),
    Ping,
    Pong(Bytes),
}

impl Socket {
    pub(super) fn new(role: Role, wire: Wire) -> Self {
        let window = Window::default();
        Self { role, wire: Some(Box::new(wire)), window, stream: None }
    }

    pub(super) fn role(&self) -> Role {
        self.role
    }

    #[inline]
    pub(super) fn wire(&mut self) -> &mut Wire {
        self.wire.as_mut().expect("the wire comes back from the handler")
    }

    /// Polls the handler of this connection, which may take messages from the wire.
    #[inline]
    pub(super) fn lend_wire(&mut self, connection: usize, poll: impl FnOnce()) {
        if let Some(wire) = self.wire.take() {
            self.wire = lending::lend(connection, wire, poll);
        }
    }

    /// The pings and pongs that tungstenite has written.
    pub(super) fn replies(&mut self) -> &mut Vec<u8> {
        self.window.replies()
    }

    /// Gives back what is not needed while the connection's task sleeps.
    #[inline]
    pub(super) fn park(&mut self) {
        self.wire().park();
        if !self.wire().is_mid_message() {
            self.stream = None;
            self.window.park();
        }
    }

    /// The next event in what the wire was fed, or `Pending` when it must be fed more.
    #[inline]
    pub(super) fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        if self.wire().is_exhausted() && self.window.is_empty() {
            return Poll::Pending;
        }
        loop {
            let wire = self.wire.as_mut().expect("the wire comes back from the handler");
            wire.advance(&mut self.window);
            if self.window.is_empty() {
                if let Some(message) = wire.take_message() {
                    return Poll::Ready(Event::Message(message));
                }
                if let Some(fault) = wire.take_fault() {
                    return Poll::Ready(Event::Fault(fault));
                }
                if let Some(frame) = wire.take_close() {
                    return Poll::Ready(Event::Close(frame));
                }
                return if wire.is_over() { Poll::Ready(Event::End) } else { Poll::Pending };
            }
            if let Poll::Ready(event) = self.judge(cx) {
                return Poll::Ready(event);
            }
        }
    }

    /// Has tungstenite look at what it is shown. `Pending`: the wire may go on.
    fn judge(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        match ready!(self.with_stream(|stream| stream.poll_next(cx))) {
            Some(Ok(tungstenite::Message::Ping(_))) => {
                // It writes its answer when it is polled next, and there is nothing more to see.
                let _ = self.with_stream(|stream| stream.poll_next(cx));
                Poll::Ready(Event::Ping)
            }
            Some(Ok(tungstenite::Message::Pong(payload))) => Poll::Ready(Event::Pong(payload)),
            // The end of a message that was gathered elsewhere.
            Some(Ok(_)) | None => {
                self.wire().take_message().map_or(Poll::Pending, |message| Poll::Ready(Event::Message(message)))
            }
            Some(Err(error)) => Poll::Ready(Event::Fault(Fault::Protocol(error.into()))),
        }
    }

    /// Puts a ping among the replies.
    pub(super) fn ping(&mut self, payload: Bytes) {
        // Writing to memory does not fail while the connection is open.
        if let Err(error) = self.with_stream(|stream| stream.start_send(tungstenite::Message::Ping(payload))) {
            tracing::trace!(%error, "ping not sent");
        }
    }

    /// Has tungstenite do something, with the window in its hands.
    fn with_stream<R>(&mut self, act: impl FnOnce(Pin<&mut WebSocketStream<Window>>) -> R) -> R {
        let stream = self.stream.get_or_insert_with(|| new_stream(self.role));
        std::mem::swap(stream.get_mut(), &mut self.window);
        let result = act(Pin::new(stream));
        std::mem::swap(stream.get_mut(), &mut self.window);
        result
    }
}

fn new_stream(role: Role) -> Box<WebSocketStream<Window>> {
    let role = match role {
        Role::Client => tungstenite::protocol::Role::Client,
        Role::Server => tungstenite::protocol::Role::Server,
    };
    // It sees control frames and empty data frames only; a longer frame is a control frame that breaks the rules.
    let config =
        WebSocketConfig::default().read_buffer_size(READ_BUFFER).write_buffer_size(0).max_frame_size(Some(MAX_CONTROL));
    let made = pin!(WebSocketStream::from_raw_socket(Window::default(), role, Some(config)));
    match made.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(stream) => Box::new(stream),
        Poll::Pending => unreachable!("without a handshake there is nothing to wait for"),
    }
}

/// tungstenite fills its read buffer with zeroes before each read, and all it reads are headers.
const READ_BUFFER: usize = 128;
