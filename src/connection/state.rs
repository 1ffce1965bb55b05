//! What a connection's task and its handles tell each other, under the lock of `shared`.

use std::task::Waker;
use std::time::Duration;

use super::outgoing::Outgoing;
use super::wakers::Wakers;
use crate::close::CloseFrame;
use crate::error::Error;
use crate::message::Message;
use crate::role::Role;
use crate::stats::Stats;

#[derive(Debug, Default)]
pub(super) struct State {
    /// The one message that was received and not yet taken.
    pub(super) inbox: Option<Message>,
    pub(super) queued: Outgoing,
    /// All bytes ever queued, and of these the ones that the operating system has.
    pub(super) accepted: u64,
    pub(super) written: u64,
    pub(super) close: Option<CloseFrame>,
    /// The transport is to be dropped; with `abort`, the handler too.
    pub(super) fail: bool,
    pub(super) abort: bool,
    pub(super) ping: bool,
    pub(super) pings_asked: u64,
    pub(super) pings_answered: u64,
    pub(super) round_trip: Option<Duration>,
    /// Why the connection is over for its users. Set once.
    pub(super) end: Option<End>,
    /// The transport is over too.
    pub(super) ended: bool,
    pub(super) readers: Wakers,
    pub(super) writers: Wakers,
    pub(super) watchers: Wakers,
    pub(super) stats: Stats,
    /// No handle is left.
    pub(super) abandoned: bool,
    /// The task is to poll its handler, take the requests, or take what is queued, before it sleeps.
    handler_due: bool,
    pub(super) asked: bool,
    pub(super) sent: bool,
    /// The task's waker, and whether it is to be woken.
    waker: Option<Waker>,
    asleep: bool,
}

/// The first reason that ended a connection.
#[derive(Clone, Debug)]
pub(super) enum End {
    Closed(CloseFrame),
    Failed(Error),
}

impl End {
    pub(super) fn to_error(&self) -> Error {
        match self {
            Self::Closed(frame) => frame.clone().into(),
            Self::Failed(error) => error.clone(),
        }
    }
}

/// What the handles ask of the task.
#[derive(Debug)]
pub(super) struct Requests {
    pub(super) fail: bool,
    pub(super) abort: bool,
    pub(super) close: Option<CloseFrame>,
    pub(super) handler_due: bool,
    pub(super) inbox_full: bool,
    pub(super) ping: Option<u64>,
}

/// The task's side. What returns a `bool` says whether the handler is to be polled.
impl State {
    pub(super) fn take_requests(&mut self, task: &Waker) -> Requests {
        self.know(task);
        self.asleep = false;
        self.asked = false;
        Requests {
            handler_due: std::mem::take(&mut self.handler_due),
            fail: std::mem::take(&mut self.fail),
            abort: std::mem::take(&mut self.abort),
            close: self.close.take(),
            inbox_full: self.inbox.is_some(),
            ping: std::mem::take(&mut self.ping).then_some(self.pings_asked),
        }
    }

    /// Hands a message over.
    pub(super) fn deliver(&mut self, message: Message, received: u64) -> bool {
        self.stats.wire_received += received;
        self.stats.messages_received += 1;
        self.stats.payload_received += message.len() as u64;
        self.inbox = Some(message);
        self.readers.wake()
    }

    /// Appends everything queued.
    pub(super) fn take_queued(&mut self, writing: &mut Outgoing) {
        self.sent = false;
        writing.append(&mut self.queued);
    }

    /// Counts bytes that the transport took, and how many of them were data frames.
    pub(super) fn set_written(&mut self, bytes: usize, data: usize) -> bool {
        self.stats.wire_sent += bytes as u64;
        self.written += data as u64;
        self.writers.wake()
    }

    pub(super) fn set_round_trip(&mut self, ping: u64, round_trip: Duration) -> bool {
        self.round_trip = Some(round_trip);
        self.pings_answered = ping;
        self.watchers.wake()
    }

    /// Keeps the first reason.
    pub(super) fn set_end(&mut self, end: End) -> bool {
        self.end.get_or_insert(end);
        self.wake_all()
    }

    pub(super) fn wake_all(&mut self) -> bool {
        let Self { readers, writers, watchers, .. } = self;
        [readers, writers, watchers].map(Wakers::wake).contains(&true)
    }

    /// Lets the task sleep unless there is something that it has not seen. While its writing is `blocked`, it waits for
    /// the transport: what is queued is taken after that.
    pub(super) fn park(&mut self, blocked: bool, received: u64, waker: &Waker) -> bool {
        self.stats.wire_received += received;
        if self.asked || (self.sent && !blocked) {
            return false;
        }
        self.sleep(waker);
        true
    }

    /// The task is gone.
    pub(super) fn forget_task(&mut self) {
        self.waker = None;
    }

    /// The task is to be woken when it is asked for something.
    pub(super) fn sleep(&mut self, waker: &Waker) {
        self.know(waker);
        self.asleep = true;
    }

    fn know(&mut self, task: &Waker) {
        match &mut self.waker {
            Some(known) => known.clone_from(task),
            none => *none = Some(task.clone()),
        }
    }
}

/// The handles' side.
impl State {
    /// Has the task take the requests, and wakes it where it sleeps.
    pub(super) fn ask(&mut self) {
        self.asked = true;
        self.wake_task();
    }

    /// Whether this waker wakes the connection's task.
    pub(super) fn is_task(&self, waker: &Waker) -> bool {
        self.waker.as_ref().is_some_and(|task| task.will_wake(waker))
    }

    /// Ends the connection for its users, and has the task do its part.
    pub(super) fn end_with(&mut self, end: End) {
        self.handler_due |= self.set_end(end);
        self.ask();
    }

    /// The last handle is gone.
    pub(super) fn abandon(&mut self) {
        self.abandoned = true;
        self.handler_due |= self.watchers.wake();
        self.ask();
    }

    fn wake_task(&mut self) {
        if std::mem::take(&mut self.asleep)
            && let Some(waker) = &self.waker
        {
            waker.wake_by_ref();
        }
    }

    pub(super) fn push_message(&mut self, role: Role, message: Message) -> u64 {
        let len = message.len();
        self.push(len, |queued| queued.push_message(role, message))
    }

    pub(super) fn push_compressed(&mut self, role: Role, message: Message, compressed: &[u8]) -> u64 {
        self.push(message.len(), |queued| queued.push_compressed(role, message.kind(), compressed))
    }

    fn push(&mut self, payload: usize, push: impl FnOnce(&mut Outgoing)) -> u64 {
        let before = self.queued.len();
        push(&mut self.queued);
        self.accepted += (self.queued.len() - before) as u64;
        self.stats.messages_sent += 1;
        self.stats.payload_sent += payload as u64;
        self.sent = true;
        self.wake_task();
        self.accepted
    }

    pub(super) fn pending(&self) -> u64 {
        self.accepted - self.written
    }

    pub(super) fn check_open(&self) -> Result<(), Error> {
        match &self.end {
            Some(end) => Err(end.to_error()),
            None => Ok(()),
        }
    }
}
