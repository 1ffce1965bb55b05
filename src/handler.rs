//! What a handler may return, and what the peer is told of it.

use crate::close::{CloseCode, CloseFrame};
use crate::error::{BoxError, Error};

/// What the future of a handler may return: nothing, a [`CloseFrame`], or a [`Result`] of either.
///
/// | output | close frame |
/// | --- | --- |
/// | `()`, `Ok(())` | 1000 |
/// | a [`CloseFrame`], `Ok(frame)` | that frame |
/// | `Err(_)` | 1011, without a reason: an error's text is not for the peer |
/// | `Err(_)` with a [`CloseFrame`] in it, by itself or as an [`Error`]'s source | that frame |
///
/// The close frame is sent only where the connection is still open: the first reason wins.
#[diagnostic::on_unimplemented(
    message = "a WebSocket handler cannot return `{Self}`",
    label = "this handler's future returns `{Self}`",
    note = "a handler is a function like `async fn(Manager) -> Result<(), E>` or `async fn(Manager)`, with an `E` that converts into a boxed error"
)]
pub trait HandlerOutput {
    /// `Ok` where the handler did what it was to do, with the close frame to send.
    ///
    /// # Errors
    ///
    /// What the handler failed with.
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
pub(crate) fn close_frame(output: impl HandlerOutput) -> CloseFrame {
    match output.into_result() {
        Ok(frame) => frame,
        Err(error) => {
            let carried = error.downcast_ref().or_else(|| error.downcast_ref::<Error>()?.close_frame());
            tracing::debug!(%error, "handler failed");
            carried.cloned().unwrap_or_else(|| CloseFrame::new(CloseCode::INTERNAL_ERROR, ""))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_close_frame_tells_how_the_handler_ended() {
        let policy = || CloseFrame::new(CloseCode::POLICY_VIOLATION, "no");
        for (output, code) in [
            (Ok(()), CloseCode::NORMAL),
            (Err("secret".into()), CloseCode::INTERNAL_ERROR),
            (Err(BoxError::from(policy())), CloseCode::POLICY_VIOLATION),
            (Err(BoxError::from(Error::from(policy()))), CloseCode::POLICY_VIOLATION),
        ] {
            let output: Result<(), BoxError> = output;
            let frame = close_frame(output);
            assert_eq!(frame.code(), code);
            assert!(!frame.reason().contains("secret"));
        }
    }
}
