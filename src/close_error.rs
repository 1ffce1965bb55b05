//! Close frames as errors: the one that ended a connection, and the one that a handler chose.

use std::fmt;

use crate::close::CloseFrame;
use crate::error::{Error, ErrorKind};

impl Error {
    /// The connection was closed with this frame.
    pub(crate) fn ended_by(frame: CloseFrame) -> Self {
        Self::with_source(ErrorKind::Closed, EndedBy(frame))
    }

    /// The close frame that is the cause of an error of the kind [`ErrorKind::Closed`]: the peer's or our own, whichever came
    /// first.
    ///
    /// A handler that returns this error does not close its connection with this frame, as the error may come from another
    /// connection. To close with the same frame, return a clone of it:
    ///
    /// ```
    /// use tower_websocket::{Error, Manager};
    ///
    /// async fn proxy(ws: Manager, upstream: Manager) -> Result<(), Error> {
    ///     while let Some(message) = ws.recv().await? {
    ///         upstream.send(message).await.map_err(|error| match error.close_frame() {
    ///             Some(frame) => frame.clone().into(), // closes with the upstream's frame
    ///             None => error,                       // 1011
    ///         })?;
    ///     }
    ///     Ok(())
    /// }
    /// ```
    #[doc(alias = "IsUnexpectedCloseError")]
    #[doc(alias = "CloseError")]
    #[doc(alias = "IsCloseError")]
    #[must_use]
    pub fn close_frame(&self) -> Option<&CloseFrame> {
        let source = std::error::Error::source(self)?;
        source.downcast_ref().or_else(|| source.downcast_ref().map(|EndedBy(frame)| frame))
    }
}

/// The frame that a handler ends its connection with.
impl From<CloseFrame> for Error {
    fn from(frame: CloseFrame) -> Self {
        Self::with_source(ErrorKind::Closed, frame.chosen())
    }
}

/// The frame that ended a connection, as the source of its errors. It is a type of its own, so that a handler that fails with
/// another connection's error does not seem to have chosen that connection's frame.
#[derive(Debug)]
pub(crate) struct EndedBy(pub(crate) CloseFrame);

impl fmt::Display for EndedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for EndedBy {}
