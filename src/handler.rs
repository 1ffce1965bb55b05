//! What a handler may return, which close frame the peer gets for it, and how it is logged.

use crate::close::{CloseCode, CloseFrame};
use crate::close_error::EndedBy;
use crate::error::{BoxError, Error, ErrorKind};
use crate::error_chain::{Causes, causes};

/// What the future of a handler may return: nothing, a [`CloseFrame`], or a [`Result`] of either.
///
/// When it returns, the connection closes. The text of an error is not sent to the peer:
///
/// | output | close frame |
/// | --- | --- |
/// | `()`, `Ok(())` | 1000 |
/// | a [`CloseFrame`], `Ok(frame)` | that frame |
/// | `Err(_)` that is a [`CloseFrame`], or has one among its sources, such as [`Error::from`] of one | that frame |
/// | `Err(_)` that is an [`io::Error`](std::io::Error), `Box` or `Arc` around one of these | that frame |
/// | `Err(_)` that has the frame of [`Manager::done`](crate::Manager::done) or [`end`](crate::Manager::end) among its sources | 1011, if that frame came from a peer |
/// | `Err(_)` that a connection returned, this one or another, also within other errors | 1011, without a reason |
/// | any other `Err(_)` | 1011, without a reason |
/// | a panic | 1011, "internal error" |
///
/// To close with the frame that closed another connection, return that frame itself, or `Error::from` of it: see
/// [`Error::close_frame`]. `anyhow` and similar crates hide the type of the error that they were made from. There, return
/// `Error::from(frame)`, or add context to the frame.
///
/// The close frame is sent only if the connection is still open: the first reason wins.
///
/// # Tracing
///
/// An error is logged at level warn with all its sources. It is logged at level debug
///
/// - if it is a normal close: the frame that is sent for it, according to the table, has the code 1000 or 1001;
/// - if it only says that the handler's own connection has ended in an ordinary way: closed by either side, lost, silent for
///   too long, or at the end of its lifetime.
#[diagnostic::on_unimplemented(
    message = "a WebSocket handler cannot return `{Self}`",
    label = "this handler's future returns `{Self}`",
    note = "a handler is a function like `async fn(Manager) -> Result<(), E>` or `async fn(Manager)`, with an `E` that converts into a boxed error",
    note = "`.map(drop)` turns a result with another value into `Result<(), E>`"
)]
pub trait HandlerOutput {
    /// Converts the output into the close frame to send.
    ///
    /// # Errors
    ///
    /// The handler's error.
    fn into_result(self) -> Result<CloseFrame, BoxError>;
}

impl HandlerOutput for () {
    fn into_result(self) -> Result<CloseFrame, BoxError> {
        Ok(CloseCode::NORMAL.into())
    }
}

impl HandlerOutput for CloseFrame {
    fn into_result(self) -> Result<CloseFrame, BoxError> {
        Ok(self)
    }
}

impl<E: Into<BoxError>> HandlerOutput for Result<(), E> {
    fn into_result(self) -> Result<CloseFrame, BoxError> {
        self.map(|()| CloseCode::NORMAL.into()).map_err(Into::into)
    }
}

impl<E: Into<BoxError>> HandlerOutput for Result<CloseFrame, E> {
    fn into_result(self) -> Result<CloseFrame, BoxError> {
        self.map_err(Into::into)
    }
}

/// The close frame for what a handler returned.
#[inline]
pub(crate) fn close_frame(output: Result<CloseFrame, BoxError>) -> CloseFrame {
    output.unwrap_or_else(|error| error_frame(&error))
}

// Cold, and not a closure: as a part of the driver's loop it had the compiler compute the addresses of all fields in advance.
#[cold]
fn error_frame(error: &BoxError) -> CloseFrame {
    chosen_frame(error).cloned().unwrap_or_else(|| CloseFrame::new(CloseCode::INTERNAL_ERROR, ""))
}

/// The close frame that a handler has chosen by its error, if any. A frame that was received from a peer counts only if it is the
/// error itself, not if it is the cause of another error.
fn chosen_frame(error: &BoxError) -> Option<&CloseFrame> {
    let is_the_error = error.is::<CloseFrame>();
    let mut frames = causes(&**error).filter_map(|cause| cause.downcast_ref::<CloseFrame>());
    frames.find(|frame| is_the_error || !frame.is_received())
}

/// Logs a handler's error. `end` is how its connection has ended, if it has.
#[cold]
pub(crate) fn log_error(error: &BoxError, end: Option<Result<CloseFrame, Error>>) {
    let causes = Causes(&**error);
    if end.is_some_and(|end| is_ordinary(&end) && says_only(&**error, &end)) {
        tracing::debug!(error = %causes, "handler ended with its connection");
    } else if chosen_frame(error).is_some_and(is_normal) {
        tracing::debug!(error = %causes, "handler ended with a normal close");
    } else {
        tracing::warn!(error = %causes, "handler failed");
    }
}

/// Whether a close frame says that nothing has failed (RFC 6455 §7.4.1).
fn is_normal(frame: &CloseFrame) -> bool {
    matches!(frame.code(), CloseCode::NORMAL | CloseCode::GOING_AWAY)
}

/// Whether a connection has ended in a way that is not logged as a failure.
pub(crate) fn is_ordinary(end: &Result<CloseFrame, Error>) -> bool {
    let is_ordinary = |kind| {
        use ErrorKind::{Aborted, Disconnected, KeepaliveTimeout, LifetimeExceeded};
        matches!(kind, Aborted | Disconnected | KeepaliveTimeout | LifetimeExceeded)
    };
    end.as_ref().map_or_else(|error| is_ordinary(error.kind()), |_| true)
}

/// Whether the error says nothing more than that the handler's connection has ended in this way.
fn says_only(error: &(dyn std::error::Error + 'static), end: &Result<CloseFrame, Error>) -> bool {
    let kind = end.as_ref().map_or_else(Error::kind, |_| ErrorKind::Closed);
    let is_frame = |closed: &CloseFrame| end.as_ref().is_ok_and(|frame| frame == closed);
    if let Some(error) = causes(error).filter_map(|cause| cause.downcast_ref::<Error>()).last() {
        return error.kind() == kind && error.close_frame().is_none_or(is_frame);
    }
    if let Some(EndedBy(frame)) = causes(error).find_map(|cause| cause.downcast_ref()) {
        return is_frame(frame);
    }
    // Transparent wrappers, and anyhow's outermost, show the error's text and hide the error.
    let text = Error::new(kind).to_string();
    causes(error).any(|cause| cause.to_string() == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_close_frame_depends_on_the_output() {
        let policy = || CloseFrame::new(CloseCode::POLICY_VIOLATION, "no");
        for (output, code) in [
            (Ok(()), CloseCode::NORMAL),
            (Err("secret".into()), CloseCode::INTERNAL_ERROR),
            (Err(BoxError::from(policy())), CloseCode::POLICY_VIOLATION),
            (Err(BoxError::from(Error::from(policy()))), CloseCode::POLICY_VIOLATION),
            (Err(BoxError::from(Box::new(policy()))), CloseCode::POLICY_VIOLATION),
            (Err(BoxError::from(std::sync::Arc::new(Error::from(policy())))), CloseCode::POLICY_VIOLATION),
            (Err(BoxError::from(Error::ended_by(policy()))), CloseCode::INTERNAL_ERROR),
            (Err(BoxError::from(std::sync::Arc::new(Error::ended_by(policy())))), CloseCode::INTERNAL_ERROR),
        ] {
            let output: Result<(), BoxError> = output;
            let frame = close_frame(output.into_result());
            assert_eq!(frame.code(), code);
            assert!(!frame.reason().contains("secret"));
        }
    }

    #[test]
    fn the_end_is_known_through_wrappers_that_hide_the_error() {
        let frame = || CloseFrame::new(CloseCode::GOING_AWAY, "bye");
        let lost = || Error::with_source(ErrorKind::Disconnected, "reset");
        let hidden = |error: Error| -> BoxError { anyhow::Error::from(error).into() };
        for (error, end, expected) in [
            (hidden(Error::ended_by(frame())), Ok(frame()), true),
            (hidden(Error::ended_by(CloseFrame::new(CloseCode::GOING_AWAY, ""))), Ok(frame()), false),
            (hidden(Error::ended_by(frame())), Err(lost()), false),
            (hidden(lost()), Err(lost()), true),
            (hidden(lost()), Ok(frame()), false),
            (hidden(Error::new(ErrorKind::KeepaliveTimeout)), Err(lost()), false),
            (anyhow::Error::from(std::io::Error::from(lost())).into(), Err(lost()), true),
            (anyhow::Error::from(lost()).context("while greeting").into(), Err(lost()), true),
        ] {
            assert_eq!(says_only(&*error, &end), expected, "{error:?} {end:?}");
        }
    }

    #[test]
    fn only_the_end_of_the_handlers_own_connection_is_no_failure() {
        let frame = || CloseFrame::new(CloseCode::GOING_AWAY, "bye");
        let lost = || Error::new(ErrorKind::Disconnected);
        for (error, end, expected) in [
            (Error::ended_by(frame()), Ok(frame()), true),
            (lost(), Err(lost()), true),
            (Error::new(ErrorKind::Protocol), Err(lost()), false),
            (Error::ended_by(CloseFrame::new(CloseCode::GOING_AWAY, "")), Ok(frame()), false),
            (lost(), Ok(frame()), false),
            (Error::with_source(ErrorKind::Decode, "no JSON"), Ok(frame()), false),
        ] {
            assert_eq!(says_only(&error, &end), expected, "{error:?} {end:?}");
        }
    }
}
