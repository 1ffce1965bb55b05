//! Asking an HTTP proxy for a tunnel (RFC 9110 §9.3.6).

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::header::{HOST, PROXY_AUTHORIZATION};
use http::uri::Authority;
use http::{HeaderValue, Request, StatusCode};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::failed::proxy_failed;
use super::observed::Failure;
use super::retry::is_temporary;
use crate::layer::EmptyBody;

/// Turns a connection to a proxy into one to the server. `failure` is that of the transport.
pub(super) async fn open_tunnel<Io>(
    io: Io,
    failure: &Failure,
    server: &Authority,
    authorization: Option<&HeaderValue>,
) -> io::Result<Io>
where
    Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut request = Request::connect(server.as_str()).header(HOST, server.as_str());
    if let Some(authorization) = authorization {
        request = request.header(PROXY_AUTHORIZATION, authorization);
    }
    let request = request.body(EmptyBody {}).map_err(io::Error::other)?;
    let lost = |error| failure.take_or_end().map_or_else(|| io::Error::other(error), proxy_failed);
    let http = http1::Builder::new().title_case_headers(true).handshake(TokioIo::new(ByteWise(io)));
    let (mut sender, connection) = http.await.map_err(lost)?;
    let response = sender.send_request(request);
    let answered = async {
        let status = response.await.map_err(lost)?.status();
        if status.is_success() { Ok(()) } else { Err(refused(status)) }
    };
    // It ends with the head of an answer that opens the tunnel.
    let opened = async { connection.without_shutdown().await.map_err(lost) };
    let (parts, ()) = tokio::try_join!(opened, answered)?;
    debug_assert!(parts.read_buf.is_empty(), "hyper stops reading where the head ends");
    Ok(parts.io.into_inner().0)
}

fn refused(status: StatusCode) -> io::Error {
    let kind = if is_temporary(status) { io::ErrorKind::Other } else { io::ErrorKind::PermissionDenied };
    io::Error::new(kind, format!("the proxy answered {status}"))
}

/// Reads one byte at a time: what follows the proxy's answer is the server's, and stays in the transport.
#[derive(Debug)]
pub(super) struct ByteWise<Io>(pub(super) Io);

impl<Io: AsyncRead + Unpin> AsyncRead for ByteWise<Io> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut byte = [0];
        let mut one = ReadBuf::new(&mut byte[..buf.remaining().min(1)]);
        ready!(Pin::new(&mut self.0).poll_read(cx, &mut one))?;
        buf.put_slice(one.filled());
        Poll::Ready(Ok(()))
    }
}

impl<Io: AsyncWrite + Unpin> AsyncWrite for ByteWise<Io> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
