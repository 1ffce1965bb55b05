//! The states of a connection, from open to closed (RFC 6455 §7).

use crate::close::CloseFrame;
use crate::error::Error;

/// The states of one connection. Every transition is a method, and none goes back.
///
/// ```text
///        close()            peer_closed(), handshake_over()         transport_closed()
/// Open ───────────► Closing ───────────────────────────► Draining ────────────────────► Closed
///   │ write_failed()                                        ▲  ▲                           ▲
///   ├───────────► WriteFailed ──────────────────────────────┼──┼───────────────────────────┤
///   │ peer_closed(), fail()                                 │  │                           │
///   └───────────────────────────────────────────────────────┘  └── each may end at once ───┘
/// ```
#[derive(Debug, Default)]
pub(crate) enum Lifecycle {
    /// Messages pass in both directions.
    #[default]
    Open,
    /// The transport accepts no data any more. What the peer has sent is still received: the peer's close frame may be among it,
    /// and is then the reason of the end.
    WriteFailed(Error),
    /// Our close frame is queued or sent and the peer's is awaited. Data that still arrives is discarded.
    Closing(CloseReason),
    /// No close frame is awaited: what is queued is written, then our side of the transport is shut down, and the peer's side is
    /// read to its end.
    Draining { reason: CloseReason, close_received: bool, shut_down: bool },
    /// There is no transport.
    Closed(CloseReason),
}

/// Why a connection ended.
#[derive(Clone, Debug)]
pub(crate) enum CloseReason {
    /// By a close frame: the peer's or ours, whichever was first.
    Closed(CloseFrame),
    /// By an error.
    Failed(Error),
}

/// A state of [`Lifecycle`] without its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Open,
    WriteFailed,
    Closing,
    Draining,
    /// Draining, and our side is shut down.
    ShutDown,
    Closed,
}

impl CloseReason {
    pub(crate) fn to_error(&self) -> Error {
        match self {
            Self::Closed(frame) => Error::ended_by(frame.clone()),
            Self::Failed(error) => error.clone(),
        }
    }

    pub(crate) fn to_result(&self) -> Result<CloseFrame, Error> {
        match self {
            Self::Closed(frame) => Ok(frame.clone()),
            Self::Failed(error) => Err(error.clone()),
        }
    }
}

impl Lifecycle {
    #[inline]
    pub(crate) fn phase(&self) -> Phase {
        match self {
            Self::Open => Phase::Open,
            Self::WriteFailed(_) => Phase::WriteFailed,
            Self::Closing(_) => Phase::Closing,
            Self::Draining { shut_down: false, .. } => Phase::Draining,
            Self::Draining { shut_down: true, .. } => Phase::ShutDown,
            Self::Closed(_) => Phase::Closed,
        }
    }

    /// Why messages can be neither sent nor received any more; `None` while they may still be received.
    #[inline]
    pub(crate) fn reason(&self) -> Option<&CloseReason> {
        match self {
            Self::Open | Self::WriteFailed(_) => None,
            Self::Closing(reason) | Self::Draining { reason, .. } | Self::Closed(reason) => Some(reason),
        }
    }

    /// Whether messages may be sent.
    #[inline]
    pub(crate) fn check_writable(&self) -> Result<(), Error> {
        match self {
            Self::Open => Ok(()),
            Self::WriteFailed(error) => Err(error.clone()),
            Self::Closing(reason) | Self::Draining { reason, .. } | Self::Closed(reason) => Err(reason.to_error()),
        }
    }

    /// As [`check_writable`](Self::check_writable), without the reason.
    #[inline]
    pub(crate) fn is_writable(&self) -> bool {
        matches!(self, Self::Open)
    }

    /// Whether messages that arrive are received. Otherwise they are discarded.
    #[inline]
    pub(crate) fn is_receiving(&self) -> bool {
        matches!(self, Self::Open | Self::WriteFailed(_))
    }

    /// Whether the peer's close frame has arrived: once ours is written, the closing handshake is complete.
    pub(crate) fn is_handshake_complete(&self) -> bool {
        matches!(self, Self::Draining { close_received: true, .. })
    }

    /// The error if what is queued will never be written.
    pub(crate) fn write_error(&self) -> Option<Error> {
        match self {
            Self::WriteFailed(error) => Some(error.clone()),
            Self::Closed(reason) => Some(reason.to_error()),
            Self::Draining { reason, shut_down: true, .. } => Some(reason.to_error()),
            _ => None,
        }
    }

    /// The reason once the connection has ended: nothing more is sent or received, not even a close frame.
    pub(crate) fn ended(&self) -> Option<&CloseReason> {
        match self {
            Self::Draining { reason, shut_down: true, .. } | Self::Closed(reason) => Some(reason),
            _ => None,
        }
    }

    /// Closes from our side. Returns whether the close frame must be queued.
    pub(crate) fn close(&mut self, frame: CloseFrame) -> bool {
        match self {
            Self::Open => {
                *self = Self::Closing(CloseReason::Closed(frame));
                true
            }
            Self::WriteFailed(error) => {
                *self = Self::Closed(CloseReason::Failed(error.clone()));
                false
            }
            Self::Closing(_) | Self::Draining { .. } | Self::Closed(_) => false,
        }
    }

    /// Called when the peer's close frame has arrived. Returns whether it must be answered.
    pub(crate) fn peer_closed(&mut self, frame: CloseFrame) -> bool {
        let (reason, answer) = match self {
            Self::Open => (CloseReason::Closed(frame), true),
            Self::WriteFailed(_) => {
                *self = Self::Closed(CloseReason::Closed(frame));
                return false;
            }
            Self::Closing(reason) => (reason.clone(), false),
            Self::Draining { .. } | Self::Closed(_) => return false,
        };
        *self = Self::Draining { reason, close_received: true, shut_down: false };
        answer
    }

    /// Fails the connection (RFC 6455 §7.1.7). Returns whether a close frame must be queued.
    pub(crate) fn fail(&mut self, error: Error) -> bool {
        match self {
            Self::Open => {
                let reason = CloseReason::Failed(error);
                *self = Self::Draining { reason, close_received: false, shut_down: false };
                true
            }
            Self::WriteFailed(_) => {
                *self = Self::Closed(CloseReason::Failed(error));
                false
            }
            Self::Closing(_) | Self::Draining { .. } | Self::Closed(_) => false,
        }
    }

    /// Called when the peer's close frame cannot arrive any more after ours: the transport has ended, or the peer has broken a
    /// rule.
    pub(crate) fn handshake_over(&mut self) {
        if let Self::Closing(reason) = self {
            *self = Self::Draining { reason: reason.clone(), close_received: false, shut_down: false };
        }
    }

    /// Called when the transport accepts no data any more.
    pub(crate) fn write_failed(&mut self, error: Error) {
        match self {
            Self::Open => *self = Self::WriteFailed(error),
            // The closing handshake cannot be completed any more.
            Self::Closing(_) | Self::Draining { .. } => self.transport_closed(error),
            Self::WriteFailed(_) | Self::Closed(_) => {}
        }
    }

    /// Called when our side of the transport is shut down.
    pub(crate) fn shut_down(&mut self) {
        if let Self::Draining { shut_down, .. } = self {
            *shut_down = true;
        }
    }

    /// Called when the transport is closed. The error is the reason, unless there is an earlier one.
    pub(crate) fn transport_closed(&mut self, error: Error) {
        let reason = match self {
            Self::Open => CloseReason::Failed(error),
            Self::WriteFailed(first) => CloseReason::Failed(first.clone()),
            Self::Closing(reason) | Self::Draining { reason, .. } | Self::Closed(reason) => reason.clone(),
        };
        *self = Self::Closed(reason);
    }

    /// Ends the connection without a closing handshake: nothing more is written or read.
    pub(crate) fn give_up(&mut self, error: Error) {
        match self {
            // The caller's error is the reason of the end, not the failed write.
            Self::WriteFailed(_) => *self = Self::Closed(CloseReason::Failed(error)),
            _ => self.transport_closed(error),
        }
    }
}

impl Phase {
    /// As [`Lifecycle::is_receiving`].
    pub(crate) fn is_receiving(self) -> bool {
        matches!(self, Self::Open | Self::WriteFailed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::close::CloseCode;
    use crate::error::ErrorKind;

    fn frame(code: u16) -> CloseFrame {
        CloseFrame::new(CloseCode::new(code).unwrap(), "")
    }

    fn error(kind: ErrorKind) -> Error {
        Error::new(kind)
    }

    /// The code or the kind of error that users get.
    fn reported(lifecycle: &Lifecycle) -> Option<Result<u16, ErrorKind>> {
        let reported = lifecycle.reason()?.to_result();
        Some(reported.map(|frame| frame.code().get()).map_err(|error| error.kind()))
    }

    #[test]
    fn the_first_reason_stays() {
        let mut lifecycle = Lifecycle::Open;
        assert!(lifecycle.close(frame(4000)));
        assert!(!lifecycle.close(frame(4001)) && !lifecycle.peer_closed(frame(4002)));
        assert!(!lifecycle.fail(error(ErrorKind::Protocol)));
        lifecycle.write_failed(error(ErrorKind::Disconnected));
        lifecycle.transport_closed(error(ErrorKind::Disconnected));
        lifecycle.give_up(error(ErrorKind::Aborted));
        assert_eq!(reported(&lifecycle), Some(Ok(4000)));
        assert_eq!(lifecycle.phase(), Phase::Closed);
    }

    #[test]
    fn no_step_goes_back() {
        let mut lifecycle = Lifecycle::Open;
        assert!(lifecycle.peer_closed(frame(1001)));
        assert!(!lifecycle.close(frame(1000)));
        lifecycle.handshake_over();
        assert_eq!(lifecycle.phase(), Phase::Draining);
        assert!(lifecycle.ended().is_none());
        lifecycle.shut_down();
        assert!(lifecycle.ended().is_some());
        lifecycle.transport_closed(error(ErrorKind::Disconnected));
        lifecycle.shut_down();
        assert!(!lifecycle.peer_closed(frame(4000)));
        assert_eq!((lifecycle.phase(), reported(&lifecycle)), (Phase::Closed, Some(Ok(1001))));
    }

    #[test]
    fn each_state_says_whether_messages_pass_and_why_nothing_is_written_any_more() {
        let close = || CloseReason::Closed(frame(4000));
        let draining = |shut_down| Lifecycle::Draining { reason: close(), close_received: true, shut_down };
        for (state, receiving, writable, write_error, ended) in [
            (Lifecycle::Open, true, Ok(()), None, false),
            (Lifecycle::WriteFailed(error(ErrorKind::Disconnected)), true, Err(4), Some(4), false),
            (Lifecycle::Closing(close()), false, Err(0), None, false),
            (draining(false), false, Err(0), None, false),
            (draining(true), false, Err(0), Some(0), true),
            (Lifecycle::Closed(close()), false, Err(0), Some(0), true),
        ] {
            // 4: the error of the transport. 0: the close.
            let which = |error: Error| if error.kind() == ErrorKind::Disconnected { 4 } else { 0 };
            assert_eq!((state.is_receiving(), state.phase().is_receiving()), (receiving, receiving), "{state:?}");
            assert_eq!(state.check_writable().map_err(which), writable, "{state:?}");
            assert_eq!(state.write_error().map(which), write_error, "{state:?}");
            assert_eq!(state.ended().is_some(), ended, "{state:?}");
        }
    }

    #[test]
    fn what_comes_after_a_failed_write_is_the_reason() {
        let failed = || {
            let mut lifecycle = Lifecycle::Open;
            lifecycle.write_failed(error(ErrorKind::Disconnected));
            assert!(lifecycle.is_receiving() && lifecycle.check_writable().is_err() && reported(&lifecycle).is_none());
            lifecycle
        };
        let mut lifecycle = failed();
        assert!(!lifecycle.peer_closed(frame(1000)));
        assert_eq!((lifecycle.phase(), reported(&lifecycle)), (Phase::Closed, Some(Ok(1000))));
        let mut lifecycle = failed();
        lifecycle.transport_closed(error(ErrorKind::KeepaliveTimeout));
        assert_eq!(reported(&lifecycle), Some(Err(ErrorKind::Disconnected)));
        let mut lifecycle = failed();
        assert!(!lifecycle.fail(error(ErrorKind::Protocol)));
        assert_eq!(reported(&lifecycle), Some(Err(ErrorKind::Protocol)));
        let mut lifecycle = failed();
        assert!(!lifecycle.close(frame(1000)));
        assert_eq!(reported(&lifecycle), Some(Err(ErrorKind::Disconnected)));
        let mut lifecycle = failed();
        lifecycle.give_up(error(ErrorKind::Aborted));
        assert_eq!(reported(&lifecycle), Some(Err(ErrorKind::Aborted)));
    }
}
