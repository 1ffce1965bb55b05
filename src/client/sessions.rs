//! A client that stays connected.

use std::fmt;

use tokio::time::{Instant, sleep_until};

use super::backoff::{Backoff, Failures};
use super::connector::Connector;
use super::target::Target;
use crate::close::{CloseCode, CloseFrame};
use crate::error::Error;
use crate::error_chain::Causes;
use crate::manager::Manager;

/// One connection after another to the same server; made by [`Connector::sessions`].
///
/// The first attempt is made at once. After a retryable failure ([`Error::is_retryable`]), the next attempt is made after a
/// random delay, which grows with each failure and is reset by a session that lasted for a while: see [`Backoff`]. Delays
/// that the server asks for are kept: after the close codes 1012 and 1013 the delay is [`Backoff::after_restart`]; after a
/// refusal with `Retry-After`, in seconds or as a date, it is that time, one hour at most, and a part of the random delay.
///
/// ```no_run
/// use tower_websocket::{Backoff, Connector, Error, Manager};
///
/// # async fn example() -> Result<(), Error> {
/// let mut sessions = Connector::new().sessions("ws://localhost:3000/feed", Backoff::default());
/// while let Some(ws) = sessions.next().await? {
///     // After an error in a session, the next call decides whether to reconnect.
///     if let Err(error) = run(ws).await {
///         eprintln!("{error:#}");
///     }
/// }
/// # Ok(())
/// # }
///
/// async fn run(ws: Manager) -> Result<(), Error> {
///     ws.send("subscribe").await?;
///     while let Some(message) = ws.recv().await? {
///         println!("{message:?}");
///     }
///     Ok(())
/// }
/// ```
#[doc(alias = "reconnect")]
#[derive(Debug)]
#[must_use = "nothing is connected until `next` is awaited"]
pub struct Sessions {
    connector: Connector,
    target: CheckedTarget,
    backoff: Backoff,
    failures: Failures,
    current: Option<Session>,
    next_attempt: Option<Instant>,
    /// There will be no more sessions.
    ended: bool,
}

/// The target, or the error that the next call of [`Sessions::next`] returns.
enum CheckedTarget {
    Valid(Box<Target>),
    Invalid(Error),
}

#[derive(Debug)]
struct Session {
    ws: Manager,
    since: Instant,
    /// It was still open at the next call of [`Sessions::next`], which has closed it.
    was_left_open: bool,
}

impl Connector {
    /// Connects, and reconnects after each session: see [`Sessions`].
    ///
    /// If the target is not a WebSocket URL, the first [`Sessions::next`] returns the error.
    #[doc(alias = "reconnect")]
    #[doc(alias = "retry")]
    pub fn sessions<T>(&self, target: T, backoff: Backoff) -> Sessions
    where
        T: TryInto<Target, Error: Into<Error>>,
    {
        Sessions {
            connector: self.clone(),
            target: CheckedTarget::new(target),
            backoff,
            failures: Failures::default(),
            current: None,
            next_attempt: None,
            ended: false,
        }
    }
}

impl Sessions {
    /// Waits for the next session.
    ///
    /// If the previous session is still open, this closes it with 1000 and waits for its end. To stop reconnecting, leave
    /// the loop. When `Sessions` and all handles of the last connection are dropped, that connection closes.
    ///
    /// It returns `None` after a session that either side has closed with 1000.
    ///
    /// # Errors
    ///
    /// Errors that are not retryable: a refusal such as 401 or 403, the close code 1008, a protocol error, an invalid
    /// setting; or the last one of [`Backoff::max_failures`]. Afterwards it returns `None`.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, an attempt to connect is cancelled, and the next call repeats it; a delay continues.
    pub async fn next(&mut self) -> Result<Option<Manager>, Error> {
        loop {
            if self.ended {
                return Ok(None);
            }
            if let Some(session) = &mut self.current {
                if session.ws.end().is_none() {
                    session.was_left_open = true;
                    session.ws.start_close(CloseCode::NORMAL.into());
                }
                let end = session.ws.done().await;
                if self.session_ended(end)? {
                    return Ok(None);
                }
            }
            if let Some(time) = self.next_attempt {
                sleep_until(time).await;
                self.next_attempt = None;
            }
            let target = match &self.target {
                CheckedTarget::Valid(target) => Target::clone(target),
                CheckedTarget::Invalid(error) => {
                    self.ended = true;
                    return Err(error.clone());
                }
            };
            match self.connector.connect(target).await {
                Ok(ws) => {
                    let session = Session { ws: ws.clone(), since: Instant::now(), was_left_open: false };
                    self.current = Some(session);
                    return Ok(Some(ws));
                }
                Err(error) => {
                    self.failures.attempt_failed();
                    self.retry_after(error)?;
                }
            }
        }
    }

    /// Uses another URL or other headers from the next attempt on, for instance with a new token.
    ///
    /// ```
    /// use http::Request;
    /// use tower_websocket::{Sessions, Target};
    ///
    /// fn renew(sessions: &mut Sessions, token: &str) -> Result<(), Box<dyn std::error::Error>> {
    ///     let request = Request::get("wss://example.com/feed").header("authorization", format!("Bearer {token}"));
    ///     sessions.set_target(Target::try_from(request.body(())?)?);
    ///     Ok(())
    /// }
    /// ```
    pub fn set_target(&mut self, target: Target) {
        self.target = CheckedTarget::Valid(target.into());
    }

    /// Called when a session has ended. Returns whether it was the last one.
    fn session_ended(&mut self, end: Result<CloseFrame, Error>) -> Result<bool, Error> {
        let Some(session) = self.current.take() else { return Ok(false) };
        if session.was_left_open {
            // It was closed from this side, so only its length says something about the server.
            if session.since.elapsed() >= self.backoff.get_healthy_after() {
                self.failures = Failures::default();
            }
            self.wait(&CloseFrame::from(CloseCode::NORMAL).into());
            return Ok(false);
        }
        self.failures.session_ended(session.since.elapsed(), &self.backoff);
        let error = match end {
            Ok(frame) if frame.code() == CloseCode::NORMAL => {
                self.ended = true;
                return Ok(true);
            }
            Ok(frame) => frame.into(),
            Err(error) => error,
        };
        self.retry_after(error).map(|()| false)
    }

    /// Schedules another attempt after this error, or returns it if there must not be one.
    fn retry_after(&mut self, error: Error) -> Result<(), Error> {
        if !error.is_retryable() || self.failures.are_too_many(&self.backoff) {
            self.ended = true;
            return Err(error);
        }
        self.wait(&error);
        Ok(())
    }

    fn wait(&mut self, why: &Error) {
        let delay = self.failures.delay(why.retry_hint(), &self.backoff, rand::random());
        tracing::debug!(error = %Causes(why), ?delay, "connecting again");
        self.next_attempt = Some(Instant::now() + delay);
    }
}

impl CheckedTarget {
    fn new<T: TryInto<Target, Error: Into<Error>>>(target: T) -> Self {
        match target.try_into() {
            Ok(target) => Self::Valid(target.into()),
            Err(error) => Self::Invalid(error.into()),
        }
    }
}

impl fmt::Debug for CheckedTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // A URL and its headers can contain secrets.
            Self::Valid(_) => f.write_str(".."),
            Self::Invalid(error) => error.fmt(f),
        }
    }
}
