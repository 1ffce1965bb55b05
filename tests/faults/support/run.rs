//! One run: a connection, its user, its peer, and everything that waits for it.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::time::{Instant, sleep, timeout};
use tower_websocket::{Budget, CloseCode, CloseFrame, Error, ErrorKind, Limits, Manager, Message};

use super::checks;
use super::peer::{Script, play};
use super::sides::{Opened, Setup, open};
use super::transport::{Fault, Manner, faulty};
use crate::shared::{Peer, secs};

/// A conversation and where it takes place.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) setup: Setup,
    pub(crate) deflate: bool,
    pub(crate) user: User,
    pub(crate) script: Script,
    pub(crate) manner: Manner,
}

/// What our side does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum User {
    /// Sends each message back.
    Echo,
    /// Sends messages of several sizes, waits until they are written, and closes.
    Push(usize),
    /// Receives a message every two seconds, with room for one.
    Slow,
}

/// What our side has seen.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) received: Vec<Message>,
    /// What was to be sent.
    pub(crate) sent: Vec<Message>,
    /// How many of those were certainly written.
    pub(crate) written: usize,
    /// What receiving told at last.
    pub(crate) last: Option<Result<(), Error>>,
}

impl User {
    /// Whether it closes the connection, so that what arrives is discarded.
    pub(super) fn closes(self) -> bool {
        matches!(self, Self::Push(_))
    }

    pub(super) async fn run(self, ws: Manager) -> Report {
        let mut report = Report::default();
        if let Self::Push(large) = self {
            for len in [1, 40, large, 0, 3] {
                let message = Message::text("push me ".repeat(len.div_ceil(8))[..len].to_owned());
                report.sent.push(message.clone());
                if ws.write_data(message, secs(3)).await.is_ok() {
                    report.written = report.sent.len();
                }
            }
            let frame = CloseFrame::new(CloseCode::new(4000).unwrap(), "pushed");
            let _ = ws.close_frame(frame).await;
        }
        let last = loop {
            match ws.recv().await {
                Ok(Some(message)) => {
                    if self == Self::Echo {
                        report.sent.push(message.clone());
                        // What was received before a failure is received all the same.
                        let _ = ws.send(message.clone()).await;
                    }
                    report.received.push(message);
                }
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
            if self == Self::Slow {
                sleep(secs(2)).await;
            }
        };
        report.last = Some(last);
        report
    }
}

/// Runs the case with this fault, checks what must hold, and returns how many calls of each kind there were.
pub(crate) fn run(case: &Case, fault: Fault) -> [usize; 4] {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(run_in(case, fault))
}

async fn run_in(case: &Case, fault: Fault) -> [usize; 4] {
    let start = Instant::now();
    let budget = Budget::new(1 << 30);
    let limits = Limits::default().budget(budget.clone());
    let limits = if case.user == User::Slow { limits.incoming(1) } else { limits };
    let (peer, transport, observer) = faulty(case.manner, fault);
    let mut peer = Peer::new(peer, case.setup.peer_role());
    let Opened { ws, user, start: begin, counted } =
        open(case.setup, case.deflate, limits, case.user, &mut peer, transport, &observer).await;
    let peer = tokio::spawn(play(peer, case.script.clone()));
    // Everything that can wait for a connection.
    let waiting = {
        let (ws, context) = (ws.clone(), ws.context());
        let [done, ping, flush] = [ws.clone(), ws.clone(), ws];
        tokio::spawn(async move {
            let flush = async { flush.done().await.map(drop).and(flush.flush().await) };
            tokio::join!(done.done(), ping.ping(), flush, context.cancelled_owned())
        })
    };
    begin.send(()).unwrap();
    let report = in_time("the user", user).await.unwrap();
    let (done, _, _, ()) = in_time("a waiter", waiting).await.unwrap();
    in_time("the peer", peer).await.unwrap();
    assert!(start.elapsed() <= MOST, "it took {:?}", start.elapsed());

    checks::one_end(&ws, &report, &done).await;
    let record = std::mem::take(&mut *observer.record());
    checks::received(case, fault, &record.read, &report, &done);
    checks::written(case, fault, &record.written, &report, &done);
    assert_eq!(budget.used(), 0, "the budget is given back while there is a handle");
    drop(ws);
    // The peer's side may still be read to its end.
    sleep(Limits::default().get_close_timeout()).await;
    let connections = counted.shutdown.as_ref().map_or(0, |shutdown| shutdown.connections());
    assert_eq!(connections, 0, "the connection counts no longer");
    let ends = usize::from(counted.shutdown.is_some());
    assert_eq!(counted.ends.load(Ordering::Relaxed), ends, "the end is reported once");
    assert_eq!(Handle::current().metrics().num_alive_tasks(), 0, "tasks are left");
    assert!(observer.is_alone(), "the transport is left");
    record.calls
}

async fn in_time<T>(who: &str, future: impl Future<Output = T>) -> T {
    timeout(MOST, future).await.unwrap_or_else(|_| panic!("{who} waits for ever"))
}

/// The kind of the error that users are told after this end.
pub(super) fn told(end: &Result<CloseFrame, Error>) -> ErrorKind {
    end.as_ref().map_or_else(Error::kind, |_| ErrorKind::Closed)
}

/// More than all time limits together.
const MOST: Duration = secs(90);
