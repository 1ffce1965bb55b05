//! Connections on which nothing happens but pings, which are answered as an open page does.

use anyhow::{Result, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{
    frame::{CLOSE, FIN, PING, PONG, masked},
    handshake::Transport,
    http2::Stream,
};

/// One such connection.
#[derive(Debug)]
pub enum Idle {
    Http1(Transport),
    Http2(Stream),
}

impl Idle {
    /// Goes on until the connection ends, which is an error.
    pub async fn run(self) -> Result<()> {
        match self {
            Self::Http1(mut transport) => {
                let mut buffer = [0; 256];
                loop {
                    let read = transport.read(&mut buffer).await?;
                    transport.write_all(&pongs(&buffer[..read])?).await?;
                }
            }
            Self::Http2(mut stream) => loop {
                let pings = stream.read().await?;
                stream.write(pongs(&pings)?.into())?;
            },
        }
    }
}

/// The answers to these pings. A server sends each of them at once, and nothing else.
fn pongs(mut pings: &[u8]) -> Result<Vec<u8>> {
    ensure!(!pings.is_empty(), "the server closed an idle connection");
    let mut pongs = Vec::new();
    while let [first, length, rest @ ..] = pings {
        ensure!(*first != FIN | CLOSE, "the server closed an idle connection");
        ensure!(*first == FIN | PING && rest.len() >= usize::from(*length), "an idle connection was sent {pings:?}");
        let (payload, next) = rest.split_at(usize::from(*length));
        pongs.extend(masked(FIN | PONG, payload));
        pings = next;
    }
    Ok(pongs)
}
