//! Closing a connection, waiting for its end, and deadlines.

use std::future::poll_fn;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::handle::Manager;
use crate::close::{CloseCode, CloseFrame};
use crate::connection::{Inner, Waiter, Waiting};
use crate::error::Error;
use crate::text::Text;

/// Closing.
impl Manager {
    /// Closes with code 1000. The same as [`close_with`](Self::close_with) without a reason.
    ///
    /// # Errors
    ///
    /// As for [`close_with`](Self::close_with).
    ///
    /// # Cancel safety
    ///
    /// As for [`close_with`](Self::close_with).
    #[doc(alias = "disconnect")]
    #[doc(alias = "Close")]
    pub async fn close(&self) -> Result<(), Error> {
        self.close_with(CloseCode::NORMAL, "").await
    }

    /// Closes: writes what is buffered, sends a close frame, waits for the peer's (at most
    /// [`Limits::close_timeout`](crate::Limits::close_timeout), 5 s by default) and ends the transport (RFC 6455 §7.1.1).
    ///
    /// The first reason stays: on a connection that is closing already, this only waits for the end. Messages that still
    /// arrive are discarded.
    ///
    /// # Errors
    ///
    /// The reason why the connection failed, if it did before it was closed.
    ///
    /// # Cancel safety
    ///
    /// Once polled, the connection closes whether or not the future is dropped.
    pub async fn close_with(&self, code: CloseCode, reason: impl Into<Text>) -> Result<(), Error> {
        self.close_frame(CloseFrame::new(code, reason)).await
    }

    /// Closes with this frame. The same as [`close_with`](Self::close_with), for an existing [`CloseFrame`], such as the
    /// one that another connection ended with. A frame without a code is sent without a code.
    ///
    /// ```
    /// use tower_websocket::{CloseFrame, Error, Manager};
    ///
    /// async fn dismiss(ws: &Manager, why: CloseFrame) -> Result<(), Error> {
    ///     ws.close_frame(why).await
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`close_with`](Self::close_with).
    ///
    /// # Cancel safety
    ///
    /// As for [`close_with`](Self::close_with).
    #[doc(alias = "CloseMessage")]
    pub async fn close_frame(&self, frame: impl Into<CloseFrame>) -> Result<(), Error> {
        self.start_close(frame.into());
        self.done().await.map(drop)
    }

    /// Waits for the end of the connection, and returns the close frame that ended it: the peer's or ours, whichever came
    /// first.
    ///
    /// It does not receive messages. When the unread messages reach [`Limits::incoming`](crate::Limits::incoming), reading
    /// stops, and the peer's close frame, a reset or the end of the transport is not noticed until a write fails, such as
    /// the next keepalive ping. [`ignore_incoming`](Self::ignore_incoming) also waits for the end, and keeps reading.
    ///
    /// # Errors
    ///
    /// The reason why the connection failed, if it ended in any other way.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future has no effect.
    #[doc(alias = "Done")]
    #[doc(alias = "SetCloseHandler")]
    pub async fn done(&self) -> Result<CloseFrame, Error> {
        let mut waiter = Waiter::new(&self.shared.connection, Waiting::Watcher);
        poll_fn(|cx| waiter.poll(cx, Inner::poll_ended)).await
    }

    /// How the connection has ended: the close frame or the error. `None` while it is open.
    #[must_use]
    pub fn end(&self) -> Option<Result<CloseFrame, Error>> {
        self.shared.connection.close_reason()
    }

    /// Whether nothing more can be sent: the connection has ended, or its transport accepts no more data.
    ///
    /// Unread messages may still be [received](Self::recv).
    #[doc(alias = "can_write")]
    #[doc(alias = "is_terminated")]
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.shared.connection.is_closed()
    }

    /// A token that is cancelled when the connection ends, for tasks that live as long as it does.
    ///
    /// Cancelling this token does not close the connection.
    #[doc(alias = "Context")]
    #[must_use]
    pub fn context(&self) -> CancellationToken {
        // A child token: if the user cancels it, the other tokens of this connection are not cancelled.
        self.shared.connection.context().child_token()
    }

    /// Closes the connection with this frame at this time, unless it has ended before: for sessions whose token expires.
    ///
    /// Another call replaces the deadline, for instance when the token is renewed; [`clear_deadline`](Self::clear_deadline)
    /// removes it. As after [`close_frame`](Self::close_frame), what is buffered is written first.
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    /// use tower_websocket::{CloseCode, CloseFrame, Error, Manager};
    ///
    /// async fn handler(ws: Manager) -> Result<(), Error> {
    ///     let expires = Instant::now() + Duration::from_secs(3600);
    ///     ws.set_deadline(expires, CloseFrame::new(CloseCode::POLICY_VIOLATION, "token expired"));
    ///     while let Some(message) = ws.recv().await? {
    ///         ws.send(message).await?;
    ///     }
    ///     Ok(())
    /// }
    /// ```
    ///
    /// A time in the past closes the connection at once. A token's `exp` is in seconds since 1970:
    ///
    /// ```
    /// use std::time::{Duration, Instant, SystemTime};
    ///
    /// /// When a token expires. Its signature is checked already, and its time is less than a day away.
    /// fn deadline(exp: u64) -> Instant {
    ///     let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    ///     let left = Duration::from_secs(exp).saturating_sub(now);
    ///     Instant::now() + left.min(Duration::from_secs(24 * 3600)) // adding too much would panic
    /// }
    /// # assert!(deadline(0) <= Instant::now());
    /// # assert!(deadline(u64::MAX) > Instant::now());
    /// ```
    pub fn set_deadline(&self, at: impl Into<Instant>, frame: CloseFrame) {
        self.shared.connection.set_deadline(Some((at.into(), frame)));
    }

    /// Removes the deadline of [`set_deadline`](Self::set_deadline).
    pub fn clear_deadline(&self) {
        self.shared.connection.set_deadline(None);
    }
}
