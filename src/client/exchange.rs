//! The handshake's request and response over a transport that is there.

use std::sync::Arc;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper::rt::Executor;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Notify;
use tokio_util::sync::DropGuard;

use super::tasks::Tasks;
use crate::error::{Error, ErrorKind};
use crate::layer::EmptyBody;

/// A response, and what keeps the connection that it came over alive.
pub(super) type Answer = (Response<Incoming>, DropGuard);

/// Over HTTP/1.1.
pub(super) async fn over_http1<Io>(io: Io, request: Request<EmptyBody>) -> Result<Answer, Error>
where
    Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (tasks, guard) = Tasks::new(&Arc::default());
    let (mut sender, connection) = http1::handshake(TokioIo::new(io)).await.map_err(failed)?;
    tasks.execute(async {
        // The error reaches whoever waits for the response.
        let _ = connection.with_upgrades().await;
    });
    Ok((sender.send_request(request).await.map_err(failed)?, guard))
}

/// Over HTTP/2, or `None` where the server does not let WebSockets run over it.
pub(super) async fn over_http2<Io>(io: Io, request: Request<EmptyBody>) -> Result<Option<Answer>, Error>
where
    Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let progress = Arc::new(Notify::new());
    let (tasks, guard) = Tasks::new(&progress);
    let (mut sender, mut connection) = http2::Builder::new(tasks.clone())
        .initial_max_send_streams(NOT_SAID)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .handshake(TokioIo::new(io))
        .await
        .map_err(failed)?;
    // RFC 8441 §3: extended CONNECT waits for the server's settings. hyper does not report their arrival, but from then on
    // it knows how many streams the server allows.
    while connection.current_max_send_streams() == NOT_SAID {
        tokio::select! {
            end = &mut connection => {
                end.map_err(failed)?;
                return Err(Error::with_source(ErrorKind::Connect, "the server closed the connection"));
            }
            () = progress.notified() => {}
        }
    }
    drop(progress);
    if !connection.is_extended_connect_protocol_enabled() {
        return Ok(None);
    }
    tasks.execute(async {
        // The error reaches whoever waits for the response.
        let _ = connection.await;
    });
    Ok(Some((sender.send_request(request).await.map_err(failed)?, guard)))
}

fn failed(error: hyper::Error) -> Error {
    // What cannot be parsed is an answer, if a wrong one.
    let kind = if error.is_parse() { ErrorKind::Handshake } else { ErrorKind::Connect };
    Error::with_source(kind, error)
}

/// More streams than a server can allow.
const NOT_SAID: usize = usize::MAX - 1;
/// What the server may send before we have read it, which happens when nobody receives.
const STREAM_WINDOW: u32 = 256 * 1024;
/// The one stream keeps the bound. With half of this h2 pays for small frames that nobody has read yet, 256 bytes each,
/// and ends the connection when it is used up: let it be enough for a window full of the smallest messages.
const CONNECTION_WINDOW: u32 = 64 * 1024 * 1024;
