//! A transport in memory with one fault.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf, duplex};

/// What a connection asks of its transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    Flush,
    Read,
    Shutdown,
    Write,
}

impl Op {
    pub(crate) const ALL: [Self; 4] = [Self::Read, Self::Write, Self::Flush, Self::Shutdown];

    fn index(self) -> usize {
        Self::ALL.iter().position(|other| *other == self).unwrap()
    }
}

/// What goes wrong, from the call of this number on.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// The input ends.
    End(usize),
    /// Calls of this kind fail.
    Error(Op, usize),
    None,
    /// All calls fail.
    Reset(usize),
    /// Calls of this kind stay pending, and wake nobody.
    Stall(Op, usize),
    /// Writes accept nothing.
    Zero(usize),
}

/// How a transport that has no fault treats its calls.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner {
    /// The most bytes that a call reads or writes.
    pub(crate) chunk: usize,
    /// Each call is pending once before it is ready.
    pub(crate) pending: bool,
    pub(crate) vectored: bool,
}

/// What the test knows of a transport.
#[derive(Debug, Default)]
pub(crate) struct Record {
    /// The calls of each kind, in the order of `Op::ALL`.
    pub(crate) calls: [usize; 4],
    /// What was read.
    pub(crate) read: Vec<u8>,
    /// What was written.
    pub(crate) written: Vec<u8>,
    /// Calls count, and the fault happens.
    armed: bool,
    was_pending: [bool; 4],
}

#[derive(Clone, Default)]
pub(crate) struct Observer(Arc<Mutex<Record>>);

impl Observer {
    pub(crate) fn record(&self) -> MutexGuard<'_, Record> {
        self.0.lock().unwrap()
    }

    /// From here on calls count.
    pub(crate) fn arm(&self) {
        self.record().armed = true;
    }

    /// Whether the transport was dropped.
    pub(crate) fn is_alone(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }
}

/// The end of a transport that the connection under test has.
pub(crate) struct Faulty {
    io: DuplexStream,
    manner: Manner,
    fault: Fault,
    observer: Observer,
}

/// Both ends. The peer's has no faults and room for everything.
pub(crate) fn faulty(manner: Manner, fault: Fault) -> (DuplexStream, Faulty, Observer) {
    let (near, far) = duplex(1024 * 1024);
    let observer = Observer::default();
    (near, Faulty { io: far, manner, fault, observer: observer.clone() }, observer)
}

/// Every fault at every one of so many calls.
pub(crate) fn faults(calls: [usize; 4]) -> impl Iterator<Item = Fault> {
    let [reads, writes, ..] = calls;
    let of_a_kind = |(op, calls)| (0..=calls).flat_map(move |at| [Fault::Error(op, at), Fault::Stall(op, at)]);
    let ends = (0..=reads).map(Fault::End);
    let zeros = (0..=writes).map(Fault::Zero);
    let resets = (0..=calls.iter().sum()).map(Fault::Reset);
    Op::ALL.into_iter().zip(calls).flat_map(of_a_kind).chain(ends).chain(zeros).chain(resets)
}

/// What a call is to do. `Go`: what the transport in memory does.
enum Step {
    Go,
    Done(Poll<io::Result<usize>>),
}

impl Faulty {
    fn step(&self, op: Op, cx: &mut Context<'_>) -> Step {
        let mut record = self.observer.record();
        if !record.armed {
            return Step::Go;
        }
        let index = op.index();
        if self.manner.pending && !std::mem::replace(&mut record.was_pending[index], true) {
            cx.waker().wake_by_ref();
            return Step::Done(Poll::Pending);
        }
        let all: usize = record.calls.iter().sum();
        let call = record.calls[index];
        record.calls[index] += 1;
        assert!(all < MOST_CALLS, "the transport is called again and again");
        match self.fault {
            Fault::End(at) if op == Op::Read && call >= at => Step::Done(Poll::Ready(Ok(0))),
            Fault::Error(faulty, at) if op == faulty && call >= at => Step::Done(failed()),
            Fault::Reset(at) if all >= at => Step::Done(failed()),
            Fault::Stall(faulty, at) if op == faulty && call >= at => Step::Done(Poll::Pending),
            Fault::Zero(at) if op == Op::Write && call >= at => Step::Done(Poll::Ready(Ok(0))),
            _ => Step::Go,
        }
    }

    /// The call has done something: the next of its kind is pending first, where calls are.
    fn progressed(&self, op: Op) {
        self.observer.record().was_pending[op.index()] = false;
    }

    fn written(&self, bytes: &[u8]) {
        self.progressed(Op::Write);
        let mut record = self.observer.record();
        if record.armed {
            record.written.extend_from_slice(bytes);
        }
    }
}

fn failed() -> Poll<io::Result<usize>> {
    Poll::Ready(Err(io::Error::new(io::ErrorKind::ConnectionReset, "the test's fault")))
}

impl AsyncRead for Faulty {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if let Step::Done(done) = self.step(Op::Read, cx) {
            return done.map_ok(drop);
        }
        let mut bytes = vec![0; buf.remaining().min(self.manner.chunk)];
        let mut part = ReadBuf::new(&mut bytes);
        let result = Pin::new(&mut self.io).poll_read(cx, &mut part);
        if result.is_ready() {
            self.progressed(Op::Read);
        }
        let mut record = self.observer.record();
        if result.is_pending() && record.armed {
            // Nothing was there: that is no step of the conversation.
            record.calls[0] -= 1;
        }
        if record.armed {
            record.read.extend_from_slice(part.filled());
        }
        buf.put_slice(part.filled());
        result
    }
}

impl AsyncWrite for Faulty {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if let Step::Done(done) = self.step(Op::Write, cx) {
            return done;
        }
        let bytes = &bytes[..bytes.len().min(self.manner.chunk)];
        let result = Pin::new(&mut self.io).poll_write(cx, bytes);
        if let Poll::Ready(Ok(len)) = result {
            self.written(&bytes[..len]);
        }
        result
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_write(cx, &slices.iter().flat_map(|slice| slice.iter().copied()).collect::<Vec<_>>())
    }

    fn is_write_vectored(&self) -> bool {
        self.manner.vectored
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.step(Op::Flush, cx) {
            Step::Done(done) => done.map_ok(drop),
            Step::Go => {
                self.progressed(Op::Flush);
                Pin::new(&mut self.io).poll_flush(cx)
            }
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.step(Op::Shutdown, cx) {
            Step::Done(done) => done.map_ok(drop),
            Step::Go => Pin::new(&mut self.io).poll_shutdown(cx),
        }
    }
}

/// More than any conversation takes.
const MOST_CALLS: usize = 200_000;
