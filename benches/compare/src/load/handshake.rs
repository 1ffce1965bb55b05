use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{client::TlsStream, rustls::pki_types::ServerName};
use tokio_util::either::Either;

use super::frame::{CLOSE, FIN, masked};
use crate::{
    tls::{self, NAME},
    workload::Wire,
};

/// Where to connect, and how.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    pub address: SocketAddr,
    pub wire: Wire,
    /// The bare TCP echo is sent the same bytes, and must send them back.
    pub raw: bool,
}

/// A connection, in the clear or not.
pub type Transport = Either<TcpStream, Box<TlsStream<TcpStream>>>;

impl Target {
    /// Connects, over TLS where that is measured, and opens a WebSocket.
    pub async fn connect(&self, path: &str) -> Result<Transport> {
        if self.wire != Wire::Tls {
            return Ok(Either::Left(self.open(path).await?));
        }
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let mut stream = tls::connector()?.connect(ServerName::try_from(NAME)?, stream).await?;
        self.upgrade(&mut stream, path).await?;
        Ok(Either::Right(Box::new(stream)))
    }

    /// Connects and opens a WebSocket in the clear.
    pub async fn open(&self, path: &str) -> Result<TcpStream> {
        let mut stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        self.upgrade(&mut stream, path).await?;
        Ok(stream)
    }

    /// Performs the opening handshake of HTTP/1.1.
    async fn upgrade(&self, stream: &mut (impl AsyncRead + AsyncWrite + Unpin), path: &str) -> Result<()> {
        let extensions = match self.wire {
            Wire::Deflate => {
                "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover\r\n"
            }
            // Our own messages are made before the start, each on its own.
            Wire::Takeover => "Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover\r\n",
            Wire::Plain | Wire::Http2 | Wire::Tls => "",
        };
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{extensions}\r\n",
            self.address
        );
        stream.write_all(request.as_bytes()).await?;

        let head = read_head(stream).await?;
        if !self.raw {
            ensure!(head.starts_with("HTTP/1.1 101 "), "the handshake was refused: {head}");
            ensure!(head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "the handshake was answered wrongly: {head}");
            let agreed = (head.contains("permessage-deflate"), head.contains("server_no_context_takeover"));
            let expected = match self.wire {
                Wire::Deflate => (true, true),
                Wire::Takeover => (true, false),
                Wire::Plain | Wire::Http2 | Wire::Tls => (false, false),
            };
            ensure!(agreed == expected, "not the extensions that were asked for: {head}");
        }
        Ok(())
    }

    /// Opens a connection, performs the closing handshake, and leaves.
    pub async fn open_and_close(&self) -> Result<()> {
        const NORMAL: [u8; 2] = 1000_u16.to_be_bytes();
        let mut stream = self.open("/ws").await?;
        stream.write_all(&masked(FIN | CLOSE, &NORMAL)).await?;
        let mut reply = [0; 16];
        let length = stream.read(&mut reply).await?;
        ensure!(length > 0 && reply[0] == FIN | CLOSE, "the close frame was not answered");
        Ok(())
    }
}

async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> Result<String> {
    let mut head = Vec::with_capacity(1024);
    while !head.ends_with(b"\r\n\r\n") {
        ensure!(stream.read_buf(&mut head).await? > 0, "the server closed the connection during the handshake");
        ensure!(head.len() < 8 * 1024, "the server's answer to the handshake is too long");
    }
    String::from_utf8(head).context("the answer to the handshake is not text")
}
