//! The handshake's request and response over a transport that is there.

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

/// A response, and what keeps the connection that it came over alive.
pub(super) type HandshakeResponse = (Response<Incoming>, DropGuard);

/// Why a server that speaks HTTP/2 takes no WebSocket over it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Declined {
    /// It has reset the stream, or ended the connection, with `HTTP_1_1_REQUIRED` (RFC 9113 §7).
    DemandsHttp1,
    /// Its settings do not have extended CONNECT (RFC 8441 §3).
    NoExtendedConnect,
}

/// Over HTTP/1.1.
pub(super) async fn over_http1<Io>(io: Io, request: Request<EmptyBody>) -> Result<HandshakeResponse, Error>
where
    Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (tasks, guard) = Tasks::new(&Arc::default());
    let (io, failure) = Observed::new(io);
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(io)).await.map_err(|error| no_answer(error, &failure))?;
    // First: a request that is sent while the connection ends in another thread can be left in hyper's channel unanswered.
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

/// Over HTTP/2, unless the server does not let WebSockets run over it.
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
    // RFC 8441 §3: extended CONNECT waits for the server's settings. hyper does not report their arrival, but from then on
    // it knows how many streams the server allows.
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
    // First, as over HTTP/1.1.
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

/// Runs a connection to its end.
fn run(tasks: &Tasks, connection: impl Future<Output = hyper::Result<()>> + Send + 'static) -> End {
    let (sender, end) = oneshot::channel();
    tasks.execute(async move {
        if let Err(error) = connection.await {
            // The receiver is gone once there is an answer.
            let _ = sender.send(error);
        }
    });
    End(end)
}

/// How a connection ends.
struct End(oneshot::Receiver<hyper::Error>);

impl End {
    /// Why a request failed: by itself, or with its connection, of which it then knows only that it is gone.
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

/// How long a connection that is gone may take to say why.
const END_TIME: Duration = Duration::from_secs(1);
/// More streams than a server can allow.
const SETTINGS_NOT_RECEIVED: usize = usize::MAX - 1;
/// What the server may send before we have read it, which happens while the handler does not receive.
const STREAM_WINDOW: u32 = 256 * 1024;
/// The one stream keeps the bound. With half of this h2 pays for small frames that are not read yet, 256 bytes each,
/// and ends the connection when it is used up: let it be enough for a window full of the smallest messages.
const CONNECTION_WINDOW: u32 = 64 * 1024 * 1024;
