//! The request and the response of a handshake over an open transport.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper::rt::Executor;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Notify, oneshot};
use tokio::time::timeout;
use tokio_util::sync::DropGuard;

use super::failed::{closed_early, demands_http1, ended_before_settings, is_gone, no_answer};
use super::observed::Observed;
use super::tasks::Tasks;
use crate::error::Error;
use crate::layer::EmptyBody;

/// A response, and a guard: dropping it ends the HTTP connection.
pub(super) type HandshakeResponse = (Response<Incoming>, DropGuard);

/// Why a server with HTTP/2 does not accept WebSockets over it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Declined {
    /// It has reset the stream, or ended the connection, with `HTTP_1_1_REQUIRED` (RFC 9113 §7).
    DemandsHttp1,
    /// Its settings do not have extended CONNECT (RFC 8441 §3).
    NoExtendedConnect,
}

/// Does the handshake over HTTP/1.1.
pub(super) async fn over_http1<Io>(io: Io, request: Request<EmptyBody>) -> Result<HandshakeResponse, Error>
where
    Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (tasks, guard) = Tasks::new(&Arc::default());
    let (io, failure) = Observed::new(io);
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(io)).await.map_err(|error| no_answer(error, &failure))?;
    // Sent before the connection's task runs: if the connection ends in another thread at the same time, the request could stay in
    // hyper's channel without an answer.
    let response = sender.send_request(request);
    let end = run(&tasks, connection.with_upgrades());
    match response.await {
        Ok(response) => Ok((response, guard)),
        Err(error) => {
            drop(sender);
            Err(no_answer(end.or(error).await, &failure))
        }
    }
}

/// Does the handshake over HTTP/2. Returns `Declined` if the server does not support WebSockets over it.
pub(super) async fn over_http2<Io>(
    io: Io,
    request: Request<EmptyBody>,
) -> Result<Result<HandshakeResponse, Declined>, Error>
where
    Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let progress = Arc::new(Notify::new());
    let (tasks, guard) = Tasks::new(&progress);
    let (io, failure) = Observed::new(io);
    let no_answer = |error| {
        if demands_http1(&error) { Ok(Err(Declined::DemandsHttp1)) } else { Err(no_answer(error, &failure)) }
    };
    let handshake = http2::Builder::new(tasks.clone())
        .initial_max_send_streams(SETTINGS_NOT_RECEIVED)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .handshake(TokioIo::new(io))
        .await;
    let (mut sender, mut connection) = match handshake {
        Ok(connected) => connected,
        Err(error) => return no_answer(error),
    };
    // RFC 8441 §3: extended CONNECT must wait for the server's settings. hyper does not report their arrival, but its limit of
    // streams changes then.
    while connection.current_max_send_streams() == SETTINGS_NOT_RECEIVED {
        tokio::select! {
            end = &mut connection => {
                let has_settings = connection.current_max_send_streams() != SETTINGS_NOT_RECEIVED;
                return match end {
                    Ok(()) if has_settings => Err(closed_early(&failure)),
                    Ok(()) => Err(ended_before_settings(&failure)),
                    Err(error) => no_answer(error),
                };
            }
            () = progress.notified() => {}
        }
    }
    drop(progress);
    if !connection.is_extended_connect_protocol_enabled() {
        return Ok(Err(Declined::NoExtendedConnect));
    }
    // Before the task, as over HTTP/1.1.
    let response = sender.send_request(request);
    let end = run(&tasks, connection);
    match response.await {
        Ok(response) => Ok(Ok((response, guard))),
        Err(error) => {
            drop(sender);
            no_answer(end.or(error).await)
        }
    }
}

/// Spawns the task of a connection.
fn run(tasks: &Tasks, connection: impl Future<Output = hyper::Result<()>> + Send + 'static) -> End {
    let (sender, end) = oneshot::channel();
    tasks.execute(async move {
        if let Err(error) = connection.await {
            // The receiver is dropped once there is a response.
            let _ = sender.send(error);
        }
    });
    End(end)
}

/// The error with which a connection ends, if any.
struct End(oneshot::Receiver<hyper::Error>);

impl End {
    /// Why a request failed. If its own error only says that the connection has ended, this is the connection's error.
    async fn or(self, error: hyper::Error) -> hyper::Error {
        if !is_gone(&error) {
            return error;
        }
        match timeout(END_TIME, self.0).await {
            Ok(Ok(cause)) => cause,
            _ => error,
        }
    }
}

/// How long to wait for the error of a connection that has ended.
const END_TIME: Duration = Duration::from_secs(1);
/// More streams than a server can allow.
const SETTINGS_NOT_RECEIVED: usize = usize::MAX - 1;
/// How many bytes the server may send that are not read yet, while messages are not received.
const STREAM_WINDOW: u32 = 256 * 1024;
/// The window of the only stream limits what the server sends. h2 charges each unread small frame with 256 bytes to half of the
/// connection's window, and ends the connection when that is used up: so it must be enough for a stream window full of the smallest
/// messages.
const CONNECTION_WINDOW: u32 = 64 * 1024 * 1024;
