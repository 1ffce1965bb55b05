//! A peer that does only what it is told, over any transport.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tower_websocket::Role;

use super::{Frame, request, secs};

/// One end of a WebSocket, read and written by hand.
pub(crate) struct Peer<Io> {
    pub(crate) io: Io,
    role: Role,
    pub(crate) received: Vec<u8>,
}

impl<Io: AsyncRead + AsyncWrite + Unpin> Peer<Io> {
    pub(crate) fn new(io: Io, role: Role) -> Self {
        Self { io, role, received: Vec::new() }
    }

    /// Asks for a WebSocket as a client, with more header lines.
    pub(crate) async fn ask(&mut self, more: &str) {
        self.send_raw(request("localhost", "/", more)).await;
        let head = self.head().await;
        assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    }

    /// Answers a client's request, with more header lines.
    pub(crate) async fn answer(&mut self, more: &str) {
        let head = self.head().await;
        let header = |line: &str| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("sec-websocket-key").then(|| value.to_owned())
        };
        let key = head.lines().find_map(header).unwrap();
        let response = format!(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Accept: {}\r\n{more}\r\n",
            derive_accept_key(key.as_bytes())
        );
        self.send_raw(response).await;
    }

    async fn head(&mut self) -> String {
        loop {
            if let Some(end) = self.received.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                let rest = self.received.split_off(end + 4);
                return String::from_utf8(std::mem::replace(&mut self.received, rest)).unwrap();
            }
            assert!(self.fill().await, "the head ends early");
        }
    }

    pub(crate) async fn send(&mut self, frame: Frame) {
        self.try_send(frame).await.unwrap();
    }

    pub(crate) async fn try_send(&mut self, frame: Frame) -> io::Result<()> {
        self.try_send_raw(self.encode(&frame)).await
    }

    pub(crate) async fn send_raw(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send_raw(bytes).await.unwrap();
    }

    pub(crate) async fn try_send_raw(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.io.write_all(bytes.as_ref()).await?;
        self.io.flush().await
    }

    /// The bytes of a frame from this peer.
    pub(crate) fn encode(&self, frame: &Frame) -> Vec<u8> {
        frame.sent_by(self.role)
    }

    /// The next frame, or `None` at the end of the transport.
    pub(crate) async fn recv(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = self.take() {
                return Some(frame);
            }
            if !timeout(secs(60), self.fill()).await.expect("a frame arrives, or the end") {
                return None;
            }
        }
    }

    /// The code of the close frame that is the next frame but for pings.
    pub(crate) async fn recv_close(&mut self) -> Option<u16> {
        loop {
            match self.recv().await? {
                frame if frame.first == 0x88 => return Some(frame.code()),
                frame => assert_eq!(frame.first, 0x89, "{frame:?}"),
            }
        }
    }

    /// The next frame of what was received.
    pub(crate) fn take(&mut self) -> Option<Frame> {
        // The mark of a stream of HTTP/2 that was reset.
        if self.received.first() == Some(&0xff) {
            return None;
        }
        let sender = if self.role == Role::Client { Role::Server } else { Role::Client };
        Frame::take_from(sender, &mut self.received)
    }

    /// Reads once what is there. False at the end.
    pub(crate) async fn fill(&mut self) -> bool {
        self.io.read_buf(&mut self.received).await.unwrap_or(0) > 0
    }

    /// Ends this side of the transport.
    pub(crate) async fn shutdown(&mut self) {
        self.io.shutdown().await.unwrap();
    }
}
