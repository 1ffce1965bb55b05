//! The one task of a connection: it polls the transport and the handler together, and only it touches the transport.

mod handling;
mod reading;
mod timing;
mod writing;

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::yield_now;
use tokio::time::{Instant, Sleep};

pub(super) use self::handling::{Handler, panicked};
use self::writing::Unflushed;
use super::closing::{Closing, Phase};
use super::deadlines::Deadlines;
use super::fault::Fault;
use super::keepalive::{Keepalive, Liveness};
use super::outgoing::Outgoing;
use super::pings::Pings;
use super::shared::Shared;
use super::socket::{Event, Socket};
use super::state::{End, Progress, Requests};
use super::transport::Transport;
use crate::close::CloseFrame;
use crate::handler::HandlerOutput;
use crate::limits::Limits;
use crate::message::Message;

/// One connection, until its transport and its handler are both done.
pub(super) struct Task<Io> {
    /// None before it is there, and once it is over.
    transport: Option<Transport<Io>>,
    socket: Socket,
    pub(super) shared: Arc<Shared>,
    /// What is being written; the first `overhead` bytes of it are control frames.
    writing: Outgoing,
    overhead: usize,
    pub(super) liveness: Liveness,
    text_heartbeat: bool,
    closing: Closing,
    deadlines: Deadlines,
    pings: Pings,
    /// Nothing more that arrives counts.
    socket_over: bool,
    peer_closed: bool,
    /// Our close frame, while it waits behind everything else.
    close_frame: Option<CloseFrame>,
    /// HTTP/2: the stream is to be read to its end even after the peer's close frame.
    read_to_end: bool,
    /// Not even the handler is waited for.
    aborted: bool,
    /// The handler is to be polled before the task sleeps.
    handler_due: bool,
    unflushed: Unflushed,
    /// What those who wait for it, and the statistics, do not know yet.
    progress: Progress,
    pub(super) timer_polled: bool,
    /// The limits that the timer was set for.
    timed: u8,
    pub(super) now: Instant,
}

impl<Io: AsyncRead + AsyncWrite + Unpin> Task<Io> {
    #[inline]
    pub(super) fn new(
        socket: Socket,
        shared: Arc<Shared>,
        limits: &Limits,
        keepalive: Keepalive,
        read_to_end: bool,
    ) -> Self {
        let now = Instant::now();
        Self {
            transport: None,
            socket,
            shared,
            writing: Outgoing::default(),
            overhead: 0,
            liveness: Liveness::new(keepalive, now),
            text_heartbeat: keepalive.answers_text(),
            closing: Closing::new(limits.close_time),
            deadlines: Deadlines::new(limits, now),
            pings: Pings::default(),
            socket_over: false,
            peer_closed: false,
            close_frame: None,
            read_to_end,
            aborted: false,
            handler_due: false,
            unflushed: Unflushed::default(),
            progress: Progress::default(),
            timer_polled: false,
            timed: 0,
            now,
        }
    }

    pub(super) fn open(&mut self, transport: Transport<Io>, early: Bytes) {
        self.now = Instant::now();
        self.liveness.seen(self.now);
        self.shared.signals.count_read(early.len());
        self.socket.wire().feed(early);
        self.shared.set_vectored(transport.is_write_vectored());
        self.transport = Some(transport);
    }

    /// Everything that can be done now. Ready when the transport and the handler are both over.
    pub(super) fn poll<H>(
        &mut self,
        mut handler: Handler<'_, H>,
        mut timer: Pin<&mut Sleep>,
        cx: &mut Context<'_>,
    ) -> Poll<()>
    where
        H: Future<Output: HandlerOutput>,
    {
        self.now = Instant::now();
        self.shared.signals.awake.set(true);
        if self.shared.signals.set_task(cx.waker()) {
            // The future has come to another task, which the timer does not know.
            self.timer_polled = false;
        }
        // At least once, as it may wait for things of its own.
        self.handler_due = true;
        self.socket.wire().start_turn();
        loop {
            self.take_requests();
            while self.socket.wire().spend()
                && let Poll::Ready(event) = self.poll_event(cx)
            {
                self.on_event(event);
                if self.handler_due {
                    self.poll_handler(&mut handler, cx);
                }
                self.take_requests();
            }
            let turn_over = self.socket.wire().is_turn_over();
            if self.handler_due && !turn_over {
                // Most often the task was woken for what has arrived, and the handler waits for that and takes it by itself.
                let read = self.poll_read(cx).is_ready();
                self.poll_handler(&mut handler, cx);
                if read || self.socket.wire().take_touched() {
                    continue;
                }
            }
            self.write(cx);
            if turn_over {
                return self.pause(timer, cx);
            }
            if self.handler_due {
                continue;
            }
            if self.poll_read(cx).is_ready() {
                self.poll_handler(&mut handler, cx);
                continue;
            }
            if self.aborted || (self.transport.is_none() && handler.is_done()) {
                return Poll::Ready(());
            }
            if self.poll_timer(timer.as_mut(), cx) {
                self.handler_due = true;
            } else if self.park(cx) {
                return Poll::Pending;
            }
        }
    }

    /// Lets others have a turn, and comes back.
    fn pause(&mut self, timer: Pin<&mut Sleep>, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_timer(timer, cx);
        // The handler is polled in the next turn, whatever it waits for.
        self.shared.advance(&mut self.shared.lock(), &mut self.progress);
        self.socket.park();
        // The runtime looks at its timers and sockets before it comes back.
        pin!(yield_now()).poll(cx)
    }

    /// Does what the handles ask for.
    #[inline]
    fn take_requests(&mut self) {
        if self.shared.signals.asked.get() {
            let requests = self.shared.take_requests();
            self.serve(requests);
        }
        let hold = self.shared.signals.inbox_full.get() && self.closing.phase() == Phase::Open;
        self.socket.wire().set_hold(hold);
    }

    fn serve(&mut self, requests: Requests) {
        let Requests { abort, close, fail, ping } = requests;
        self.handler_due = true;
        if fail || abort {
            self.aborted |= abort;
            self.end_transport();
        }
        if let Some(number) = ping {
            self.send_ping(number);
        }
        if let Some(frame) = close {
            tracing::debug!(%frame, "closing");
            // Where the peer was first, it has its answer.
            if self.closing.phase() == Phase::Open {
                self.close_frame = Some(frame);
            }
            self.socket.wire().set_discard();
            self.closing.start(self.now);
        }
    }

    /// Looks at what was read.
    #[inline]
    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        if self.transport.is_none() || self.socket_over {
            return Poll::Pending;
        }
        self.socket.poll_event(cx)
    }

    fn on_event(&mut self, event: Event) {
        match event {
            Event::Message(message) => {
                // The next one may have begun in the same read.
                self.deadlines.set_mid_message(false, self.now);
                self.deliver(message);
            }
            Event::Ping => self.deadlines.set_owing_pong(true, self.now),
            Event::Pong(payload) => self.on_pong(&payload),
            Event::Close(frame) => {
                tracing::debug!(%frame, "peer closes");
                self.socket_over = true;
                self.peer_closed = true;
                if self.closing.phase() == Phase::Open {
                    // RFC 6455 §5.5.1: the answer says the same.
                    self.close_frame = Some(frame.clone());
                }
                self.socket.wire().set_discard();
                self.closing.finish(self.now);
                self.set_end(End::Closed(frame));
            }
            Event::End => {
                self.socket_over = true;
                if self.closing.phase() == Phase::Open {
                    self.fail(Fault::Disconnected(Some(NO_CLOSE_FRAME.into())));
                } else {
                    self.closing.finish(self.now);
                }
            }
            // Behind our close frame nothing counts any more; it is still to be written.
            Event::Fault(fault) if self.closing.phase() != Phase::Open => {
                tracing::debug!(?fault, "while closing");
                self.socket_over = true;
                self.closing.finish(self.now);
            }
            Event::Fault(fault) => {
                self.socket_over = true;
                self.fail(fault);
            }
        }
    }

    fn deliver(&mut self, message: Message) {
        if self.text_heartbeat && message.as_text() == Some("ping") {
            // A peer that does not read gets no more answers than the outgoing buffer holds.
            if self.shared.has_room() {
                // The queue is closed only after a close frame, and then no answer is wanted.
                let _ = self.shared.queue(Message::text("pong"), false);
            }
            return;
        }
        self.shared.deliver(message);
        self.handler_due = true;
    }

    fn send_ping(&mut self, number: u64) {
        self.pings.sent(number, self.now);
        self.socket.ping(Bytes::copy_from_slice(&number.to_be_bytes()));
    }

    fn on_pong(&mut self, payload: &[u8]) {
        let number = <[u8; 8]>::try_from(payload).map(u64::from_be_bytes).ok();
        // RFC 6455 §5.5.3: an unsolicited pong is a heartbeat that wants no answer.
        let answer = number.and_then(|number| Some((number, self.pings.answered(number, self.now)?)));
        if let Some((number, time)) = answer {
            self.shared.lock().set_round_trip(number, time);
            self.handler_due = true;
        }
    }

    /// Fails the connection (RFC 6455 §7.1.7).
    fn fail(&mut self, fault: Fault) {
        if self.closing.phase() != Phase::Open {
            // The closing handshake cannot be completed any more.
            return self.end_transport();
        }
        tracing::debug!(?fault, "connection failed");
        let frame = fault.close_frame();
        self.set_end(End::Failed(fault.into_error()));
        self.socket_over = true;
        if frame.is_none() {
            return self.end_transport();
        }
        self.close_frame = frame;
        self.closing.finish(self.now);
    }

    /// Why the connection is over for its users.
    fn set_end(&mut self, end: End) {
        self.shared.end_with(end, &mut self.progress);
        self.handler_due = true;
    }

    fn end_transport(&mut self) {
        self.transport = None;
        self.closing.done();
        self.set_ended();
    }

    fn set_ended(&mut self) {
        self.shared.set_ended(&mut self.progress);
        self.handler_due = true;
    }

    /// Gives memory back and sleeps, unless the handler may wait for what was done or a handle has asked for something.
    #[inline]
    fn park(&mut self, cx: &mut Context<'_>) -> bool {
        self.socket.park();
        let held_up = self.socket.wire().is_held_up();
        let signals = &self.shared.signals;
        // Before the lock is taken: whoever has it afterwards knows that the task is to be woken.
        signals.awake.set(false);
        let mut state = self.shared.lock();
        self.handler_due |= self.shared.advance(&mut state, &mut self.progress);
        let parked =
            !self.handler_due && !signals.asked.get() && state.park(!self.writing.is_empty(), held_up, cx.waker());
        if !parked {
            signals.awake.set(true);
        }
        parked
    }
}

impl<Io> Drop for Task<Io> {
    /// A task that is dropped before its time, at a shutdown's deadline or with its runtime, takes the connection along.
    fn drop(&mut self) {
        if self.closing.phase() != Phase::Done {
            self.shared.end_with(End::Failed(Fault::Disconnected(None).into_error()), &mut self.progress);
            self.shared.set_ended(&mut self.progress);
        }
        // A waker keeps the task's memory, and handles may stay.
        self.shared.lock().forget_task();
    }
}

const NO_CLOSE_FRAME: &str = "the transport ended, or the stream was reset, without a close frame";
