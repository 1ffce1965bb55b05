//! A WebSocket client that costs next to nothing.

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::{masked, request};

/// What it sends was encoded before, and of what it receives it only looks where each message ends.
pub(crate) struct Client<Io> {
    io: Io,
    received: BytesMut,
}

impl<Io: AsyncRead + AsyncWrite + Unpin> Client<Io> {
    pub(crate) fn new(io: Io) -> Self {
        Self { io, received: BytesMut::new() }
    }

    pub(crate) async fn open(io: Io) -> Self {
        Self::open_with(io, "").await
    }

    /// Opens with more headers, each with its line's end.
    pub(crate) async fn open_with(io: Io, headers: &str) -> Self {
        let mut client = Self::new(io);
        client.io.write_all(handshake(headers).as_bytes()).await.unwrap();
        let head = client.receive_head().await;
        assert!(head.starts_with(b"HTTP/1.1 101 "), "{head:?}");
        client
    }

    /// Sends these frames and waits for as many messages.
    pub(crate) async fn exchange(&mut self, frames: &[u8], replies: u64) {
        self.io.write_all(frames).await.unwrap();
        self.receive(replies).await;
    }

    /// Asks for this many messages, and waits for them.
    pub(crate) async fn order(&mut self, messages: u64) {
        self.order_replies(messages, messages).await;
    }

    /// Asks for something to be done this many times, and waits for the messages that come of it.
    pub(crate) async fn order_replies(&mut self, times: u64, replies: u64) {
        self.exchange(&masked(BINARY, &times.to_be_bytes()), replies).await;
    }

    /// Waits for as many messages. Answers pings.
    pub(crate) async fn receive(&mut self, mut replies: u64) {
        while replies > 0 {
            let Some(frame) = take_frame(&mut self.received) else {
                assert_ne!(self.fill().await, 0, "the server has left");
                continue;
            };
            match frame[0] {
                PING => self.io.write_all(&masked(PONG, &frame[2..])).await.unwrap(),
                first => replies -= u64::from(ends_message(first)),
            }
        }
    }

    /// Sends a plain request and waits for the response.
    pub(crate) async fn ask(&mut self, request: &[u8], body: usize) {
        self.io.write_all(request).await.unwrap();
        self.receive_head().await;
        while self.received.len() < body {
            assert_ne!(self.fill().await, 0, "the server has left");
        }
        self.received.advance(body);
    }

    /// Sends this close frame and waits for the end of the transport.
    pub(crate) async fn close(mut self, close: &[u8]) {
        self.io.write_all(close).await.unwrap();
        while self.fill().await > 0 {}
    }

    /// Reads up to the end of a response's head.
    async fn receive_head(&mut self) -> BytesMut {
        loop {
            if let Some(end) = self.received.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                return self.received.split_to(end + 4);
            }
            assert_ne!(self.fill().await, 0, "the server has left");
        }
    }

    /// Leaves only the transport.
    pub(crate) fn into_io(self) -> Io {
        self.io
    }

    async fn fill(&mut self) -> usize {
        self.received.reserve(64 * 1024);
        self.io.read_buf(&mut self.received).await.unwrap()
    }
}

/// What a message of [`Client::order`] asks for.
pub(crate) fn ordered(message: &[u8]) -> u64 {
    u64::from_be_bytes(message.try_into().unwrap())
}

/// A client's opening handshake.
pub(crate) fn handshake(headers: &str) -> String {
    request("localhost", "/ws", headers)
}

/// The next frame of a server, if all of it is there.
pub(crate) fn take_frame(received: &mut BytesMut) -> Option<BytesMut> {
    let mut rest = received.get(1..)?;
    let len = match rest.try_get_u8().ok()? {
        126 => rest.try_get_u16().ok()?.into(),
        127 => rest.try_get_u64().ok()?,
        len => len.into(),
    };
    let header = received.len() - rest.len();
    let end = header + len as usize;
    (received.len() >= end).then(|| received.split_to(end))
}

/// Whether a frame with this first byte is the last one of a data message.
pub(crate) fn ends_message(first: u8) -> bool {
    first & 0x88 == 0x80
}

pub(crate) const TEXT: u8 = 0x81;
pub(crate) const BINARY: u8 = 0x82;
pub(crate) const CLOSE: u8 = 0x88;
pub(crate) const PING: u8 = 0x89;
const PONG: u8 = 0x8a;
