//! What a connection's task and its handles tell each other, under the lock of `shared`.

use std::task::Waker;
use std::time::Duration;

use super::outgoing::Outgoing;
use super::wakers::Wakers;
use crate::close::CloseFrame;
use crate::error::Error;
use crate::message::Message;
use crate::role::Role;

#[derive(Debug, Default)]
pub(super) struct State {
    /// The one message that was received and not yet taken.
    pub(super) inbox: Option<Message>,
    pub(super) queued: Outgoing,
    /// All bytes ever queued, and of these the ones that the operating system has.
    pub(super) accepted: u64,
    pub(super) written: u64,
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
    pub(super) sent_so_far: Sent,
    /// No handle is left.
    pub(super) abandoned: bool,
    pub(super) requests: Requests,
    /// Something was queued that the task has not taken.
    sent: bool,
    /// The task sleeps, and has data that waits for the message to be taken.
    pub(super) held_up: bool,
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
            Self::Closed(frame) => Error::ended_by(frame.clone()),
            Self::Failed(error) => error.clone(),
        }
    }
}

/// What the handles ask of the task.
#[derive(Debug, Default)]
pub(super) struct Requests {
    /// The transport is to be dropped, and the handler too.
    pub(super) abort: bool,
    pub(super) close: Option<CloseFrame>,
    /// The transport is to be dropped.
    pub(super) fail: bool,
    /// The number of a ping to be sent.
    pub(super) ping: Option<u64>,
}

/// What was sent.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sent {
    pub(super) messages: u64,
    pub(super) payload: u64,
    pub(super) wire: u64,
}

/// What the task has done since it last said so.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// All bytes that the transport has passed on, and of these the ones of data frames.
    pub(super) sent: u64,
    pub(super) written: u64,
}

/// The task's side.
impl State {
    /// Leaves a message to whoever receives next.
    pub(super) fn deliver(&mut self, message: Message) {
        self.inbox = Some(message);
        self.readers.wake();
    }

    /// Appends everything queued.
    #[inline]
    pub(super) fn take_queued(&mut self, writing: &mut Outgoing) {
        self.sent = false;
        writing.append(&mut self.queued);
    }

    /// Counts what was done.
    pub(super) fn advance(&mut self, progress: &mut Progress) {
        let Progress { sent, written } = std::mem::take(progress);
        self.sent_so_far.wire += sent;
        self.written += written;
        if sent > 0 {
            self.writers.wake();
        }
    }

    pub(super) fn set_round_trip(&mut self, ping: u64, round_trip: Duration) {
        self.round_trip = Some(round_trip);
        self.pings_answered = ping;
        self.watchers.wake();
    }

    /// Keeps the first reason.
    pub(super) fn set_end(&mut self, end: End) {
        self.end.get_or_insert(end);
        self.wake_all();
    }

    pub(super) fn wake_all(&mut self) {
        for wakers in [&mut self.readers, &mut self.writers, &mut self.watchers] {
            wakers.wake();
        }
    }

    /// Whether the task is asked to drop everything.
    pub(super) fn is_aborted(&self) -> bool {
        self.requests.abort
    }

    /// Lets the task sleep unless there is something that it has not seen. While its writing is `blocked`, it waits for
    /// the transport: what is queued is taken after that. `held_up`: it has data that waits for the message to be taken.
    pub(super) fn park(&mut self, blocked: bool, held_up: bool, waker: &Waker) -> bool {
        if (self.sent && !blocked) || (held_up && self.inbox.is_none()) {
            return false;
        }
        self.held_up = held_up;
        self.sleep(waker);
        true
    }

    /// The task is gone.
    pub(super) fn forget_task(&mut self) {
        self.waker = None;
    }

    /// The task is to be woken when it is asked for something.
    pub(super) fn sleep(&mut self, waker: &Waker) {
        match &mut self.waker {
            Some(known) => known.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
        self.asleep = true;
    }

    pub(super) fn wake_task(&mut self) {
        if std::mem::take(&mut self.asleep)
            && let Some(waker) = &self.waker
        {
            waker.wake_by_ref();
        }
    }
}

/// The handles' side.
impl State {
    #[inline]
    pub(super) fn push_message(&mut self, role: Role, message: Message) -> u64 {
        self.push(|queued| queued.push_message(role, message))
    }

    pub(super) fn push_compressed(&mut self, role: Role, message: Message, compressed: &[u8]) -> u64 {
        self.push(|queued| {
            queued.push_compressed(role, message.kind(), compressed);
            message.len()
        })
    }

    /// `push` says how long the message is: asking the message twice takes a hundredth of a burst's instructions.
    fn push(&mut self, push: impl FnOnce(&mut Outgoing) -> usize) -> u64 {
        let before = self.queued.len();
        let payload = push(&mut self.queued);
        self.accepted += (self.queued.len() - before) as u64;
        self.sent_so_far.messages += 1;
        self.sent_so_far.payload += payload as u64;
        self.sent = true;
        self.accepted
    }

    pub(super) fn pending(&self) -> u64 {
        self.accepted - self.written
    }

    #[inline]
    pub(super) fn check_open(&self) -> Result<(), Error> {
        match &self.end {
            Some(end) => Err(end.to_error()),
            None => Ok(()),
        }
    }
}
