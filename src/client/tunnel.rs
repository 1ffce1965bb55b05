//! Opening a tunnel through an HTTP proxy (RFC 9110 §9.3.6).

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

/// Opens a tunnel to the server over a connection to a proxy. `failure` is that of the transport.
pub(super) async fn open_tunnel<Io>(
    io: Io,
    failure: &Failure,
    server: &Authority,
    authorization: Option<&HeaderValue>,
) -> io::Result<Io>
where
    Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    // hyper-util's `Tunnel` is not used, because it does not return the status of a refusal, which distinguishes a permanent one
    // (403) from a temporary one (503); it accepts only 200, although any 2xx opens the tunnel; and it loses data that the server
    // sends in the same segment as the proxy's response. Its `SocksV5` is used, with `ByteWise` against the last problem, and its
    // matching of servers and proxies.
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
    // Ends after the head of a response that opens the tunnel.
    let opened = async { connection.without_shutdown().await.map_err(lost) };
    let (parts, ()) = tokio::try_join!(opened, answered)?;
    debug_assert!(parts.read_buf.is_empty(), "`ByteWise` reads nothing after the head");
    Ok(parts.io.into_inner().0)
}

fn refused(status: StatusCode) -> io::Error {
    let kind = if is_temporary(status) { io::ErrorKind::Other } else { io::ErrorKind::PermissionDenied };
    io::Error::new(kind, format!("the proxy answered {status}"))
}

/// Reads one byte at a time, so that data of the server after the proxy's response stays in the transport.
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

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    use super::*;
    use crate::client::observed::Observed;

    /// Asks a proxy that answers with this. What it was asked, and what became of the transport.
    async fn asked(server: &str, answer: &str) -> (String, io::Result<Observed<DuplexStream>>) {
        let (client, mut proxy) = duplex(1024);
        let (io, failure) = Observed::new(client);
        let (server, authorization) = (server.parse().unwrap(), HeaderValue::from_static("Basic dXNlcjpwYXNz"));
        let answering = async {
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                request.push(proxy.read_u8().await.unwrap());
            }
            proxy.write_all(answer.as_bytes()).await.unwrap();
            String::from_utf8(request).unwrap()
        };
        tokio::join!(answering, open_tunnel(io, &failure, &server, Some(&authorization)))
    }

    #[tokio::test]
    async fn what_follows_the_answer_stays_in_the_transport() {
        for server in ["server.example:80", "192.0.2.1:443", "[::1]:8080"] {
            for head in ["HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.0 204 x\r\nVia: a proxy\r\n\r\n"] {
                let (request, io) = asked(server, &format!("{head}the server's")).await;
                let expected = format!(
                    "CONNECT {server} HTTP/1.1\r\nHost: {server}\r\nProxy-Authorization: Basic dXNlcjpwYXNz\r\n\r\n"
                );
                assert_eq!(request, expected);
                let mut rest = [0; 12];
                io.unwrap().read_exact(&mut rest).await.unwrap();
                assert_eq!(&rest, b"the server's");
            }
        }
    }

    #[tokio::test]
    async fn a_refusal_is_lasting_unless_its_status_says_that_it_is_not() {
        use io::ErrorKind::{Other, PermissionDenied};

        for (status, kind) in [
            ("302 Found", PermissionDenied),
            ("401 Unauthorized", PermissionDenied),
            ("403 Forbidden", PermissionDenied),
            ("407 Proxy Authentication Required", PermissionDenied),
            ("429 Too Many Requests", Other),
            ("500 Internal Server Error", Other),
            ("502 Bad Gateway", Other),
            ("503 Service Unavailable", Other),
            ("504 Gateway Timeout", Other),
        ] {
            let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 4\r\n\r\nwhy?");
            let error = asked("server.example:80", &answer).await.1.unwrap_err();
            assert_eq!((error.kind(), error.to_string()), (kind, format!("the proxy answered {status}")));
        }
    }
}
